import assert from 'node:assert/strict';
import {
  type BookEvent,
  decimalFromCents,
  depthKey,
  type Event,
  type EventOf,
  isAuction,
  type MarketState,
  tickerKey,
  tradesKey,
  type views,
} from '@brokerx/contracts';
import { categoryOf, NO_STREAM, type Recorded } from '@brokerx/infra';
import { type Depth, emptyDepth, evolveDepth, levelsOf, storedLevels, topLevels } from './depth.ts';
import { emptyTicker, evolveTicker, figuresOf, type Ticker } from './ticker.ts';
import { addTrade, type LastTrades, tradesText } from './trades.ts';

/** Market data of one symbol: its depth, ticker and last trades, all as of one revision of its book. */
export type SymbolMarket = {
  symbol: string;
  tickCents: number;
  state: MarketState;
  /** Revision of the last event of the book that is in here; -1 before the first. */
  sequence: number;
  depth: Depth;
  ticker: Ticker;
  trades: LastTrades;
  /** While a call runs: what it would bring. */
  indicative: Indicative | null;
};

type Indicative = EventOf<'IndicativePriceChanged.v1'>['data'];

/** Version of `store`'s form; a snapshot of another one is not used. */
export const SYMBOL_MARKET_VERSION = 3;

/** The market that a listing begins. */
export function openMarket(symbol: string, tickCents: number): SymbolMarket {
  return {
    symbol,
    tickCents,
    state: 'continuous',
    sequence: NO_STREAM,
    depth: emptyDepth(),
    ticker: emptyTicker(),
    trades: [],
    indicative: null,
  };
}

/** Folds an event of the symbol's book, in place. Throws when it does not fit: then the market is not to be shown. */
export function evolveMarket(market: SymbolMarket, recorded: Recorded<Event>): void {
  assert.equal(categoryOf(recorded.stream), 'book');
  const event = recorded.event as BookEvent;
  assert.equal(recorded.revision, market.sequence + 1, `the book of ${market.symbol} has a gap`);
  evolveDepth(market.depth, event);
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

/** Keys and JSON texts of the hot view; `today` is a UTC day (`YYYY-MM-DD`). */
export function hotValues(market: SymbolMarket, today: string): [key: string, text: string][] {
  return [
    [depthKey(market.symbol), JSON.stringify(depthView(market))],
    [tickerKey(market.symbol), JSON.stringify(tickerView(market, today))],
    [tradesKey(market.symbol), tradesText(market.trades)],
  ];
}

export function depthView({ symbol, sequence, depth, tickCents }: SymbolMarket): views.DepthView {
  const [bid] = depth.bids.prices;
  const [ask] = depth.asks.prices;
  return {
    symbol,
    sequence,
    crossed: bid !== undefined && ask !== undefined && bid >= ask,
    bids: topLevels(depth.bids, tickCents),
    asks: topLevels(depth.asks, tickCents),
  };
}

export function tickerView(market: SymbolMarket, today: string): views.TickerView {
  const { symbol, sequence, state, depth, tickCents } = market;
  const figures = figuresOf(market.ticker, today);
  const price = (ticks: number | null | undefined) =>
    ticks === null || ticks === undefined ? null : decimalFromCents(ticks * tickCents);
  const best = ({ prices, quantities }: Depth['bids']) => {
    const [ticks] = prices;
    return { price: price(ticks), quantity: ticks === undefined ? null : String(quantities.get(ticks)) };
  };
  const bid = best(depth.bids);
  const ask = best(depth.asks);
  const traded = figures.trades > 0;
  return {
    symbol,
    sequence,
    state,
    last_price: price(figures.lastTicks),
    bid: bid.price,
    bid_qty: bid.quantity,
    ask: ask.price,
    ask_qty: ask.quantity,
    open: traded ? price(figures.openTicks) : null,
    high: traded ? price(figures.highTicks) : null,
    low: traded ? price(figures.lowTicks) : null,
    volume: String(figures.volume),
    trades: figures.trades,
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

/** JSON text for a snapshot, with all levels. */
export function storeMarket(market: SymbolMarket): string {
  const { bids, asks, coming } = market.depth;
  return JSON.stringify({ ...market, depth: { bids: storedLevels(bids), asks: storedLevels(asks), coming } });
}

export function restoreMarket(text: string): SymbolMarket {
  const stored = JSON.parse(text) as Omit<SymbolMarket, 'depth'> & {
    depth: { bids: [number, number][]; asks: [number, number][]; coming: Depth['coming'] };
  };
  const { bids, asks, coming } = stored.depth;
  return { ...stored, depth: { bids: levelsOf(bids), asks: levelsOf(asks), coming } };
}
