import { type Event, keyOfStream, timeOf, views } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { columns } from '../run/columns.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/**
 * The table of candles: open, high, low, close and volume of each symbol, by trade time, for the stored intervals. Queries compute
 * the other intervals from these.
 */
export const candles = () =>
  statelessProjection(
    { name: 'candles', version: 2, tables: ['read.candle_v2'], categories: ['book'], onFailure: 'park' },
    foldCandles,
    write,
  );

/** What the trades of a batch add to one candle; the whole candle where it is new. */
export type CandleChange = {
  symbol: string;
  interval: views.StoredInterval;
  /** First moment of the interval, in UTC. */
  start: string;
  openCents: number;
  highCents: number;
  lowCents: number;
  closeCents: number;
  volume: number;
  trades: number;
};

/** Returns the changes of a batch, sorted by symbol, interval and start. */
export function foldCandles(events: readonly Recorded<Event>[]): CandleChange[] {
  const changes = new Map<string, CandleChange>();
  for (const { event, stream } of events) {
    if (event.type !== 'TradeExecuted.v1') continue;
    const symbol = keyOfStream(stream);
    const price = event.data.priceTicks * event.data.tickCents;
    const tradedMs = Date.parse(event.time);
    for (const interval of views.STORED_INTERVALS) {
      const startMs = views.candleStart(interval, tradedMs);
      const key = `${symbol} ${interval} ${startMs}`;
      const candle = changes.get(key);
      if (candle) {
        candle.highCents = Math.max(candle.highCents, price);
        candle.lowCents = Math.min(candle.lowCents, price);
        candle.closeCents = price;
        candle.volume += event.data.quantity;
        candle.trades += 1;
      } else {
        changes.set(key, {
          symbol,
          interval,
          start: timeOf(startMs),
          openCents: price,
          highCents: price,
          lowCents: price,
          closeCents: price,
          volume: event.data.quantity,
          trades: 1,
        });
      }
    }
  }
  return [...changes.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}

async function write(db: Database, rows: readonly CandleChange[]): Promise<void> {
  if (rows.length === 0) return;
  // Both statements go over one connection, in this order.
  const upsert = db.query({
    name: 'candles_upsert',
    text: `
      insert into read.candle_v2 as c
      select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[],
                           $7::bigint[], $8::bigint[], $9::bigint[])
      on conflict (symbol, interval, start) do update set
        high_cents = greatest(c.high_cents, excluded.high_cents),
        low_cents = least(c.low_cents, excluded.low_cents),
        close_cents = excluded.close_cents,
        volume = c.volume + excluded.volume,
        trades = c.trades + excluded.trades`,
    values: columns(rows, [
      (row) => row.symbol,
      (row) => row.interval,
      (row) => row.start,
      (row) => row.openCents,
      (row) => row.highCents,
      (row) => row.lowCents,
      (row) => row.closeCents,
      (row) => row.volume,
      (row) => row.trades,
    ]),
  });
  const oldest = oldestSeconds(rows);
  const forget = db.query({
    name: 'candles_forget',
    text: `
      delete from read.candle_v2 c using unnest($1::text[], $2::timestamptz[]) as u (symbol, oldest)
       where c.symbol = u.symbol and c.interval = '1s' and c.start < u.oldest`,
    values: columns(oldest, [([symbol]) => symbol, ([, start]) => start]),
  });
  await Promise.all([upsert, forget]);
}

/** For each symbol, the start of the oldest one-second candle that stays stored. */
function oldestSeconds(rows: readonly CandleChange[]): [symbol: string, oldest: string][] {
  const newest = new Map<string, string>();
  for (const { symbol, interval, start } of rows) if (interval === '1s') newest.set(symbol, start);
  return Array.from(newest, ([symbol, start]) => [
    symbol,
    timeOf(Date.parse(start) - views.SECOND_CANDLES_KEPT_MS),
  ]);
}
