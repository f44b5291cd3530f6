import {
  bookStream,
  marketStream,
  type PublicChannel,
  type Subscribe,
  tickerKey,
  tradeView,
} from '@brokerx/contracts';
import type { OwnView, Runtime } from '@brokerx/infra';
import type { BookUpdate } from '../books/bookUpdate.ts';
import type { FollowedBook } from '../books/followedBook.ts';
import { followCandle } from '../books/liveCandle.ts';
import type { BookUse, PublicBooks } from '../books/publicBooks.ts';
import { refused } from '../http/problems.ts';
import type { HotValues } from '../live/hotValues.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { type StreamMessage, streamMessage } from '../live/streamMessage.ts';
import { MARKET_DATA, marketLook } from '../market/marketData.ts';
import { referencePrice } from '../market/referencePrice.ts';
import { readSymbols } from '../market/symbols.ts';
import type { EventReader } from '../reading/eventReader.ts';
import type { Freshness } from '../reading/freshness.ts';
import type { ReadDatabase } from '../reading/readDatabase.ts';
import { freshLook, freshRows } from '../reading/reading.ts';
import { RESUME_EVENTS_MAX } from './resume.ts';
import type { Sink } from './sink.ts';

/** The public channels, the same for server-sent events and the WebSocket. */
export type Channels = {
  /** Opens a channel, or throws a refusal; `begin` then sends its messages until the sink has ended. */
  open(request: PublicSubscription, to: Sink): Promise<OpenChannel>;
};
export type PublicSubscription = Subscribe & { channel: PublicChannel; symbol: string };
export type OpenChannel = {
  /** The channel's newest sequence; null where it has none. */
  sequence(): number | null;
  begin(): void;
};

type Parts = {
  store: EventReader;
  live: LiveEvents;
  books: PublicBooks;
  hotView: OwnView;
  hotValues: HotValues;
  database: ReadDatabase;
  freshness: Freshness;
  runtime: Runtime;
};

export function channels(parts: Parts): Channels {
  return {
    open: async (request, to) => {
      switch (request.channel) {
        case 'ticker':
          return openTicker(parts, request.symbol, to);
        case 'rules':
          return openRules(parts, request.symbol, to);
        default:
          return openOnBook(parts, request, to);
      }
    },
  };
}

/** Opens a channel that follows the book: its sequence is the book's. */
async function openOnBook(parts: Parts, request: PublicSubscription, to: Sink): Promise<OpenChannel> {
  const { symbol, channel, interval, after } = request;
  const use = await parts.books.use(symbol);
  to.ended.addEventListener('abort', use.leave, { once: true });
  if (to.ended.aborted) use.leave();
  const { book } = use;
  // A sequence beyond the book's is of another store, or this process is behind the one that sent it.
  const revision =
    after !== undefined && after > book.sequence() ? await parts.store.streamRevision(bookStream(symbol)) : 0;
  const isUnknown = after !== undefined && after > Math.max(revision, book.sequence());
  const fail = () => to.fail();
  return {
    sequence: book.sequence,
    begin() {
      use.failed.addEventListener('abort', fail, { once: true, signal: to.ended });
      if (use.failed.aborted) return fail();
      if (isUnknown) to.resync('unknown_sequence', after);
      const from = isUnknown ? undefined : after;
      if (channel === 'depth' || channel === 'book_orders') giveUpdates(use, channel, from, to);
      else if (channel === 'trades') giveTrades(parts, book, from, to).catch(fail);
      else if (channel === 'best_prices') giveState(book, book.best, to);
      else if (channel === 'auction') giveState(book, book.auction, to);
      else if (channel === 'reference_price') giveReferencePrice(parts, book, to).catch(fail);
      else if (channel === 'candles' && interval) {
        const candle = { ...parts, book, interval, send: to.send, ended: to.ended };
        followCandle(candle).catch(fail);
      }
    },
  };
}

function giveUpdates(
  { book }: BookUse,
  channel: 'depth' | 'book_orders',
  after: number | undefined,
  to: Sink,
): void {
  const give = (update: BookUpdate) => to.send(channel === 'depth' ? update.depth : update.orders);
  if (after !== undefined) {
    const missed = book.since(after);
    if (missed) missed.forEach(give);
    else to.resync('too_old', after);
  }
  whileOpen(to, book.watch(give));
}

