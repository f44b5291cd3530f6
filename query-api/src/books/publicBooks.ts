import { bookStream, MARKET_SNAPSHOT, marketStream, type StoredMarket } from '@brokerx/contracts';
import { heardElsewhere, NO_STREAM, type Runtime, type Snapshots } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { refused } from '../http/problems.ts';
import { follow } from '../live/follow.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { type BookFollower, type FollowedBook, followedBook } from './followedBook.ts';

/**
 * The public books that clients of this process watch, or have read a moment ago. Each book is followed once for all of them.
 * It starts from the projectors' newest snapshot, or where there is none, from its first event.
 */
export type PublicBooks = {
  /**
   * The book of a symbol, up to date. `failed` is aborted when the book can no longer be followed; the user calls `leave` when
   * it no longer needs it. Throws `UNKNOWN_SYMBOL`, `OVERLOADED`, or what reading the store throws.
   */
  use(symbol: string): Promise<BookUse>;
  /** Books followed now. */
  count(): number;
  /** Users of all books together. */
  users(): number;
  close(): void;
};
export type BookUse = { book: FollowedBook; failed: AbortSignal; leave(): void };

/** The books' name as a source of `Freshness`. */
export const PUBLIC_BOOKS = 'books';

/** A busy book takes some MB, and a share of the work of reading the store. */
const BOOKS_MAX = 1_000;
/** Milliseconds that a book is still followed after its last user has left, for users that come back. */
export const LINGER_MS = 60_000;

type Entry = {
  opened: Promise<BookFollower>;
  users: number;
  over: AbortController;
  cancelLinger: (() => void) | null;
};

export function publicBooks(options: {
  store: EventReader;
  live: LiveEvents;
  snapshots: Pick<Snapshots, 'load'>;
  runtime: Runtime;
  log: Log;
  booksMax?: number;
}): PublicBooks {
  const { store, snapshots, runtime, log, booksMax = BOOKS_MAX } = options;
  const entries = new Map<string, Entry>();

  const drop = (symbol: string, entry: Entry) => {
    if (entries.get(symbol) === entry) entries.delete(symbol);
    entry.cancelLinger?.();
    entry.over.abort();
    heardElsewhere(entry.opened.then((book) => book.close()));
  };
  const stored = async (symbol: string): Promise<StoredMarket> => {
    const snapshot = await snapshots.load({ ...MARKET_SNAPSHOT, key: symbol }, ({ state }) =>
      marketFrom(state),
    );
    if (snapshot) return snapshot.state;
    const [listing] = await store.readStream(marketStream(symbol), 0, 1);
    if (listing?.event.type !== 'SymbolListed.v1') {
      throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
    }
    const { tickCents } = listing.event.data.rules;
    const book = { orders: [], coming: null };
    return {
      symbol,
      tickCents,
      state: 'continuous',
      sequence: NO_STREAM,
      book,
      ticker: { lastTicks: null },
      indicative: null,
    };
  };
  const openBook = async (symbol: string, over: AbortSignal, fail: (error: unknown) => void) => {
    const start = await stored(symbol);
    const book = followedBook(start, runtime);
    let caughtUp = false;
    /** Until the book has caught up, an error goes to the caller that opens it; later it fails the book for all users. */
    const guarded = (act: () => void) => {
      try {
        act();
      } catch (error) {
        if (!caughtUp) throw error;
        fail(error);
      }
    };
    await follow({
      ...options,
      stream: bookStream(symbol),
      fromRevision: start.sequence + 1,
      ended: over,
      give: (recorded) => guarded(() => book.take(recorded)),
      settled: () => guarded(book.settled),
      failed: fail,
    });
    caughtUp = true;
    book.begin();
    return book;
  };
  const open = (symbol: string): Entry => {
    if (entries.size >= booksMax) makeRoom();
    if (entries.size >= booksMax) throw refused('OVERLOADED', 'as many books are followed as can be');
    const over = new AbortController();
    const fail = (error: unknown) => {
      if (over.signal.aborted) return;
      log.error(
        { err: error, symbol },
        'a book cannot be followed any more; it is opened anew when it is wanted',
      );
      drop(symbol, entry);
    };
    const entry: Entry = { opened: openBook(symbol, over.signal, fail), users: 0, over, cancelLinger: null };
    entries.set(symbol, entry);
    entry.opened.catch(() => drop(symbol, entry));
    return entry;
  };
  /** Drops the oldest book without users. */
  const makeRoom = () => {
    for (const [symbol, entry] of entries) if (entry.users === 0) return drop(symbol, entry);
  };

  return {
    async use(symbol) {
      const entry = entries.get(symbol) ?? open(symbol);
      entry.users += 1;
      entry.cancelLinger?.();
      entry.cancelLinger = null;
      let hasLeft = false;
      const leave = () => {
        if (hasLeft) return;
        hasLeft = true;
        entry.users -= 1;
        if (entry.users > 0 || entry.over.signal.aborted) return;
        entry.cancelLinger = runtime.setTimer(LINGER_MS, () => drop(symbol, entry));
      };
      try {
        return { book: await entry.opened, failed: entry.over.signal, leave };
      } catch (error) {
        leave();
        throw error;
      }
    },
    count: () => entries.size,
    users: () => entries.values().reduce((sum, { users }) => sum + users, 0),
    close() {
      for (const [symbol, entry] of entries) drop(symbol, entry);
    },
  };
}

function marketFrom(state: string): StoredMarket {
  const market = JSON.parse(state) as StoredMarket;
  if (!Number.isSafeInteger(market.sequence) || !Array.isArray(market.book.orders)) {
    throw new TypeError('it is no market');
  }
  return market;
}
