import assert from 'node:assert/strict';
import { type Event, MARKET_SNAPSHOT } from '@brokerx/contracts';
import type { Cursor, EventStore, FilteredPast, Landmark, Snapshots } from '@brokerx/infra';
import type { Books } from './books.ts';
import { restoreMarket, type SymbolMarket, storeMarket } from './symbolMarket.ts';

/**
 * Snapshots of the followed books: one for each symbol, saved after it has changed, and a mark that states up to which position
 * all of them together are complete. A start reads the events behind the mark only, however old the snapshot of a quiet symbol is.
 */
const of = (key: string) => ({ ...MARKET_SNAPSHOT, key });
/** The mark's key. It is no symbol's name, since those begin with a letter. */
const MARK = '*';

/** Saves what has changed since the last save. Throws the snapshots' errors; what was not saved then is saved next time. */
export function marketSnapshots(snapshots: Snapshots, storeId: string) {
  return {
    async save(books: Books, reached: () => FilteredPast): Promise<void> {
      if (books.unkept.size === 0) return;
      const { position: complete, landmark } = reached();
      const state = JSON.stringify({ symbols: [...books.markets.keys()].sort(), landmark } satisfies Mark);
      for (const symbol of [...books.unkept].sort()) {
        const market = books.markets.get(symbol);
        if (!market) continue;
        books.unkept.delete(symbol);
        const cursor = { storeId, position: reached().position };
        try {
          await snapshots.save(of(symbol), { cursor, revision: market.sequence, state: storeMarket(market) });
        } catch (error) {
          books.unkept.add(symbol);
          throw error;
        }
      }
      // Better code can read a withdrawn book again from where its snapshot ends, so the mark must not pass that.
      if (books.withdrawn.size > 0) return;
      await snapshots.save(of(MARK), { cursor: { storeId, position: complete }, revision: -1, state });
    },
  };
}

export type LoadedMarkets = {
  markets: Map<string, SymbolMarket>;
  /** The position that each restored market reflects. */
  reflected: Map<string, number>;
  /** Reading goes on behind this cursor; null: from the beginning. */
  cursor: Cursor | null;
};

/**
 * Restores the markets. The mark counts only where every snapshot that it names is there, is the newest of its symbol, and the mark
 * has a landmark. Snapshots of another past of the store are never loaded.
 */
export async function loadMarkets(
  snapshots: Snapshots,
  store: Pick<EventStore<Event>, 'id'>,
): Promise<LoadedMarkets> {
  const markets = new Map<string, SymbolMarket>();
  const reflected = new Map<string, number>();
  const mark = await snapshots.load(of(MARK), ({ state }) => markFrom(state));
  let isWhole = true;
  for (const key of await snapshots.keys(MARKET_SNAPSHOT.kind, MARKET_SNAPSHOT.version)) {
    if (key === MARK) continue;
    const snapshot = await snapshots.load(of(key), ({ state }) => restoreMarket(state));
    if (!snapshot?.isNewest) isWhole = false;
    if (!snapshot) continue;
    markets.set(key, snapshot.state);
    reflected.set(key, snapshot.cursor.position);
  }
  const { symbols, landmark } = mark?.state ?? { symbols: [], landmark: null };
  isWhole &&= symbols.every((symbol) => markets.has(symbol));
  const cursor =
    mark && landmark && isWhole ? { storeId: store.id, position: mark.cursor.position, landmark } : null;
  return { markets, reflected, cursor };
}

type Mark = { symbols: string[]; landmark: Landmark | null };

/** Parses a mark; earlier versions stored the symbols alone. */
function markFrom(state: string): Mark {
  const mark = JSON.parse(state) as Mark | string[];
  const { symbols, landmark } = Array.isArray(mark) ? { symbols: mark, landmark: null } : mark;
  assert(Array.isArray(symbols), 'a mark names symbols');
  return { symbols, landmark };
}
