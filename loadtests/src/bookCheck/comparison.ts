import { setTimeout as delay } from 'node:timers/promises';
import type { Api, Followed, LocalBook, LocalOrders } from '@brokerx/client';

/**
 * Compares local books with the server's at one sequence. The states of a local book at its last sequences are remembered,
 * so that it can be compared while trading goes on.
 */
export type Comparison = {
  /** Compares every local book once. A book that passed over the server's sequence is not compared. */
  compare(): Promise<void>;
  /** Compares when nothing is traded any more: every local book must reach the server's sequence and be equal there. */
  compareAtRest(): Promise<void>;
  result(): Compared;
};
/** `passed` counts the comparisons that were left out, `differences` has one text each. */
export type Compared = { compared: number; passed: number; differences: string[] };

/** Remembered states of a local book: several seconds of updates. */
const REMEMBERED_MAX = 500;
const REACH_MS = 10_000;
const REST_MS = 60_000;
const POLL_MS = 50;
/** Differences that are reported: one fault may show a thousand times. */
const DIFFERENCES_MAX = 20;

type Book = Followed<LocalBook> | Followed<LocalOrders>;
type Shown = { last_update_id: number; bids: unknown[]; asks: unknown[] };

/** `path` is that of the snapshot that the local books copy. */
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
  const serverBook = (symbol: string) => api.query<Shown>(`/v1/symbols/${symbol}${path}`);
  const reaches = async ({ book }: Book, sequence: number, waitMs: number): Promise<boolean> => {
    const deadlineMs = performance.now() + waitMs;
    while (book.sequence() < sequence) {
      if (performance.now() > deadlineMs) return false;
      await delay(POLL_MS);
    }
    return true;
  };
  const differs = (text: string) => {
    if (differences.length < DIFFERENCES_MAX) differences.push(text);
  };
  const compareAt = (each: Book, view: Shown): void => {
    const { symbol } = each;
    const local = memories.get(each)?.get(view.last_update_id);
    if (local === undefined) passed += 1;
    else {
      compared += 1;
      if (local !== textOf(view)) {
        differs(`${symbol} at ${view.last_update_id}: local ${local}, the server's ${textOf(view)}`);
      }
    }
  };
  const booksOf = (symbol: string) => books.filter((each) => each.symbol === symbol);

  return {
    async compare() {
      for (const symbol of symbols) {
        const view = await serverBook(symbol);
        for (const each of booksOf(symbol)) {
          // A book that is syncing now is compared the next time.
          if (await reaches(each, view.last_update_id, REACH_MS)) compareAt(each, view);
          else passed += 1;
        }
      }
    },
    async compareAtRest() {
      for (const symbol of symbols) {
        for (const each of booksOf(symbol)) {
          const view = await bookAtRest(() => serverBook(symbol));
          const { book } = each;
          if (!(await reaches(each, view.last_update_id, REST_MS))) {
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

/** Reads the server's book until two reads show the same sequence. */
async function bookAtRest(read: () => Promise<Shown>): Promise<Shown> {
  let before = await read();
  for (;;) {
    await delay(10 * POLL_MS);
    const now = await read();
    if (now.last_update_id === before.last_update_id) return now;
    before = now;
  }
}

const textOf = ({ bids, asks }: Pick<Shown, 'bids' | 'asks'>): string => JSON.stringify([bids, asks]);
