import { randomUUID } from 'node:crypto';
import { type Event, eventCodec } from '@brokerx/contracts';
import { cutInHalf, type KeptInMemory, memoryEventStore, memorySnapshots } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { commandApi } from '../../test/world.ts';

test('markets whose snapshot is damaged are read from their streams', async () => {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const kinds: KeptInMemory = new Map();
  const snapshots = memorySnapshots({ storeId: store.id, kinds });
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
