import { randomUUID } from 'node:crypto';
import { type Event, eventCodec, type MarketEvent, seal } from '@brokerx/contracts';
import { createLog, memoryEventStore, realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { commandApi, testCause } from '../../test/world.ts';
import { followNewestRules } from './adoption.ts';
import { listSymbol } from './marketDecider.ts';

const listing = {
  name: 'Acme',
  listing_price: '10.00',
  tick_size: '0.01',
  collar_ppm: 100_000,
  fee_ppm: 500,
  order_qty_max: '1000',
  daily_close: '21:00',
};

/** Two command-apis over one store, in which OLD and PAST follow version 3 and NEW the newest one; and what they log. */
async function world() {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const apis = [await commandApi({ store }), await commandApi({ store })] as const;
  const versions = { PAST: 3, OLD: 3, NEW: undefined };
  for (const [symbol, version] of Object.entries(versions)) {
    await apis[0].markets.execute(symbol, (market, commitId) => {
      const decision = listSymbol(market, { ...listing, symbol });
      if ('refusal' in decision || decision.fact.type !== 'SymbolListed.v1') return { reply: decision };
      const { data } = decision.fact;
      const matchingRules = version ?? data.matchingRules;
      const fact = { ...decision.fact, data: { ...data, matchingRules } };
      const [event] = seal(commitId, testCause(), [fact]) as MarketEvent[];
      return event ? { event } : { reply: null };
    });
  }
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  });
  const follow = async (adopts: boolean) => {
    for (const { markets } of apis) await markets.catchUp(5_000);
    await Promise.all(
      apis.map(({ markets }) => followNewestRules({ markets, runtime: realRuntime, log, adopts })),
    );
  };
  const adopted = async (symbol: string) =>
    (await store.readStream(`market-${symbol}`, 0, 10)).filter(
      ({ event }) => event.type === 'MatchingRulesAdopted.v1',
    ).length;
  const stop = () => Promise.all(apis.map((api) => api.stop()));
  return { follow, adopted, lines, stop };
}

test('a development installation lets its symbols adopt the newest rules, each once, and says so', async () => {
  const { follow, adopted, lines, stop } = await world();
  await follow(true);
  expect(await Promise.all(['OLD', 'PAST', 'NEW'].map(adopted))).toEqual([1, 1, 0]);
  expect(lines[0]).toMatchObject({ symbols: ['OLD', 'PAST'], version: 4 });
  const told = lines.length;
  await follow(true);
  expect(await Promise.all(['OLD', 'PAST', 'NEW'].map(adopted))).toEqual([1, 1, 0]);
  expect(lines).toHaveLength(told);
  await stop();
});

test('elsewhere one line names them and what an operator can do', async () => {
  const { follow, adopted, lines, stop } = await world();
  await follow(false);
  expect(await Promise.all(['OLD', 'PAST', 'NEW'].map(adopted))).toEqual([0, 0, 0]);
  // One for each of the two.
  expect(lines).toHaveLength(2);
  expect(lines[0]?.msg).toBe(
    'OLD, PAST follow older matching rules than version 4: an operator lets a symbol adopt it by POST /v1/symbols/{symbol}/matching-rules',
  );
  await stop();
});
