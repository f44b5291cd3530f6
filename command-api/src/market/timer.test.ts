import { randomUUID } from 'node:crypto';
import { type Event, eventCodec, type MarketEvent, seal } from '@brokerx/contracts';
import { memoryEventStore, type Runtime, realRuntime } from '@brokerx/infra';
import { expect, test, vi } from 'vitest';
import { commandApi, quiet, testCause } from '../../test/world.ts';
import { listSymbol } from './marketDecider.ts';
import { startTimer } from './timer.ts';

test('two owners of market time end the day once, and again when the next close has passed', async () => {
  let nowMs = Date.parse('2026-03-02T20:59:00.000Z');
  const runtime: Runtime = { ...realRuntime, nowMs: () => nowMs };
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const [one, two] = [await commandApi({ store, runtime }), await commandApi({ store, runtime })];
  await one.markets.execute('ACME', (market, commitId) => {
    const listing = {
      symbol: 'ACME',
      name: 'Acme',
      listing_price: '10.00',
      tick_size: '0.01',
      collar_ppm: 100_000,
    };
    const rest = { fee_ppm: 500, order_qty_max: '1000', daily_close: '21:00' };
    const decision = listSymbol(market, { ...listing, ...rest });
    if ('refusal' in decision) return { reply: decision };
    const [event] = seal(commitId, testCause('2026-03-02T20:59:00.000Z'), [decision.fact]) as MarketEvent[];
    return event ? { event } : { reply: null };
  });
  nowMs += 120_000;
  const timers = [one, two].map(({ markets }) => startTimer({ markets, runtime, log: quiet }));
  const days = async () =>
    (await store.readStream('market-ACME', 1, 10)).map(({ event }) => (event.data as { day: string }).day);
  await vi.waitFor(async () => expect(await days()).toEqual(['2026-03-02']), 5_000);
  nowMs += 3 * 24 * 3_600_000;
  await vi.waitFor(async () => expect(await days()).toEqual(['2026-03-02', '2026-03-05']), 5_000);
  for (const timer of timers) await timer.stop();
  expect(await days()).toEqual(['2026-03-02', '2026-03-05']);
  await Promise.all([one.stop(), two.stop()]);
});
