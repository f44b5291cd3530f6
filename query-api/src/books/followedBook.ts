import assert from 'node:assert/strict';
import {
  type BookEvent,
  bookOf,
  type Event,
  evolveBook,
  isAuction,
  nothingTouched,
  type StoredMarket,
  views,
} from '@brokerx/contracts';
import type { Recorded, Runtime } from '@brokerx/infra';
import { type StreamMessage, streamMessage } from '../live/streamMessage.ts';
import {
  auctionView,
  type BookUpdate,
  bestPrices,
  bookOrdersView,
  bookUpdate,
  bookView,
  type RecordedTrade,
} from './bookUpdate.ts';

/**
 * One public book in memory, folded from its events, and the updates that its watchers get. An update never shows half of what
 * an input did. All changes within `UPDATE_INTERVAL_MS` are one update, which shows the book at its end. It counts private
 * events, too, without showing them, so that the sequences of updates have no gap.
 */
export type FollowedBook = {
  readonly symbol: string;
  readonly tickCents: number;
  /** Sequence of the last update. */
  sequence(): number;
  /** Position of the event at that sequence; 0 before the first update. */
  position(): number;
  /** Price of the last trade. */
  lastTicks(): number | null;
  /** The book as of now. All watchers get the update up to here at once. */
  view(levels?: number): views.BookView;
  ordersView(): views.BookOrdersView;
  best(): StreamMessage;
  auction(): StreamMessage;
  /** The updates behind this sequence; null: they are no longer in memory. */
  since(sequence: number): readonly BookUpdate[] | null;
  /** Calls the listener with every update from now on; returns the function that removes it. */
  watch(listener: (update: BookUpdate) => void): () => void;
};

/** A followed book with the methods of its feeder. */
export type BookFollower = FollowedBook & {
  /** Takes the next event. Throws where the event does not fit: then the book must not be shown any more. */
  take(recorded: Recorded<Event>): void;
  /** The commit of the last event is complete. */
  settled(): void;
  /** The book has caught up: from now on it makes updates. */
  begin(): void;
  close(): void;
};

/** Milliseconds: forty updates a second are more than anybody reads, and a busy book's changes share a message. */
export const UPDATE_INTERVAL_MS = 25;
/** Updates in memory, for clients that resume: half a minute of a busy symbol. */
export const UPDATES_KEPT_MAX = 1_200;
/** Characters of these updates: a hundred busy symbols have 100 MB. */
const UPDATE_CHARACTERS_MAX = 1_000_000;

export function followedBook(stored: StoredMarket, runtime: Runtime): BookFollower {
  const { symbol, tickCents } = stored;
  const book = bookOf(stored.book);
  const listeners = new Set<(update: BookUpdate) => void>();
  const updates = newestUpdates();
  let lastRevision = stored.sequence;
  let folded = { sequence: stored.sequence, position: 0 };
  let published = folded;
  /** Outputs of one input, which may have more: they are folded together. */
  let pending: Recorded<Event>[] = [];
  let trades: RecordedTrade[] = [];
  let { lastTicks } = stored.ticker;
  let best: StreamMessage | null = null;
  let { state, indicative = null } = stored;
  let publishedMs = Number.NEGATIVE_INFINITY;
  let cancelTimer: (() => void) | null = null;
  let isLive = false;

  const fold = () => {
    for (const recorded of pending) {
      evolveBook(book, recorded.event as BookEvent, recorded.revision);
      const { event } = recorded;
      if (event.type === 'TradeExecuted.v1') trades.push(recorded as RecordedTrade);
      if (event.type === 'IndicativePriceChanged.v1') indicative = event.data;
      if (event.type === 'MarketStateChanged.v1') {
        state = event.data.state;
        if (!isAuction(state)) indicative = null;
      }
      folded = { sequence: recorded.revision, position: recorded.position };
    }
    pending = [];
  };
  const publish = () => {
    cancelTimer = null;
    const update = bookUpdate(
      { symbol, tickCents, book },
      { U: published.sequence + 1, u: folded.sequence, position: folded.position },
      trades,
    );
    book.touched = nothingTouched();
    lastTicks = trades.at(-1)?.event.data.priceTicks ?? lastTicks;
    trades = [];
    published = folded;
    publishedMs = runtime.monotonicMs();
    best = null;
    updates.add(update);
    for (const listener of listeners) listener(update);
  };
  const publishNow = () => {
    if (!isLive || folded === published) return;
    cancelTimer?.();
    publish();
  };
  const publishSoon = () => {
    if (!isLive || folded === published || cancelTimer) return;
    const waitMs = publishedMs + UPDATE_INTERVAL_MS - runtime.monotonicMs();
    if (waitMs <= 0) publish();
    else cancelTimer = runtime.setTimer(waitMs, publish);
  };

  return {
    symbol,
    tickCents,
    sequence: () => published.sequence,
    position: () => published.position,
    lastTicks: () => lastTicks,
    view(levels = views.BOOK_LEVELS_MAX) {
      publishNow();
      return bookView(symbol, published.sequence, book, tickCents, levels);
    },
    ordersView() {
      publishNow();
      return bookOrdersView(symbol, published.sequence, book, tickCents, views.BOOK_ORDERS_MAX);
    },
    best() {
      publishNow();
      const prices = bestPrices(book, tickCents);
      return (best ??= streamMessage(
        { channel: 'best_prices', symbol },
        published.sequence,
        JSON.stringify(prices),
      ));
    },
    auction() {
      publishNow();
      const data = JSON.stringify(auctionView(state, indicative, tickCents));
      return streamMessage({ channel: 'auction', symbol }, published.sequence, data);
    },
    since: (sequence) => (sequence >= published.sequence ? [] : updates.since(sequence)),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    take(recorded) {
      assert.equal(recorded.revision, lastRevision + 1, `the book of ${symbol} has a gap`);
      lastRevision = recorded.revision;
      if (pending[0] && pending[0].event.causationId !== recorded.event.causationId) {
        fold();
        publishSoon();
      }
      pending.push(recorded);
    },
    settled() {
      if (!pending.at(-1)?.event.more) fold();
      publishSoon();
    },
    begin() {
      isLive = true;
      book.touched = nothingTouched();
      lastTicks = trades.at(-1)?.event.data.priceTicks ?? lastTicks;
      trades = [];
      published = folded;
    },
    close() {
      isLive = false;
      cancelTimer?.();
      listeners.clear();
    },
  };
}

/** The newest updates of one book, within the bounds above. */
function newestUpdates() {
  let updates: BookUpdate[] = [];
  let characters = 0;
  return {
    add(update: BookUpdate) {
      updates.push(update);
      characters += update.size;
      let excess = Math.max(0, updates.length - UPDATES_KEPT_MAX);
      for (let n = 0; n < updates.length && (n < excess || characters > UPDATE_CHARACTERS_MAX); n++) {
        characters -= updates[n]?.size ?? 0;
        excess = Math.max(excess, n + 1);
      }
      if (excess > 0) updates = updates.slice(excess);
    },
    /** The updates behind a sequence; null: the first of them is gone. */
    since(sequence: number): readonly BookUpdate[] | null {
      const first = updates.findIndex(({ u }) => u > sequence);
      const from = updates[first];
      return from && from.U <= sequence + 1 ? updates.slice(first) : null;
    },
  };
}
