import { randomUUID } from 'node:crypto';
import { bookStream, type Event, eventCodec, type Fact, marketStream, seal } from '@brokerx/contracts';
import { memoryEventStore } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { testCause } from '../../test/world.ts';
import { hydrateMarkets } from './hydrate.ts';

const rules = {
  tickCents: 1,
  listingTicks: 1_000,
  collarPpm: 100_000,
  feePpm: 500,
  orderSharesMax: 1_000,
  dailyClose: '21:00',
};
const listed: Fact = {
  type: 'SymbolListed.v1',
  data: { symbol: 'ACME', name: 'Acme', rules, matchingRules: 1 },
};
const dayEnded: Fact = {
  type: 'DayEnded.v1',
  data: { symbol: 'ACME', day: '2026-03-02', at: '2026-03-02T21:00:00.000Z', closeTicks: 1_010 },
};
const noted: Fact = { type: 'InputNoted.v1', data: {} };
const side = (leaves: number) => ({ orderId: randomUUID(), accountId: randomUUID(), revision: 1, leaves });
const trade = (priceTicks: number): Fact => ({
  type: 'TradeExecuted.v1',
  data: { trade: 1, priceTicks, tickCents: 1, quantity: 1, takerSide: 'buy', maker: side(0), taker: side(0) },
});

async function storeOf(facts: readonly Fact[]) {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const revisions = new Map<string, number>();
  for (const fact of facts) {
    const stream = 'symbol' in fact.data ? marketStream('ACME') : bookStream('ACME');
    const id = randomUUID();
    const expectedRevision = revisions.get(stream) ?? -1;
    revisions.set(stream, expectedRevision + 1);
    const events = seal(id, testCause('2026-03-02T20:59:00.000Z'), [fact]) as Event[];
    await store.append([{ id, stream, expectedRevision, chained: false, symbol: null, events }]);
  }
  return store;
}

test.for([
  ['nothing was traded yet', [listed], 1_000, null],
  [
    'the last of two trades counts, however much was noted after',
    [listed, trade(990), trade(1_005), noted, noted],
    1_000,
    1_005,
  ],
  [
    'a day’s end makes the close the reference and forgets the trade',
    [listed, trade(1_010), dayEnded, noted],
    1_010,
    null,
  ],
  ['a trade of the new day counts again', [listed, trade(1_010), dayEnded, trade(1_020)], 1_010, 1_020],
] as const)('a market without a snapshot: %s', async ([, facts, referenceTicks, lastTradeTicks]) => {
  const store = await storeOf(facts);
  const { markets, cursor } = await hydrateMarkets(store);
  expect(cursor).toEqual({ storeId: store.id, position: await store.head() });
  expect([...markets.values()]).toEqual([
    expect.objectContaining({ symbol: 'ACME', state: 'continuous', referenceTicks, lastTradeTicks }),
  ]);
});
