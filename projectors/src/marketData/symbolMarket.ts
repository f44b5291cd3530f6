import assert from 'node:assert/strict';
import {
  type BookEvent,
  bookOf,
  DEPTH_LEVELS_MAX,
  decimalFromCents,
  depthKey,
  type Event,
  type EventOf,
  emptyBook,
  evolveBook,
  isAuction,
  type Levels,
  type MarketState,
  type PublicBook,
  type StoredMarket,
  storedBook,
  tickerKey,
  topLevels,
  tradesKey,
  type views,
} from '@brokerx/contracts';
import { categoryOf, NO_STREAM, type Recorded } from '@brokerx/infra';
import { emptyTicker, evolveTicker, figuresOf, type Ticker } from './ticker.ts';
import { addTrade, type LastTrades, tradesText } from './trades.ts';

/** The market data of one symbol: book, ticker and last trades, all as of one revision of the book. */
export type SymbolMarket = {
  symbol: string;
  tickCents: number;
  state: MarketState;
  /** Revision of the last folded event of the book; -1 before the first. */
  sequence: number;
  book: PublicBook;
  ticker: Ticker;
  trades: LastTrades;
  /** The indicative price while a call runs. */
  indicative: Indicative | null;
};

type Indicative = EventOf<'IndicativePriceChanged.v1'>['data'];

/** The market of a symbol that was just listed. */
export function openMarket(symbol: string, tickCents: number): SymbolMarket {
  return {
    symbol,
    tickCents,
    state: 'continuous',
    sequence: NO_STREAM,
    book: emptyBook(),
    ticker: emptyTicker(),
    trades: [],
    indicative: null,
  };
}

/** Folds an event of the symbol's book, in place. Throws where the event does not fit: then the market must not be shown. */
export function evolveMarket(market: SymbolMarket, recorded: Recorded<Event>): void {
  assert.equal(categoryOf(recorded.stream), 'book');
  const event = recorded.event as BookEvent;
  if (recorded.revision !== market.sequence + 1) assert.fail(`the book of ${market.symbol} has a gap`);
  evolveBook(market.book, event, recorded.revision);
  if (event.type === 'TradeExecuted.v1') {
    evolveTicker(market.ticker, event);
    addTrade(market.trades, event, recorded);
  }
  if (event.type === 'MarketStateChanged.v1') {
    market.state = event.data.state;
    if (!isAuction(market.state)) market.indicative = null;
  }
  if (event.type === 'IndicativePriceChanged.v1') market.indicative = event.data;
  market.sequence = recorded.revision;
}

/** The symbol's keys and JSON texts in the hot view; `now` is the ticker's current span. */
export function hotValues(market: SymbolMarket, now: number): [key: string, text: string][] {
  return [
    [depthKey(market.symbol), JSON.stringify(depthView(market))],
    [tickerKey(market.symbol), JSON.stringify(tickerView(market, now))],
    [tradesKey(market.symbol), tradesText(market.trades)],
  ];
}

export function depthView({ symbol, sequence, book, tickCents }: SymbolMarket): views.DepthView {
  const [bid] = book.bids.prices;
  const [ask] = book.asks.prices;
  return {
    symbol,
    sequence,
    last_update_id: sequence,
    crossed: bid !== undefined && ask !== undefined && bid >= ask,
    bids: topLevels(book.bids, tickCents, DEPTH_LEVELS_MAX),
    asks: topLevels(book.asks, tickCents, DEPTH_LEVELS_MAX),
  };
}

export function tickerView(market: SymbolMarket, now: number): views.TickerView {
  const { symbol, sequence, state, book, tickCents } = market;
  const figures = figuresOf(market.ticker, now);
  const { lastTicks } = market.ticker;
  const price = (ticks: number | null | undefined) =>
    ticks === null || ticks === undefined ? null : decimalFromCents(ticks * tickCents);
  const best = ({ prices, quantities }: Levels) => {
    const [ticks] = prices;
    return { price: price(ticks), quantity: ticks === undefined ? null : String(quantities.get(ticks)) };
  };
  const bid = best(book.bids);
  const ask = best(book.asks);
  const change = figures && lastTicks !== null ? lastTicks - figures.open : null;
  return {
    symbol,
    sequence,
    state,
    last_price: price(lastTicks),
    bid: bid.price,
    bid_qty: bid.quantity,
    ask: ask.price,
    ask_qty: ask.quantity,
    open: price(figures?.open),
    high: price(figures?.high),
    low: price(figures?.low),
    change: price(change),
    change_percent: figures && change !== null ? ((change * 100) / figures.open).toFixed(2) : null,
    volume: String(figures?.volume ?? 0),
    trades: figures?.trades ?? 0,
    ...indicativeView(market.indicative, price),
  };
}

function indicativeView(indicative: Indicative | null, price: (ticks: number) => string | null) {
  const { priceTicks, quantity, surplus, surplusSide } = indicative ?? { priceTicks: null };
  if (priceTicks === null)
    return { indicative_price: null, indicative_qty: null, surplus_side: null, surplus_qty: null };
  return {
    indicative_price: price(priceTicks),
    indicative_qty: String(quantity),
    surplus_side: surplusSide ?? null,
    surplus_qty: surplusSide ? String(surplus) : null,
  };
}

/** The market as the text of a snapshot, with all orders. */
export const storeMarket = (market: SymbolMarket): string =>
  JSON.stringify({ ...market, book: storedBook(market.book) });

export function restoreMarket(text: string): SymbolMarket {
  const stored = JSON.parse(text) as Omit<SymbolMarket, 'book'> & Pick<StoredMarket, 'book'>;
  return { ...stored, book: bookOf(stored.book) };
}
