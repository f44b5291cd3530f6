/**
 * The hot view of market data: what projectors write and query-api hands out unread. Each value is the JSON text of
 * the view as it goes over the wire (`DepthView`, `TickerView`, an array of `TradeView`).
 */
export const MARKET_DATA_VIEW = { name: 'market-data', version: 1 } as const;
export const depthKey = (symbol: string): string => `depth:${symbol}`;
export const tickerKey = (symbol: string): string => `ticker:${symbol}`;
/** Newest first, at most `LAST_TRADES_MAX`. */
export const tradesKey = (symbol: string): string => `trades:${symbol}`;

/** Levels a side in a depth view: more than a screen shows, and about 5 KB for both sides. */
export const DEPTH_LEVELS_MAX = 100;
export const LAST_TRADES_MAX = 100;

/** PostgreSQL channel on which a projection tells its new position: payload `<name>:<version>:<position>`. */
export const PROJECTION_CHANNEL = 'brokerx_projection';
