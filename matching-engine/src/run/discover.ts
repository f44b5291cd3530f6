import assert from 'node:assert/strict';
import type { Event } from '@brokerx/contracts';
import type { EventStore, Snapshots } from '@brokerx/infra';
import { KNOWN_MATCHING_RULES, UnknownMatchingRules } from '../rules/engine.ts';

/**
 * Finds every listed symbol and the matching rules that it was listed with: those of the last snapshot, and the market
 * events since. Throws `UnknownMatchingRules`, before the engine touches anything, if the engine lacks a version.
 */
export async function discover(store: EventStore<Event>, snapshots: Snapshots): Promise<Discovered> {
  const key = { kind: 'listed-symbols', key: 'all', version: 1 };
  const snapshot = await snapshots.load(key, ({ state }) => listedFrom(state));
  const listed = snapshot?.state ?? new Map<string, number>();
  let position = snapshot?.cursor.position ?? 0;
  for (let atEnd = false; !atEnd; ) {
    const page = await store.readAll(position, { categories: ['market'], symbols: 'any' }, PAGE_EVENTS_MAX);
    for (const { event } of page.events) {
      if (event.type === 'SymbolListed.v1') listed.set(event.data.symbol, event.data.matchingRules);
    }
    ({ position, atEnd } = page);
  }
  for (const [symbol, version] of listed) assertKnownRules(symbol, version);
  const state = JSON.stringify(Object.fromEntries(listed));
  await snapshots.save(key, { cursor: { storeId: store.id, position }, revision: -1, state });
  return { symbols: new Set([...listed.keys()].sort()), position };
}

function listedFrom(state: string): Map<string, number> {
  const listed = new Map(Object.entries<number>(JSON.parse(state)));
  for (const version of listed.values())
    assert(Number.isSafeInteger(version), 'no version of matching rules');
  return listed;
}

/** Throws `UnknownMatchingRules` if this engine lacks the version. */
export function assertKnownRules(symbol: string, version: number): void {
  if (KNOWN_MATCHING_RULES.includes(version)) return;
  throw new UnknownMatchingRules(
    `${symbol} follows matching rules ${version}; this engine knows ${KNOWN_MATCHING_RULES.join(', ')}`,
  );
}

export type Discovered = {
  symbols: Set<string>;
  /** No other symbol has an input at or before this position. */
  position: number;
};

const PAGE_EVENTS_MAX = 1_000;
