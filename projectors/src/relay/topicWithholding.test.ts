import { partitionOf } from '@brokerx/contracts';
import { cutInHalf, memorySnapshots, type SnapshotsInMemory } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { ALICE, story } from '../../test/given.ts';
import { makeHistory } from '../../test/history.ts';
import { appendAll, STORE_ID, storeInMemory } from '../../test/readModelsOf.ts';
import { withholding } from './topicWithholding.ts';

const event = story().account(ALICE, {
  type: 'AccountOpened.v1',
  data: { accountId: ALICE, clientId: ALICE },
});
const TOPICS = [{ name: 'brokerx.orders', partitions: 16 }];

test('where it is forgotten since when a key is withheld, all of it is, also by the relay after that', async () => {
  const kinds: SnapshotsInMemory = new Map();
  const store = storeInMemory();
  await appendAll(store, makeHistory({ seed: 3, orders: 30 }).commits);
  const snapshots = memorySnapshots({ store, kinds });
  const place = { topic: 'brokerx.orders', key: 'ACME', partition: partitionOf('ACME', 16) };
  const given = { storeId: STORE_ID, topics: TOPICS };
  const first = await withholding(snapshots, given);
  await first.begin(place, { ...event, position: 50 }, 'too large');
  const next = await withholding(snapshots, given);
  expect([next.holds(place, 49), next.holds(place, 50), next.touches(place)]).toEqual([false, true, true]);
  cutInHalf(kinds);
  for (let relay = 0; relay < 2; relay++) {
    const after = await withholding(snapshots, given);
    expect([after.holds(place, 49), after.touches(place), after.keys()]).toEqual([
      true,
      true,
      ['brokerx.orders/ACME'],
    ]);
    expect(after.holds({ ...place, key: 'OTHER' }, 49)).toBe(false);
  }
});
