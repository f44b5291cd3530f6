import { type Event, MARKET_DATA_EVENTS } from '@brokerx/contracts';
import { type Cursor, type EventStore, type FilteredPast, type HotView, isOfThisPast } from '@brokerx/infra';
import { type Books, keysOf } from './books.ts';
import type { SymbolMarket } from './symbolMarket.ts';

/**
 * Brings the hot view up to the books in memory. The publisher knows what the view has only while the view's cursor is where its
 * own last write left it. Otherwise (start, lost view, another writer, lost reply) it writes everything anew.
 */
export type HotPublisher = {
  /**
   * Writes what changed and moves the view's cursor to what the books reflect now; without a change it
   * looks whether the view still stands. Gives the number of symbols written. Throws what the hot store throws.
   */
  publish(
    books: Books,
    reached: FilteredPast,
    values: (market: SymbolMarket) => [key: string, text: string][],
  ): Promise<number>;
};

/** Symbols of one write: about 20 KB each at full depth, so 1 MB together. */
const SYMBOLS_PER_WRITE_MAX = 50;

export function hotPublisher(
  view: HotView,
  store: Pick<EventStore<Event>, 'id' | 'head' | 'readAll'>,
): HotPublisher {
  const storeId = store.id;
  /** The cursor that our last write left in the view; undefined where that is unknown. */
  let standing: Cursor | null | undefined;

  const look = async (known: Cursor | null | undefined): Promise<Cursor | null> => {
    const cursor = await view.cursor();
    if (cursor === null || (known && isSame(cursor, known))) return cursor;
    const rests = { position: cursor.position, landmark: cursor.landmark ?? null };
    if (cursor.storeId === storeId && (await isOfThisPast(store, rests, MARKET_DATA_EVENTS))) return cursor;
    // Values of another store, or of another past of this one: nothing of them is of use.
    await view.clear();
    return null;
  };

  return {
    async publish(books, { position, landmark }, values) {
      const place: Cursor = { storeId, position, ...(landmark ? { landmark } : {}) };
      const known = standing;
      if (known === undefined || (books.unpublished.size === 0 && known?.position === position)) {
        const found = await look(known);
        if (!known || !found || !isSame(found, known)) books.touchAll();
        standing = found;
      }
      // Never backwards: a view ahead of us is better than ours until we have caught up.
      if (standing && standing.position > position) {
        standing = undefined;
        return 0;
      }
      if (standing && standing.position === position && books.unpublished.size === 0) return 0;

      const symbols = [...books.unpublished].sort();
      books.unpublished.clear();
      let from = standing ?? null;
      standing = undefined;
      try {
        for (let done = 0; done === 0 || done < symbols.length; done += SYMBOLS_PER_WRITE_MAX) {
          const some = symbols.slice(done, done + SYMBOLS_PER_WRITE_MAX);
          const isLast = done + SYMBOLS_PER_WRITE_MAX >= symbols.length;
          // All parts but the last leave the cursor: values may be newer than it says, never older.
          const to = isLast ? place : (from ?? { storeId, position: 0 });
          const set = new Map(
            some.flatMap((symbol) => {
              const market = books.markets.get(symbol);
              return market ? values(market) : [];
            }),
          );
          const remove = [...books.withdrawn].flatMap(keysOf);
          if ((await view.write({ from, to, set, remove })) === 'stale') {
            for (const symbol of symbols) books.unpublished.add(symbol);
            return 0;
          }
          from = to;
        }
      } catch (error) {
        for (const symbol of symbols) books.unpublished.add(symbol);
        throw error;
      }
      standing = from;
      return symbols.length;
    },
  };
}

const isSame = (one: Cursor, other: Cursor): boolean =>
  one.storeId === other.storeId &&
  one.position === other.position &&
  one.landmark?.commitId === other.landmark?.commitId;
