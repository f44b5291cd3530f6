import { decimalFromCents, views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import { keyOfToken, type Page, pageToken } from '../paging.ts';
import type { ReadDatabase } from '../readDatabase.ts';
import { statement } from '../statement.ts';

type CandleView = z.infer<typeof views.CandleView>;
export type CandlesQuery = {
  symbol: string;
  interval: views.CandleInterval;
  /** RFC 3339: start at or after, and before. */
  from?: string | undefined;
  to?: string | undefined;
  /** RFC 3339 start of the last candle of the page before. */
  after?: string | undefined;
  limit: number;
  nowMs: number;
};

export function candlesToken(token: string): string | undefined {
  const key = keyOfToken('candles', token);
  return key !== undefined && /^\d{1,15}$/.test(key) ? new Date(Number(key)).toISOString() : undefined;
}

/**
 * Candles in the order of time; intervals without a trade have none. With `from` the page begins there and others
 * follow; without, it is the newest ones, and `to` set to its first start gives those before.
 */
export async function readCandles(database: ReadDatabase, query: CandlesQuery): Promise<Page<CandleView>> {
  const forward = query.from !== undefined || query.after !== undefined;
  const rows = await database.query<Row>(
    statement({
      name: forward ? 'candles' : 'newest_candles',
      select: `select start, open_cents, high_cents, low_cents, close_cents, volume, trades from read.candle`,
      conditions: [
        { name: 'symbol', sql: 'symbol = ?', value: query.symbol },
        { name: 'interval', sql: 'interval = ?', value: query.interval },
        { name: 'from', sql: 'start >= ?::timestamptz', value: query.from },
        { name: 'to', sql: 'start < ?::timestamptz', value: query.to },
        { name: 'after', sql: 'start > ?::timestamptz', value: query.after },
      ],
      orderBy: forward ? 'start' : 'start desc',
      limit: forward ? query.limit + 1 : query.limit,
    }),
  );
  const given = forward ? rows.slice(0, query.limit) : rows.toReversed();
  const last = given.at(-1);
  const more = rows.length > query.limit && last !== undefined;
  return {
    items: given.map((row) => candleView(row, query)),
    next: more ? pageToken('candles', last.start.getTime()) : null,
  };
}

function candleView(row: Row, { interval, nowMs }: CandlesQuery): CandleView {
  return {
    start: row.start.toISOString(),
    open: decimalFromCents(safeInteger(row.open_cents)),
    high: decimalFromCents(safeInteger(row.high_cents)),
    low: decimalFromCents(safeInteger(row.low_cents)),
    close: decimalFromCents(safeInteger(row.close_cents)),
    volume: row.volume,
    trades: safeInteger(row.trades),
    closed: row.start.getTime() + views.CANDLE_MS[interval] <= nowMs,
  };
}

type Row = {
  start: Date;
  open_cents: string;
  high_cents: string;
  low_cents: string;
  close_cents: string;
  volume: string;
  trades: string;
};
