import type { MarketState } from '../base/marketState.ts';
import type { EventOf } from '../events/events.ts';
import type { StoredBook } from '../publicBook/publicBook.ts';

/**
 * The hot view of market data: what projectors write and query-api hands out unread. Each value is the JSON text of
 * the view as it goes over the wire (`DepthView`, `TickerView`, an array of `TradeView`).
 */
export const MARKET_DATA_VIEW = { name: 'market-data', version: 2 } as const;
/** All that it is made of. */
export const MARKET_DATA_EVENTS = { categories: ['book', 'market'] } as const;
export const depthKey = (symbol: string): string => `depth:${symbol}`;
export const tickerKey = (symbol: string): string => `ticker:${symbol}`;
/** Newest first, at most `LAST_TRADES_MAX`. */
export const tradesKey = (symbol: string): string => `trades:${symbol}`;

/** Levels a side in a depth view: more than a screen shows, and about 5 KB for both sides. */
export const DEPTH_LEVELS_MAX = 100;
export const LAST_TRADES_MAX = 100;

/**
 * Snapshots of the followed books, one for each symbol: projectors keep them, whoever follows a book starts from them.
 * `version` is that of their form.
 */
export const MARKET_SNAPSHOT = { kind: 'market-data', version: 4 } as const;
/** What of a snapshot (JSON text) everybody may rely on, as of `sequence`. */
export type StoredMarket = {
  symbol: string;
  tickCents: number;
  state: MarketState;
  sequence: number;
  book: StoredBook;
  ticker: { lastTicks: number | null };
  /** While a call runs: what it would bring. */
  indicative: EventOf<'IndicativePriceChanged.v1'>['data'] | null;
};

/** PostgreSQL channel on which a projection tells its new position: payload `<name>:<version>:<position>`. */
export const PROJECTION_CHANNEL = 'brokerx_projection';
