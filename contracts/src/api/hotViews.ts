import type { MarketState } from '../base/marketState.ts';
import type { EventOf } from '../events/events.ts';
import type { StoredBook } from '../publicBook/publicBook.ts';

/**
 * The hot view of market data: projectors write it, query-api sends it on without parsing it. Each value is the JSON
 * text of a view as it goes over the wire (`DepthView`, `TickerView`, an array of `TradeView`).
 */
export const MARKET_DATA_VIEW = { name: 'market-data', version: 2 } as const;
/** The events that the view is made of. */
export const MARKET_DATA_EVENTS = { categories: ['book', 'market'] } as const;
export const depthKey = (symbol: string): string => `depth:${symbol}`;
export const tickerKey = (symbol: string): string => `ticker:${symbol}`;
/** The key of the last trades: newest first, at most `LAST_TRADES_MAX`. */
export const tradesKey = (symbol: string): string => `trades:${symbol}`;

/** The most levels of each side in a depth view: more than a screen shows, and about 5 KB for both sides. */
export const DEPTH_LEVELS_MAX = 100;
export const LAST_TRADES_MAX = 100;

/**
 * Snapshots of the public books, one for each symbol. Projectors write them; a process that follows a book starts from
 * one. `version` is the version of their form.
 */
export const MARKET_SNAPSHOT = { kind: 'market-data', version: 4 } as const;
/** The part of a snapshot (JSON text) that every reader may rely on, as of `sequence`. */
export type StoredMarket = {
  symbol: string;
  tickCents: number;
  state: MarketState;
  sequence: number;
  book: StoredBook;
  ticker: { lastTicks: number | null };
  /** The present result of a running call; null when none runs. */
  indicative: EventOf<'IndicativePriceChanged.v1'>['data'] | null;
};

/** The PostgreSQL channel on which projections announce new positions: payload `<name>:<version>:<position>`. */
export const PROJECTION_CHANNEL = 'brokerx_projection';