/** Sends trades; those that the book in memory no longer has are read from its stream. */
async function giveTrades(
  { store }: Parts,
  book: FollowedBook,
  after: number | undefined,
  to: Sink,
): Promise<void> {
  let early: BookUpdate[] | null = [];
  const give = ({ trades }: BookUpdate) => {
    for (const trade of trades) if (trade.sequence > (after ?? -1)) to.send(trade);
  };
  const until = book.sequence();
  const missed = after === undefined ? [] : book.since(after);
  whileOpen(
    to,
    book.watch((update) => {
      if (early) early.push(update);
      else give(update);
    }),
  );
  missed?.forEach(give);
  if (!missed && after !== undefined && until - after > RESUME_EVENTS_MAX) to.resync('too_old', after);
  else if (!missed && after !== undefined) {
    const stream = bookStream(book.symbol);
    for (let next = after + 1; next <= until && !to.ended.aborted; ) {
      const page = await store.readStream(stream, next, PAGE_EVENTS);
      if (page.length === 0) break;
      for (const recorded of page) {
        next = recorded.revision + 1;
        if (recorded.revision > until || recorded.event.type !== 'TradeExecuted.v1') continue;
        if (!(await to.room())) return;
        const view = tradeView(recorded.event, recorded);
        to.send(
          streamMessage({ channel: 'trades', symbol: book.symbol }, recorded.revision, JSON.stringify(view)),
        );
      }
    }
  }
  for (const update of early) give(update);
  early = null;
}
const PAGE_EVENTS = 500;

function giveState(book: FollowedBook, state: () => StreamMessage, to: Sink): void {
  let shown = '';
  const give = () => {
    const message = state();
    if (message.data === shown) return;
    shown = message.data;
    to.sendState(message);
  };
  give();
  whileOpen(to, book.watch(give));
}

async function giveReferencePrice(parts: Parts, book: FollowedBook, to: Sink): Promise<void> {
  const { symbol, tickCents } = book;
  let shown = '';
  let rules = await readSymbol(parts, symbol);
  const give = () => {
    const ticks = book.lastTicks();
    const data = JSON.stringify(referencePrice(rules, ticks === null ? null : ticks * tickCents));
    if (data === shown) return;
    shown = data;
    to.sendState(streamMessage({ channel: 'reference_price', symbol }, book.sequence(), data));
  };
  whileOpen(to, book.watch(give));
  await watchSymbol(parts, symbol, to, (changed) => {
    rules = changed;
    give();
  });
  give();
}

async function openTicker(parts: Parts, symbol: string, to: Sink): Promise<OpenChannel> {
  const { hotValues } = parts;
  const market = (await freshLook(parts, MARKET_DATA, marketLook(parts, symbol, {}))).seen;
  if (market.state !== 'found') throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
  const sequenceOf = (text: string) => (JSON.parse(text) as { sequence: number }).sequence;
  return {
    sequence: () => sequenceOf(market.ticker),
    begin() {
      let shown = '';
      const give = (text: string) => {
        if (text === shown) return;
        shown = text;
        to.sendState(streamMessage({ channel: 'ticker', symbol }, sequenceOf(text), text));
      };
      give(market.ticker);
      whileOpen(to, hotValues.watch(tickerKey(symbol), give));
    },
  };
}

async function openRules(parts: Parts, symbol: string, to: Sink): Promise<OpenChannel> {
  const rules = await readSymbol(parts, symbol);
  const revision = await parts.store.streamRevision(marketStream(symbol));
  return {
    sequence: () => null,
    begin() {
      let shown = '';
      const give = (changed: typeof rules, at: number) => {
        const data = JSON.stringify(changed);
        if (data === shown) return;
        shown = data;
        to.sendState(streamMessage({ channel: 'rules', symbol }, at, data));
      };
      give(rules, revision);
      watchSymbol(parts, symbol, to, give).catch(() => to.fail());
    },
  };
}

/** Events of the book that change what a symbol's rules show. */
const RULES_OF_BOOK: readonly string[] = ['MarketStateChanged.v1', 'AuctionUncrossed.v1'];

/** Reads the symbol once at the beginning, and again at every event of its market, or of its book, that changes it. */
async function watchSymbol(
  parts: Parts,
  symbol: string,
  to: Sink,
  changed: (rules: Awaited<ReturnType<typeof readSymbol>>, revision: number) => void,
): Promise<void> {
  const { store, live } = parts;
  const refresh = async (revision: number, position: number) => {
    const rules = await readSymbol(parts, symbol, position);
    if (!to.ended.aborted) changed(rules, revision);
  };
  let revision = 0;
  let last = Promise.resolve();
  const due = (position: number) => {
    last = last.then(() => refresh(revision, position)).catch(() => to.fail());
  };
  const stream = marketStream(symbol);
  const leaveMarket = await live.watch(stream, (recorded) => {
    revision = recorded.revision;
    due(recorded.position);
  });
  whileOpen(to, leaveMarket);
  const leaveBook = await live.watch(bookStream(symbol), ({ event, position }) => {
    if (RULES_OF_BOOK.includes(event.type)) due(position);
  });
  whileOpen(to, leaveBook);
  revision = Math.max(revision, await store.streamRevision(stream));
  await refresh(revision, 0);
}

async function readSymbol(parts: Parts, symbol: string, position = 0) {
  const min = { storeId: parts.store.id, position };
  const tables = freshRows(parts, ['symbols'], min, () => undefined);
  const { items } = await readSymbols(tables, { symbol, limit: 1 });
  if (items[0]) return items[0];
  throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
}

function whileOpen(to: Sink, end: () => void): void {
  to.ended.addEventListener('abort', end, { once: true });
  if (to.ended.aborted) end();
}
