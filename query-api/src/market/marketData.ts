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
 * Market data from the hot view, which the projectors write. Its values are the JSON texts of the wire views, so a route that
 * needs a whole view passes its text on. Values and position are read as of one moment.
 */
export type DepthView = z.infer<typeof views.DepthView>;
export type TradeView = z.infer<typeof views.TradeView>;

/** The hot view's name as a source of `Freshness`. */
export const MARKET_DATA = 'market-data';

export const marketDataView = (hotStore: HotStore, store: EventReader): OwnView =>
  ofOwnPast(hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version), store, MARKET_DATA_EVENTS);

/**
 * `lost`: the view is empty and is being rebuilt; `unknown`: there is no such symbol. `depth` and `trades` are null where they
 * were not requested, and for a symbol without any event in its book.
 */
export type MarketData =
  | { state: 'found'; position: number; depth: string | null; ticker: string; trades: string | null }
  | { state: 'lost'; position: null }
  | { state: 'unknown'; position: number };

export type Parts = { depth?: boolean; trades?: boolean };

/** Reads a symbol's values. The ticker is always among them, since every listed symbol has one. */
async function readMarketData(
  view: Pick<OwnView, 'read'>,
  storeId: string,
  symbol: string,
  parts: Parts,
): Promise<MarketData> {
  const keys = [
    tickerKey(symbol),
    ...(parts.depth ? [depthKey(symbol)] : []),
    ...(parts.trades ? [tradesKey(symbol)] : []),
  ];
  const { values, cursor } = await view.read(keys);
  if (cursor === null || cursor.storeId !== storeId) return { state: 'lost', position: null };
  const value = (key: string) => values[keys.indexOf(key)] ?? null;
  const ticker = value(tickerKey(symbol));
  if (ticker === null) {
    // A view at position 0 is being rebuilt part by part: a missing symbol may still come.
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

/** A look at a symbol's market data, for `Reading`, with the position of the view. */
export type MarketLookFrom = { hotView: Pick<OwnView, 'read'>; store: { id: string } };

export const marketLook =
  ({ hotView, store }: MarketLookFrom, symbol: string, parts: Parts) =>
  async () => {
    const seen = await readMarketData(hotView, store.id, symbol, parts);
    return { seen, position: seen.position };
  };

/** At most `levels` price levels a side, the best ones. */
export function cutDepth(text: string, levels: number): string {
  const depth = JSON.parse(text) as DepthView;
  return JSON.stringify({ ...depth, bids: depth.bids.slice(0, levels), asks: depth.asks.slice(0, levels) });
}

/** An empty book, for a symbol whose depth the view does not have yet. */
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
