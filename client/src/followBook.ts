import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelData } from '@brokerx/contracts';
import { type Api, ApiError } from './api.ts';
import { type LocalBook, localBook } from './localBook.ts';
import type { LocalCopy } from './localCopy.ts';
import { type LocalOrders, localOrders } from './localOrders.ts';
import type { Session } from './session.ts';

/** A local book that a session keeps: it fetches snapshots whenever it needs one, whatever happens to the connection. */
export type Followed<Book = LocalBook> = {
  readonly symbol: string;
  readonly book: Book;
  /** Calls back whenever the book was brought further, or has begun anew. */
  onChange(listener: () => void): () => void;
  stats(): BookStats;
  close(): void;
};
export type BookStats = {
  updates: number;
  /** Snapshots that it began with. */
  syncs: number;
  gaps: number;
  mismatches: number;
  /** How often the server said that messages are missing. */
  missed: number;
};

/** Milliseconds before the next snapshot is asked for, where one was too old. */
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
  /** Where the updates begin: no snapshot that lies before will do. */
  let reached = -1;
  let syncing = false;
  let closed = false;

  const changed = () => {
    for (const listener of listeners) listener();
  };
  const sync = async (): Promise<void> => {
    if (syncing) return;
    syncing = true;
    while (!closed && !book.isSynced()) {
      try {
        const snapshot = await api.query<Snapshot>(path);
        const begun = book.begin(snapshot, reached);
        if (begun === 'synced') stats.syncs += 1;
        else {
          count(begun);
          await delay(SNAPSHOT_PAUSE_MS);
        }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // Away for longer than the patience: it is asked for until it comes.
        await delay(SNAPSHOT_PAUSE_MS);
      }
    }
    syncing = false;
    if (!closed) changed();
  };
  const count = (what: string) => {
    if (what === 'gap') stats.gaps += 1;
    if (what === 'mismatch') stats.mismatches += 1;
  };
  const anew = () => {
    book.reset();
    void sync();
  };

  const leave = session.subscribe(
    { channel, symbol },
    {
      subscribed(sequence, resumed) {
        if (!resumed) reached = sequence ?? -1;
        if (!book.isSynced()) void sync();
        else if (book.sequence() < reached) anew();
      },
      data(update) {
        stats.updates += 1;
        const taken = book.take(update);
        count(taken);
        if (taken === 'gap' || taken === 'mismatch') void sync();
        else if (taken === 'applied') changed();
      },
      missed() {
        stats.missed += 1;
        anew();
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
      leave();
      listeners.clear();
    },
  };
}
