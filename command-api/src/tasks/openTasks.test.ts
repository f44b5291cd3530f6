import { randomUUID } from 'node:crypto';
import { type AccountFact, accountStream, type Event, eventCodec, seal } from '@brokerx/contracts';
import {
  cutInHalf,
  memoryEventStore,
  memoryLeases,
  memorySnapshots,
  realRuntime,
  type SnapshotsInMemory,
  storeFeed,
} from '@brokerx/infra';
import { expect, onTestFinished, test, vi } from 'vitest';
import { quiet, testCause } from '../../test/world.ts';
import { startTasks, type TaskList } from './openTasks.ts';

test('tasks whose snapshot is damaged are found in the events again: those that are open, and no others', async () => {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const kinds: SnapshotsInMemory = new Map();
  const snapshots = memorySnapshots({ store, kinds });
  const account = randomUUID();
  const [done, open] = [randomUUID(), randomUUID()];
  const record = async (fact: AccountFact) => {
    const id = randomUUID();
    const stream = accountStream(account);
    const expectedRevision = await store.streamRevision(stream);
    const events = seal(id, testCause(), [fact]) as Event[];
    await store.append([{ id, stream, expectedRevision, chained: false, symbol: null, events }]);
  };
  const start = () => {
    const feed = storeFeed({ store, runtime: realRuntime });
    const leases = memoryLeases({ rows: new Map(), owner: 'one', runtime: realRuntime });
    const worked: string[] = [];
    const list: TaskList<{ id: string }> = {
      name: 'deposits',
      version: 1,
      category: 'account',
      types: ['DepositRequested.v1', 'DepositSettled.v1'],
      opens: ({ event }) => (event.type === 'DepositRequested.v1' ? { id: event.data.depositId } : null),
      closes: ({ event }) => (event.type === 'DepositSettled.v1' ? event.data.depositId : null),
      async work({ id }) {
        worked.push(id);
        return { againInMs: 60_000 };
      },
    };
    const deps = { feed, snapshots, leases, storeId: store.id, runtime: realRuntime, log: quiet };
    const tasks = startTasks(list, deps);
    const stop = async () => {
      await tasks.close();
      await feed.close();
    };
    onTestFinished(stop);
    return { worked, stop };
  };
  for (const depositId of [done, open]) {
    await record({ type: 'DepositRequested.v1', data: { depositId, amountCents: 100 } });
  }
  const first = start();
  await vi.waitFor(() => expect(first.worked).toEqual([done, open]));
  await record({ type: 'DepositSettled.v1', data: { depositId: done, amountCents: 100 } });
  await first.stop();
  expect(kinds.size).toBe(1);
  cutInHalf(kinds);
  const next = start();
  await vi.waitFor(() => expect(next.worked).toEqual([open]));
});
