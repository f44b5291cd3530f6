import type { Cursor, HotView } from '@brokerx/infra';
import { type Books, keysOf } from './books.ts';
import type { SymbolMarket } from './symbolMarket.ts';

/**
 * Brings the hot view up to the books in memory. What is published is known only as long as the view's cursor is where
 * our last write left it; otherwise (start, lost view, another writer, lost reply) everything is written anew.
 */
export type HotPublisher = {
  /**
   * Writes what changed and moves the view's cursor to `position`, which the books reflect now; without a change it
   * looks whether the view still stands. Gives the number of symbols written. Throws what the hot store throws.
   */
  publish(
    books: Books,
    position: number,
    values: (market: SymbolMarket) => [key: string, text: string][],
  ): Promise<number>;
};

/** Bounds one write: about 20 KB a symbol at full depth, so some 1 MB. */
export const SYMBOLS_PER_WRITE_MAX = 50;

export function hotPublisher(view: HotView, storeId: string): HotPublisher {
  /** Where our last write left the view; undefined when that is not known. */
  let standing: Cursor | null | undefined;

  const look = async (): Promise<Cursor | null> => {
    const cursor = await view.cursor();
    if (cursor === null || cursor.storeId === storeId) return cursor;
    // Values of another store: nothing of them is of use.
    await view.clear();
    return null;
  };

  return {
    async publish(books, position, values) {
      const known = standing;
      if (known === undefined || (books.unpublished.size === 0 && known?.position === position)) {
        const found = await look();
        if (known === undefined || found?.position !== known?.position) books.touchAll();
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
          const to = isLast ? { storeId, position } : (from ?? { storeId, position: 0 });
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
