import { expect, test } from 'vitest';
import { handClock, settle } from '../../test/handClock.ts';
import type { StreamMessage } from '../live/streamMessage.ts';
import { freshness } from '../reading/freshness.ts';
import type { ReadDatabase } from '../reading/readDatabase.ts';
import type { BookUpdate, RecordedTrade } from './bookUpdate.ts';
import type { FollowedBook } from './followedBook.ts';
import { followCandle } from './liveCandle.ts';

const MINUTE = 60_000;
const STORE = '11111111-1111-4111-8111-111111111111';
const trade = (position: number, ms: number, priceTicks: number): RecordedTrade =>
  ({
    position,
    event: { time: new Date(ms).toISOString(), data: { priceTicks, tickCents: 1, quantity: 10 } },
  }) as RecordedTrade;

/** A minute that began at 0 of the clock; the projection reflects `position`, and has one trade in it. */
function given(position: number) {
  const clock = handClock();
  const listeners: ((update: BookUpdate) => void)[] = [];
  const heard: [start: string, close: string, volume: string, closed: boolean][] = [];
  const row = {
    start: new Date(0),
    open_cents: '100',
    high_cents: '100',
    low_cents: '100',
    close_cents: '100',
    volume: '5',
    trades: '1',
  };
  const fresh = freshness({ storeId: STORE, runtime: clock });
  fresh.moved('candles', position);
  const over = new AbortController();
  const read = Promise.withResolvers<void>();
  const following = followCandle({
    database: {
      queryAt: () => read.promise.then(() => ({ rows: [row], positions: [position] })),
    } as unknown as ReadDatabase,
    store: { id: STORE, head: async () => position },
    freshness: fresh,
    runtime: clock,
    book: {
      symbol: 'XEQT',
      sequence: () => 1,
      position: () => position,
      watch: (listener: (update: BookUpdate) => void) => {
        listeners.push(listener);
        return () => void listeners.splice(listeners.indexOf(listener), 1);
      },
    } as unknown as FollowedBook,
    interval: '1m',
    send({ data }: StreamMessage) {
      const { start, close, volume, closed } = JSON.parse(data);
      heard.push([start.slice(14, 19), close, volume, closed]);
    },
    ended: over.signal,
  });
  const trades = (...traded: RecordedTrade[]) => {
    for (const listener of listeners) listener({ traded } as unknown as BookUpdate);
  };
  const begin = async () => {
    read.resolve();
    await following;
  };
  const pass = async (ms: number) => {
    clock.pass(ms);
    await settle();
  };
  return { heard, trades, begin, pass, over, listeners };
}

test('trades that come while the stored candle is read are added once, those that it reflects are not', async () => {
  const { heard, trades, begin } = given(7);
  trades(trade(7, 1_000, 100), trade(8, 2_000, 103));
  await begin();
  trades(trade(9, 3_000, 102));
  expect(heard).toEqual([
    ['00:00', '1.03', '15', false],
    ['00:00', '1.02', '25', false],
  ]);
});

test('a candle is told once more when its interval is over, and a late trade makes it be told again', async () => {
  const { heard, begin, pass, trades } = given(7);
  await begin();
  await pass(MINUTE - 1);
  await pass(1);
  trades(trade(8, MINUTE - 1, 101));
  expect(heard).toEqual([
    ['00:00', '1.00', '5', false],
    ['00:00', '1.00', '5', true],
    ['00:00', '1.01', '15', true],
  ]);
});

test('the first trade of the next interval closes the candle before it', async () => {
  const { heard, begin, pass, trades } = given(7);
  await begin();
  await pass(MINUTE + 5_000);
  trades(trade(8, MINUTE + 5_000, 99), trade(9, MINUTE + 6_000, 98));
  expect(heard.slice(1)).toEqual([
    ['00:00', '1.00', '5', true],
    ['00:00', '1.00', '5', true],
    ['01:00', '0.98', '20', false],
  ]);
});

test('who has left is told nothing', async () => {
  const { heard, begin, pass, over, listeners } = given(7);
  await begin();
  over.abort();
  await pass(MINUTE);
  expect([heard.length, listeners.length]).toEqual([1, 0]);
});
