import { randomUUID } from 'node:crypto';
import { type Event, eventCodec, type MarketEvent, seal } from '@brokerx/contracts';
import { cutInHalf, memoryEventStore, memorySnapshots, type SnapshotsInMemory } from '@brokerx/infra';
import { expect, onTestFinished, test } from 'vitest';
import { commandApi, testCause } from '../../test/world.ts';
import { haltTrading, resumeTrading } from './marketDecider.ts';

async function withAcme() {
  const memory = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const reads = { heads: 0 };
  const store = {
    ...memory,
    head() {
      reads.heads += 1;
      return memory.head();
    },
  };
  const api = await commandApi({ store });
  onTestFinished(() => api.stop());
  const authorization = `Bearer ${await api.token(randomUUID(), ['operator'])}`;
  const reply = await api.app.inject({
    method: 'POST',
    url: '/v1/symbols',
    headers: { authorization, 'idempotency-key': randomUUID() },
    payload: { symbol: 'ACME', name: 'Acme', listing_price: '10.00' },
  });
  expect(reply.statusCode, reply.body).toBe(202);
  return { api, reads };
}

test('for however many are refused at once the store is read together', async () => {
  const { api, reads } = await withAcme();
  reads.heads = 0;
  const refused = () =>
    api.markets.execute('ACME', (market) => ({ reply: resumeTrading(market, { symbol: 'ACME' }) }));
  const AT_ONCE = 700;
  const replies = await Promise.all(Array.from({ length: AT_ONCE }, refused));
  for (const reply of replies)
    expect(reply).toMatchObject({ reply: { refusal: { code: 'SYMBOL_NOT_HALTED' } } });
  // One that was under way when the others asked, and one for all of those.
  expect(reads.heads).toBe(2);
});

test('changes of one market that come at once follow each other, and none is in the way of another', async () => {
  const { api } = await withAcme();
  const AT_ONCE = 40;
  const change = () =>
    api.markets.execute<never>('ACME', (market, commitId) => {
      const decided = market?.halted
        ? resumeTrading(market, { symbol: 'ACME' })
        : haltTrading(market, { symbol: 'ACME', reason: 'a test' });
      if ('refusal' in decided) throw new Error(decided.refusal.detail);
      return { event: seal(commitId, testCause(), [decided.fact])[0] as MarketEvent };
    });
  const changes = await Promise.all(Array.from({ length: AT_ONCE }, change));
  expect(new Set(changes.map(({ position }) => position)).size).toBe(AT_ONCE);
});

test('markets whose snapshot is damaged are read from their streams', async () => {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const kinds: SnapshotsInMemory = new Map();
  const snapshots = memorySnapshots({ store, kinds });
  const first = await commandApi({ store, snapshots });
  const reply = await first.app.inject({
    method: 'POST',
    url: '/v1/symbols',
    headers: {
      authorization: `Bearer ${await first.token(randomUUID(), ['operator'])}`,
      'idempotency-key': randomUUID(),
    },
    payload: { symbol: 'ACME', name: 'Acme', listing_price: '10.00' },
  });
  expect(reply.statusCode, reply.body).toBe(202);
  const market = first.markets.get('ACME');
  await first.stop();
  expect([...kinds.keys()].some((kind) => kind.includes('markets'))).toBe(true);
  cutInHalf(kinds);
  const next = await commandApi({ store, snapshots });
  expect(next.markets.get('ACME')?.revision).toBe(market?.revision);
  await next.stop();
});
