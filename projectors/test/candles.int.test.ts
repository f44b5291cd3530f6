import { realRuntime } from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { expect, onTestFinished, test } from 'vitest';
import { candles } from '../src/tables/candles.ts';
import { openReadModels } from '../src/tables/readModels.ts';
import { story, traded } from './given.ts';

/** The candles of a database of its own after these batches of trades, each at a time. */
async function candlesAfter(...batches: string[][]) {
  const database = await freshDatabase();
  const pool = await openReadModels({ databaseUrl: database.url, runtime: realRuntime });
  const db = await pool.connect();
  onTestFinished(async () => {
    db.release();
    await pool.end();
    await database.drop();
  });
  const { book } = story();
  const projection = candles();
  for (const times of batches) {
    const trades = times.map((time) => book('AAPL', traded({ quantity: 10 }), time));
    const change = await projection.fold(trades, db);
    await change.write(db);
    change.committed();
  }
  const { rows } = await db.query<{ interval: string; start: Date; volume: string }>(
    'select interval, start, volume from read.candle order by interval collate "C", start',
  );
  return rows.map(({ interval, start, volume }) => [interval, start.toISOString(), Number(volume)]);
}

const TIMES = ['2026-01-05T14:30:00.400Z', '2026-01-05T14:30:00.900Z', '2026-01-05T20:00:00.000Z'];
const DAY_LATER = ['2026-01-06T14:30:00.000Z', '2026-01-06T14:30:01.000Z'];

test('seconds are kept for a day before the last trade, everything else for ever', async () => {
  const found = await candlesAfter(TIMES, DAY_LATER.slice(0, 1));
  expect(found.filter(([interval]) => interval === '1s')).toEqual([
    ['1s', '2026-01-05T14:30:00.000Z', 20],
    ['1s', '2026-01-05T20:00:00.000Z', 10],
    ['1s', '2026-01-06T14:30:00.000Z', 10],
  ]);
  const later = await candlesAfter(TIMES, DAY_LATER);
  expect(later).toEqual([
    ['1d', '2026-01-05T00:00:00.000Z', 30],
    ['1d', '2026-01-06T00:00:00.000Z', 20],
    ['1h', '2026-01-05T14:00:00.000Z', 20],
    ['1h', '2026-01-05T20:00:00.000Z', 10],
    ['1h', '2026-01-06T14:00:00.000Z', 20],
    ['1m', '2026-01-05T14:30:00.000Z', 20],
    ['1m', '2026-01-05T20:00:00.000Z', 10],
    ['1m', '2026-01-06T14:30:00.000Z', 20],
    ['1s', '2026-01-05T20:00:00.000Z', 10],
    ['1s', '2026-01-06T14:30:00.000Z', 10],
    ['1s', '2026-01-06T14:30:01.000Z', 10],
  ]);
});

test('how trades come in batches changes nothing', async () => {
  const all = [...TIMES, ...DAY_LATER];
  expect(await candlesAfter(all)).toEqual(await candlesAfter(...all.map((time) => [time])));
});
