import assert from 'node:assert/strict';
import {
  DEPTH_LEVELS_MAX,
  decimalFromCents,
  depthKey,
  LAST_TRADES_MAX,
  tickerKey,
  tradeId,
  tradesKey,
} from '@brokerx/contracts';
import type { HotView } from '@brokerx/infra';
import type { History } from './history.ts';
import { type Book, TICK_CENTS } from './historyBook.ts';

/** The hot view as it stands, and as it must be after the whole history; the figures of 24 hours are those of another day. */
export async function hotShown(view: HotView, history: History): Promise<Record<string, unknown>> {
  const keys = [...history.books.keys()].flatMap((symbol) => [
    depthKey(symbol),
    tickerKey(symbol),
    tradesKey(symbol),
  ]);
  const { values } = await view.read(keys);
  return Object.fromEntries(
    keys.map((key, n) => {
      const text = values[n];
      return [key, text === null || text === undefined ? null : JSON.parse(text)];
    }),
  );
}

export function hotExpected(history: History): Record<string, unknown> {
  return Object.fromEntries(
    [...history.books.values()].flatMap((book) => {
      const { symbol } = book;
      const sequence = sequenceOf(history, symbol);
      const depth = {
        symbol,
        sequence,
        last_update_id: sequence,
        crossed: false,
        bids: levels(book, 'buy'),
        asks: levels(book, 'sell'),
      };
      const trades = tradesOf(history, symbol);
      const [bid] = depth.bids;
      const [ask] = depth.asks;
      const ticker = {
        symbol,
        sequence,
        state: book.halted ? 'halt' : 'continuous',
        last_price: trades[0]?.price ?? null,
        bid: bid?.[0] ?? null,
        bid_qty: bid?.[1] ?? null,
        ask: ask?.[0] ?? null,
        ask_qty: ask?.[1] ?? null,
        open: null,
        high: null,
        low: null,
        change: null,
        change_percent: null,
        volume: '0',
        trades: 0,
        indicative_price: null,
        indicative_qty: null,
        surplus_side: null,
        surplus_qty: null,
      };
      return [
        [depthKey(symbol), depth],
        [tickerKey(symbol), ticker],
        [tradesKey(symbol), trades.slice(0, LAST_TRADES_MAX)],
      ];
    }),
  );
}

const bookCommits = (history: History, symbol: string) =>
  history.commits.filter(({ stream }) => stream === `book-${symbol}`);

function sequenceOf(history: History, symbol: string): number {
  const last = bookCommits(history, symbol).at(-1);
  assert(last);
  return last.expectedRevision + last.events.length;
}

function levels(book: Book, side: 'buy' | 'sell'): [string, string][] {
  const quantities = new Map<number, number>();
  for (const { order, leaves } of book.resting) {
    if (order.side === side) quantities.set(order.ticks, (quantities.get(order.ticks) ?? 0) + leaves);
  }
  return [...quantities]
    .sort(([a], [b]) => (side === 'buy' ? b - a : a - b))
    .slice(0, DEPTH_LEVELS_MAX)
    .map(([ticks, quantity]) => [decimalFromCents(ticks * TICK_CENTS), String(quantity)]);
}

/** Newest first. */
function tradesOf(history: History, symbol: string) {
  return bookCommits(history, symbol)
    .flatMap(({ events, expectedRevision }) =>
      events.flatMap((event, n) =>
        event.type === 'TradeExecuted.v1'
          ? {
              id: tradeId(symbol, event.data.trade),
              symbol,
              sequence: expectedRevision + 1 + n,
              price: decimalFromCents(event.data.priceTicks * TICK_CENTS),
              qty: String(event.data.quantity),
              taker_side: event.data.takerSide,
              executed_at: event.time,
            }
          : [],
      ),
    )
    .reverse();
}
