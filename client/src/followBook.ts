import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelData } from '@brokerx/contracts';
import { type Api, ApiError } from './api.ts';
import { type LocalBook, localBook } from './localBook.ts';
import type { LocalCopy } from './localCopy.ts';
import { type LocalOrders, localOrders } from './localOrders.ts';
import type { Session } from './session.ts';

/** A local book that follows its symbol over a session. It fetches a snapshot whenever it needs one, also after a loss. */
export type Followed<Book = LocalBook> = {
  readonly symbol: string;
  readonly book: Book;
  /** Calls back after each update, and when the book has begun again from a snapshot. Returns the function that ends this. */
  onChange(listener: () => void): () => void;
  stats(): BookStats;
  close(): void;
};
export type BookStats = {
  updates: number;
  /** How often the book began from a snapshot. */
  syncs: number;
  gaps: number;
  mismatches: number;
  /** How often the server reported that messages are missing. */
  missed: number;
};

/** The pause before the next snapshot is fetched, when one was too old or could not be fetched. */
const SNAPSHOT_PAUSE_MS = 50;

export type FollowWith = { session: Session; api: Pick<Api, 'query'> };

/** The book by price. */
export const followBook = (over: FollowWith, symbol: string): Followed =>
  follow(over, { symbol, channel: 'depth', path: `/v1/symbols/${symbol}/book`, book: localBook() });

/** The book order by order. */
export const followOrders = (over: FollowWith, symbol: string): Followed<LocalOrders> =>
  follow(over, {
    symbol,
    channel: 'book_orders',
    path: `/v1/symbols/${symbol}/book/orders`,
    book: localOrders(),
  });

function follow<
  C extends 'depth' | 'book_orders',
  Snapshot,
  Book extends LocalCopy<ChannelData[C], Snapshot>,
>(
  { session, api }: FollowWith,
  { symbol, channel, path, book }: { symbol: string; channel: C; path: string; book: Book },
): Followed<Book> {
  const listeners = new Set<() => void>();
  const stats: BookStats = { updates: 0, syncs: 0, gaps: 0, mismatches: 0, missed: 0 };
  /** The sequence where the updates begin. A snapshot from before it is too old. */
  let reached = -1;
  let syncing = false;
  let closed = false;

  const notify = () => {
    for (const listener of listeners) listener();
  };
  const sync = async (): Promise<void> => {
    if (syncing) return;
    syncing = true;
    while (!closed && !book.isSynced()) {
      try {
        const snapshot = await api.query<Snapshot>(path);
        const result = book.begin(snapshot, reached);
        if (result === 'synced') stats.syncs += 1;
        else {
          count(result);
          await delay(SNAPSHOT_PAUSE_MS);
        }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // `query` gave up after its patience. The book still needs a snapshot, so it asks again.
        await delay(SNAPSHOT_PAUSE_MS);
      }
    }
    syncing = false;
    if (!closed) notify();
  };
  const count = (result: string) => {
    if (result === 'gap') stats.gaps += 1;
    if (result === 'mismatch') stats.mismatches += 1;
  };
  const restart = () => {
    book.reset();
    void sync();
  };

  const unsubscribe = session.subscribe(
    { channel, symbol },
    {
      subscribed(sequence, resumed) {
        if (!resumed) reached = sequence ?? -1;
        if (!book.isSynced()) void sync();
        else if (book.sequence() < reached) restart();
      },
      data(update) {
        stats.updates += 1;
        const result = book.take(update);
        count(result);
        if (result === 'gap' || result === 'mismatch') void sync();
        else if (result === 'applied') notify();
      },
      missed() {
        stats.missed += 1;
        restart();
      },
    },
  );
  return {
    symbol,
    book,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stats: () => ({ ...stats }),
    close() {
      closed = true;
      unsubscribe();
      listeners.clear();
    },
  };
}
