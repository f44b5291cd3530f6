import {
  depthKey,
  MARKET_DATA_EVENTS,
  MARKET_DATA_VIEW,
  tickerKey,
  tradesKey,
  type views,
} from '@brokerx/contracts';
import { type HotStore, type OwnView, ofOwnPast } from '@brokerx/infra';
import type { z } from 'zod';
import type { EventReader } from '../reading/eventReader.ts';

/**
 * Market data as the projectors keep it hot: JSON text of the views as they go over the wire, handed out unread
 * wherever the whole of it is wanted. Values and position are read as of one moment.
 */
export type DepthView = z.infer<typeof views.DepthView>;
export type TradeView = z.infer<typeof views.TradeView>;

/** The name under which `Freshness` knows the hot view. */
export const MARKET_DATA = 'market-data';

export const marketDataView = (hotStore: HotStore, store: EventReader): OwnView =>
  ofOwnPast(hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version), store, MARKET_DATA_EVENTS);

/**
 * `lost`: the view is empty and is being rebuilt; `unknown`: there is no such symbol.
 * `depth` and `trades` are null where they were not wanted, and for a symbol in whose market nothing has happened.
 */
export type MarketData =
  | { state: 'found'; position: number; depth: string | null; ticker: string; trades: string | null }
  | { state: 'lost'; position: null }
  | { state: 'unknown'; position: number };

export type Wanted = { depth?: boolean; trades?: boolean };

/** The ticker is always read: it is there for every symbol that was listed. */
async function readMarketData(
  view: Pick<OwnView, 'read'>,
  storeId: string,
  symbol: string,
  wanted: Wanted,
): Promise<MarketData> {
  const keys = [
    tickerKey(symbol),
    ...(wanted.depth ? [depthKey(symbol)] : []),
    ...(wanted.trades ? [tradesKey(symbol)] : []),
  ];
  const { values, cursor } = await view.read(keys);
  if (cursor === null || cursor.storeId !== storeId) return { state: 'lost', position: null };
  const value = (key: string) => values[keys.indexOf(key)] ?? null;
  const ticker = value(tickerKey(symbol));
  if (ticker === null) {
    // At the beginning of the store the view is being written anew, part by part: what is missing may come yet.
    return cursor.position === 0
      ? { state: 'lost', position: null }
      : { state: 'unknown', position: cursor.position };
  }
  return {
    state: 'found',
    position: cursor.position,
    ticker,
    depth: value(depthKey(symbol)),
    trades: value(tradesKey(symbol)),
  };
}

/** A look at a symbol's market data, with the position that it is of. */
export type MarketLookFrom = { hotView: Pick<OwnView, 'read'>; store: { id: string } };

export const marketLook =
  ({ hotView, store }: MarketLookFrom, symbol: string, wanted: Wanted) =>
  async () => {
    const seen = await readMarketData(hotView, store.id, symbol, wanted);
    return { seen, position: seen.position };
  };

/** At most `levels` price levels a side, the best ones. */
export function cutDepth(text: string, levels: number): string {
  const depth = JSON.parse(text) as DepthView;
  return JSON.stringify({ ...depth, bids: depth.bids.slice(0, levels), asks: depth.asks.slice(0, levels) });
}

/** An empty book, for a symbol whose depth was never told. */
export const emptyDepth = (symbol: string, sequence: number): string =>
  JSON.stringify({
    symbol,
    sequence,
    last_update_id: sequence,
    crossed: false,
    bids: [],
    asks: [],
  } satisfies DepthView);

/** The newest first. */
export function newestTrades(text: string | null, limit: number): TradeView[] {
  return text === null ? [] : (JSON.parse(text) as TradeView[]).slice(0, limit);
}
