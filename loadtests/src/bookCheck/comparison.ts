import { setTimeout as delay } from 'node:timers/promises';
import type { Api, Followed, LocalBook, LocalOrders } from '@brokerx/client';

/**
 * Compares local books with the server's at one sequence: a local one remembers how it looked at its last
 * sequences, so that it can be compared while trading goes on.
 */
export type Comparison = {
  /** Differences found, one text each. A sequence that a local book passed over is not compared. */
  compare(): Promise<void>;
  /** Once nothing is traded any more: every book must come to the server's sequence and be equal there. */
  compareAtRest(): Promise<void>;
  result(): Compared;
};
export type Compared = { compared: number; passed: number; differences: string[] };

/** Sequences that a local book remembers: several seconds of updates. */
const REMEMBERED_MAX = 500;
const REACH_MS = 10_000;
const REST_MS = 60_000;
const POLL_MS = 50;
/** What has gone wrong once does not need a thousand lines. */
const DIFFERENCES_MAX = 20;

type Book = Followed<LocalBook> | Followed<LocalOrders>;
type Shown = { last_update_id: number; bids: unknown[]; asks: unknown[] };

/** `path`: of a snapshot of what these copy. */
export function comparison(api: Api, path: '/book' | '/book/orders', books: readonly Book[]): Comparison {
  const memories = new Map(books.map((each) => [each, new Map<number, string>()]));
  const differences: string[] = [];
  let compared = 0;
  let passed = 0;
  for (const [{ book, onChange }, memory] of memories) {
    onChange(() => {
      memory.set(book.sequence(), textOf({ bids: book.bids(), asks: book.asks() }));
      if (memory.size > REMEMBERED_MAX) for (const oldest of memory.keys().take(1)) memory.delete(oldest);
    });
  }
  const symbols = [...new Set(books.map(({ symbol }) => symbol))];
  const shown = (symbol: string) => api.query<Shown>(`/v1/symbols/${symbol}${path}`);
  const reached = async ({ book }: Book, sequence: number, waitMs: number): Promise<boolean> => {
    const deadline = performance.now() + waitMs;
    while (book.sequence() < sequence) {
      if (performance.now() > deadline) return false;
      await delay(POLL_MS);
    }
    return true;
  };
  const differs = (text: string) => {
    if (differences.length < DIFFERENCES_MAX) differences.push(text);
  };
  const at = (each: Book, view: Shown): void => {
    const { symbol } = each;
    const seen = memories.get(each)?.get(view.last_update_id);
    if (seen === undefined) passed += 1;
    else {
      compared += 1;
      if (seen !== textOf(view)) {
        differs(`${symbol} at ${view.last_update_id}: local ${seen}, the server's ${textOf(view)}`);
      }
    }
  };
  const ofSymbol = (symbol: string) => books.filter((each) => each.symbol === symbol);

  return {
    async compare() {
      for (const symbol of symbols) {
        const view = await shown(symbol);
        for (const each of ofSymbol(symbol)) {
          // One that is syncing then is compared the next time.
          if (await reached(each, view.last_update_id, REACH_MS)) at(each, view);
          else passed += 1;
        }
      }
    },
    async compareAtRest() {
      for (const symbol of symbols) {
        for (const each of ofSymbol(symbol)) {
          const view = await atRest(() => shown(symbol));
          const { book } = each;
          if (!(await reached(each, view.last_update_id, REST_MS))) {
            differs(
              `${symbol}: a local book stands at ${book.sequence()}, the server's at ${view.last_update_id}`,
            );
            continue;
          }
          compared += 1;
          const local = { last_update_id: book.sequence(), bids: book.bids(), asks: book.asks() };
          if (local.last_update_id === view.last_update_id && textOf(local) === textOf(view)) continue;
          differs(
            `${symbol} at rest: local ${local.last_update_id} ${textOf(local)}, the server's ${textOf(view)}`,
          );
        }
      }
    },
    result: () => ({ compared, passed, differences: [...differences] }),
  };
}

/** Two looks that show the same sequence. */
async function atRest(look: () => Promise<Shown>): Promise<Shown> {
  let before = await look();
  for (;;) {
    await delay(10 * POLL_MS);
    const now = await look();
    if (now.last_update_id === before.last_update_id) return now;
    before = now;
  }
}

const textOf = ({ bids, asks }: Pick<Shown, 'bids' | 'asks'>): string => JSON.stringify([bids, asks]);
