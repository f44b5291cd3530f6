import assert from 'node:assert/strict';
import type { Event } from '@brokerx/contracts';
import type { EventStore, Snapshots } from '@brokerx/infra';
import { KNOWN_MATCHING_RULES, UnknownMatchingRules } from '../rules/engine.ts';

/**
 * Finds every symbol that was ever listed, with the version of the matching rules that it adopted: the snapshot of the
 * last look, and the market events since. Refuses, before anything is touched, where this engine lacks a version.
 */
export async function discover(store: EventStore<Event>, snapshots: Snapshots): Promise<Discovered> {
  const key = { kind: 'listed-symbols', key: 'all', version: 1 };
  const kept = await snapshots.load(key, ({ state }) => listedFrom(state));
  const listed = kept?.state ?? new Map<string, number>();
  let position = kept?.cursor.position ?? 0;
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

/** Throws `UnknownMatchingRules`. */
export function assertKnownRules(symbol: string, version: number): void {
  if (KNOWN_MATCHING_RULES.includes(version)) return;
  throw new UnknownMatchingRules(
    `${symbol} follows matching rules ${version}; this engine knows ${KNOWN_MATCHING_RULES.join(', ')}`,
  );
}

export type Discovered = {
  symbols: Set<string>;
  /** No symbol but these has an input at or below this position. */
  position: number;
};

const PAGE_EVENTS_MAX = 1_000;
