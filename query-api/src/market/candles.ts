import { decimalFromCents, domains, views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import { keyOfToken, type Page, pageToken } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

export type CandlesQuery = {
  symbol: string;
  interval: views.CandleInterval;
  /** RFC 3339; candles that start at this time are included. */
  from?: string | undefined;
  /** RFC 3339; candles that start at this time are left out. */
  to?: string | undefined;
  /** RFC 3339 start of the last candle of the previous page. */
  after?: string | undefined;
  limit: number;
  nowMs: number;
};

export function candlesToken(token: string): string | undefined {
  const key = keyOfToken('candles', token);
  if (key === undefined || !/^\d{1,15}$/.test(key) || !domains.isInstantMs(Number(key))) return undefined;
  return new Date(Number(key)).toISOString();
}

/**
 * Reads candles in the order of time; intervals without a trade have none. With `from` the page begins there, and others
 * follow. Without it the page has the newest candles, and a client pages back by `to`. An interval that is not stored is put
 * together from stored ones, of which a page needs no more than fit into its candles.
 */
export async function readCandles(tables: Rows, query: CandlesQuery): Promise<Page<views.CandleView>> {
  const { symbol, interval, limit } = query;
  const { of, count } = views.CANDLE_PARTS[interval];
  const forward = query.from !== undefined || query.after !== undefined;
  const wanted = forward ? limit + 1 : limit;
  const parts = statement({
    name: forward ? 'candles' : 'newest_candles',
    select: 'select start, open_cents, high_cents, low_cents, close_cents, volume, trades from read.candle',
    conditions: [
      { name: 'symbol', sql: 'symbol = ?', value: symbol },
      { name: 'interval', sql: 'interval = ?', value: of },
      { name: 'from', sql: 'start >= ?::timestamptz', value: query.from && firstFrom(interval, query.from) },
      { name: 'to', sql: 'start < ?::timestamptz', value: query.to && firstFrom(interval, query.to) },
      { name: 'after', sql: 'start >= ?::timestamptz', value: query.after && behind(interval, query.after) },
    ],
    orderBy: forward ? 'start' : 'start desc',
    limit: wanted * count,
  });
  const rows = await tables.query<Row>(parts);
  const candles = inIntervals(interval, (forward ? rows : rows.toReversed()).map(figuresOf));
  const pageCandles = forward ? candles.slice(0, limit) : candles.slice(-limit);
  const last = pageCandles.at(-1);
  const more = forward && candles.length > limit && last !== undefined;
  return {
    items: pageCandles.map((candle) => candleView(interval, candle, query.nowMs)),
    next: more ? pageToken('candles', last.startMs) : null,
  };
}

/** Reads the candle of the interval that contains this moment; null where nothing was traded in it. */
export async function readCandleAt(
  tables: Rows,
  { symbol, interval, atMs }: { symbol: string; interval: views.CandleInterval; atMs: number },
): Promise<CandleFigures | null> {
  const startMs = views.candleStart(interval, atMs);
  const rows = await tables.query<Row>({
    name: 'candle_at',
    text: `
      select start, open_cents, high_cents, low_cents, close_cents, volume, trades from read.candle
       where symbol = $1 and interval = $2 and start >= $3::timestamptz and start < $4::timestamptz
       order by start`,
    values: [
      symbol,
      views.CANDLE_PARTS[interval].of,
      new Date(startMs).toISOString(),
      new Date(views.candleEnd(interval, startMs)).toISOString(),
    ],
  });
  const [candle] = inIntervals(interval, rows.map(figuresOf));
  return candle ?? null;
}

/** Prices in cents, volume in shares. */
export type CandleFigures = {
  startMs: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  trades: number;
};

/** The clock decides whether a candle is closed. */
export const candleView = (
  interval: views.CandleInterval,
  { startMs, open, high, low, close, volume, trades }: CandleFigures,
  nowMs: number,
): views.CandleView => ({
  start: new Date(startMs).toISOString(),
  open: decimalFromCents(open),
  high: decimalFromCents(high),
  low: decimalFromCents(low),
  close: decimalFromCents(close),
  volume: String(volume),
  trades,
  closed: views.candleEnd(interval, startMs) <= nowMs,
});

/** Adds later figures to a candle, in place. */
export function addToCandle(candle: CandleFigures, next: Omit<CandleFigures, 'startMs'>): void {
  candle.high = Math.max(candle.high, next.high);
  candle.low = Math.min(candle.low, next.low);
  candle.close = next.close;
  candle.volume += next.volume;
  candle.trades += next.trades;
}

/** Puts parts, in the order of time, together to candles of the interval. */
function inIntervals(interval: views.CandleInterval, parts: readonly CandleFigures[]): CandleFigures[] {
  const candles: CandleFigures[] = [];
  for (const part of parts) {
    const startMs = views.candleStart(interval, part.startMs);
    const candle = candles.at(-1);
    if (candle?.startMs === startMs) addToCandle(candle, part);
    else candles.push({ ...part, startMs });
  }
  return candles;
}

/** The first interval that begins at this time or later. */
function firstFrom(interval: views.CandleInterval, time: string): string {
  const startMs = views.candleStart(interval, Date.parse(time));
  return startMs === Date.parse(time) ? time : new Date(views.candleEnd(interval, startMs)).toISOString();
}
const behind = (interval: views.CandleInterval, start: string): string =>
  new Date(views.candleEnd(interval, Date.parse(start))).toISOString();

const figuresOf = (row: Row): CandleFigures => ({
  startMs: row.start.getTime(),
  open: safeInteger(row.open_cents),
  high: safeInteger(row.high_cents),
  low: safeInteger(row.low_cents),
  close: safeInteger(row.close_cents),
  volume: safeInteger(row.volume),
  trades: safeInteger(row.trades),
});

type Row = {
  start: Date;
  open_cents: string;
  high_cents: string;
  low_cents: string;
  close_cents: string;
  volume: string;
  trades: string;
};
