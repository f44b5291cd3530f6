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
 * One public book in memory, followed from its events. What an input did is told after its last output, never half of it;
 * what happens within `UPDATE_INTERVAL_MS` is one update, which says what stands at its end. Private events are in it,
 * though it says nothing of them, so that the sequences of updates have no gap.
 */
export type FollowedBook = {
  readonly symbol: string;
  readonly tickCents: number;
  /** What was told last. */
  sequence(): number;
  /** Position of the event at that sequence; 0 where nothing was followed yet. */
  position(): number;
  /** Price of the last trade. */
  lastTicks(): number | null;
  /** As of now, which is told to everybody else at once. */
  view(levels?: number): views.BookView;
  ordersView(): views.BookOrdersView;
  best(): StreamMessage;
  auction(): StreamMessage;
  /** Updates that follow this sequence, as far back as they are kept; null: not that far. */
  since(sequence: number): readonly BookUpdate[] | null;
  /** Hears every update from now on; returns the function that ends it. */
  watch(listener: (update: BookUpdate) => void): () => void;
};

/** The inside, for who feeds it. */
export type BookFollower = FollowedBook & {
  /** The next event. Throws where it does not fit: then the book is not to be shown any more. */
  take(recorded: Recorded<Event>): void;
  /** The commit of the last event was given whole. */
  settled(): void;
  /** It has caught up: from now on it tells. */
  begin(): void;
  close(): void;
};

/** Milliseconds: forty updates a second are more than anybody reads, and let a busy book's changes share a message. */
export const UPDATE_INTERVAL_MS = 25;
/** Kept to resume from: half a minute of a busy symbol. */
export const UPDATES_KEPT_MAX = 1_200;
/** Characters of them: what a hundred busy symbols keep is 100 MB. */
const UPDATE_CHARACTERS_KEPT_MAX = 1_000_000;

export function followedBook(stored: StoredMarket, runtime: Runtime): BookFollower {
  const { symbol, tickCents } = stored;
  const book = bookOf(stored.book);
  const listeners = new Set<(update: BookUpdate) => void>();
  let updates: BookUpdate[] = [];
  let size = 0;
  let [taken, folded, told] = [stored.sequence, stored.sequence, stored.sequence];
  let [foldedAt, toldAt] = [0, 0];
  /** Outputs of one input, of which there may be more. */
  let held: Recorded<Event>[] = [];
  let traded: RecordedTrade[] = [];
  let { lastTicks } = stored.ticker;
  let best: StreamMessage | null = null;
  let { state, indicative = null } = stored;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let cancelTimer: (() => void) | null = null;
  let begun = false;

  const fold = () => {
    for (const recorded of held) {
      evolveBook(book, recorded.event as BookEvent, recorded.revision);
      const { event } = recorded;
      if (event.type === 'TradeExecuted.v1') traded.push(recorded as RecordedTrade);
      if (event.type === 'IndicativePriceChanged.v1') indicative = event.data;
      if (event.type === 'MarketStateChanged.v1') {
        state = event.data.state;
        if (!isAuction(state)) indicative = null;
      }
      folded = recorded.revision;
      foldedAt = recorded.position;
    }
    held = [];
  };
  const tell = () => {
    cancelTimer = null;
    const update = bookUpdate(
      { symbol, tickCents, book },
      { U: told + 1, u: folded, position: foldedAt },
      traded,
    );
    book.touched = nothingTouched();
    lastTicks = traded.at(-1)?.event.data.priceTicks ?? lastTicks;
    traded = [];
    [told, toldAt, toldAtMs] = [folded, foldedAt, runtime.monotonicMs()];
    best = null;
    keep(update);
    for (const listener of listeners) listener(update);
  };
  const keep = (update: BookUpdate) => {
    updates.push(update);
    size += update.size;
    let needless = Math.max(0, updates.length - UPDATES_KEPT_MAX);
    for (let n = 0; n < updates.length && (n < needless || size > UPDATE_CHARACTERS_KEPT_MAX); n++) {
      size -= updates[n]?.size ?? 0;
      needless = Math.max(needless, n + 1);
    }
    if (needless > 0) updates = updates.slice(needless);
  };
  const now = () => {
    if (!begun || folded === told) return;
    cancelTimer?.();
    tell();
  };
  const due = () => {
    if (!begun || folded === told || cancelTimer) return;
    const waitMs = toldAtMs + UPDATE_INTERVAL_MS - runtime.monotonicMs();
    if (waitMs <= 0) tell();
    else cancelTimer = runtime.setTimer(waitMs, tell);
  };

  return {
    symbol,
    tickCents,
    sequence: () => told,
    position: () => toldAt,
    lastTicks: () => lastTicks,
    view(levels = views.BOOK_LEVELS_MAX) {
      now();
      return bookView(symbol, told, book, tickCents, levels);
    },
    ordersView() {
      now();
      return bookOrdersView(symbol, told, book, tickCents, views.BOOK_ORDERS_MAX);
    },
    best() {
      now();
      const prices = bestPrices(book, tickCents);
      return (best ??= streamMessage({ channel: 'best_prices', symbol }, told, JSON.stringify(prices)));
    },
    auction() {
      now();
      const data = JSON.stringify(auctionView(state, indicative, tickCents));
      return streamMessage({ channel: 'auction', symbol }, told, data);
    },
    since(sequence) {
      if (sequence >= told) return [];
      const first = updates.findIndex(({ u }) => u > sequence);
      const from = updates[first];
      return from && from.U <= sequence + 1 ? updates.slice(first) : null;
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    take(recorded) {
      assert.equal(recorded.revision, taken + 1, `the book of ${symbol} has a gap`);
      taken = recorded.revision;
      if (held[0] && held[0].event.causationId !== recorded.event.causationId) {
        fold();
        due();
      }
      held.push(recorded);
    },
    settled() {
      if (!held.at(-1)?.event.more) fold();
      due();
    },
    begin() {
      begun = true;
      book.touched = nothingTouched();
      lastTicks = traded.at(-1)?.event.data.priceTicks ?? lastTicks;
      traded = [];
      [told, toldAt] = [folded, foldedAt];
    },
    close() {
      begun = false;
      cancelTimer?.();
      listeners.clear();
    },
  };
}
