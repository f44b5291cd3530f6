import assert from 'node:assert/strict';
import { MARKET_SNAPSHOT } from '@brokerx/contracts';
import type { Cursor, Snapshots } from '@brokerx/infra';
import type { Books } from './books.ts';
import { restoreMarket, type SymbolMarket, storeMarket } from './symbolMarket.ts';

/**
 * Snapshots of the followed books: one for each symbol, saved when it changed, and above them a mark that says up to
 * which position all of them together are complete. A start needs the events after the mark only, however long ago
 * a quiet symbol's own snapshot was taken.
 */
const of = (key: string) => ({ ...MARKET_SNAPSHOT, key });
/** No symbol's name: those begin with a letter. */
const MARK = '*';

/** Saves what changed since the last time. Throws what the snapshots throw; what was not saved stays due. */
export function marketSnapshots(snapshots: Snapshots, storeId: string) {
  return {
    async save(books: Books, position: () => number): Promise<void> {
      if (books.unkept.size === 0) return;
      const complete = position();
      const named = JSON.stringify([...books.markets.keys()].sort());
      for (const symbol of [...books.unkept].sort()) {
        const market = books.markets.get(symbol);
        if (!market) continue;
        books.unkept.delete(symbol);
        const cursor = { storeId, position: position() };
        try {
          await snapshots.save(of(symbol), { cursor, revision: market.sequence, state: storeMarket(market) });
        } catch (error) {
          books.unkept.add(symbol);
          throw error;
        }
      }
      // A book that was given up is to be read again, by better code, from where its snapshot ends.
      if (books.withdrawn.size > 0) return;
      await snapshots.save(of(MARK), { cursor: { storeId, position: complete }, revision: -1, state: named });
    },
  };
}

export type LoadedMarkets = {
  markets: Map<string, SymbolMarket>;
  /** Position that each restored market reflects. */
  reflected: Map<string, number>;
  /** Where to read on from; null: from the beginning. */
  cursor: Cursor | null;
};

/** What the snapshots give; where one is missing that the mark names, or is older than it was, the mark is worth nothing. */
export async function loadMarkets(snapshots: Snapshots, storeId: string): Promise<LoadedMarkets> {
  const mark = await snapshots.load(of(MARK), ({ state }) => namesFrom(state));
  let isWhole = true;
  const markets = new Map<string, SymbolMarket>();
  const reflected = new Map<string, number>();
  for (const key of await snapshots.keys(MARKET_SNAPSHOT.kind, MARKET_SNAPSHOT.version)) {
    if (key === MARK) continue;
    const snapshot = await snapshots.load(of(key), ({ state }) => restoreMarket(state));
    if (!snapshot?.isNewest) isWhole = false;
    if (!snapshot) continue;
    markets.set(key, snapshot.state);
    reflected.set(key, snapshot.cursor.position);
  }
  isWhole &&= mark !== null && mark.state.every((symbol) => markets.has(symbol));
  return { markets, reflected, cursor: isWhole && mark ? { storeId, position: mark.cursor.position } : null };
}

function namesFrom(state: string): string[] {
  const names = JSON.parse(state) as unknown;
  assert(Array.isArray(names), 'a mark is a list of symbols');
  return names as string[];
}
