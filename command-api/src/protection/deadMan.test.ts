import { randomUUID } from 'node:crypto';
import { type AccountFact, type Event, eventCodec, seal } from '@brokerx/contracts';
import { memoryEventStore, memoryLeases, type Runtime, realRuntime } from '@brokerx/infra';
import { expect, test, vi } from 'vitest';
import { accountWith, at, placed, T0 } from '../../test/facts.ts';
import { commandApi, openAccount, quiet, testCause } from '../../test/world.ts';
import { CANCELS_PER_COMMIT_MAX } from '../orders/cancel.ts';
import { startTasks } from '../tasks/openTasks.ts';
import { deadlineTasks, fireDeadline, setDeadline } from './deadMan.ts';

const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 100_000_000 },
};
const T0_MS = Date.parse(T0);
const deadline = (seconds: number) => setDeadline({ accountId: at(1), seconds, nowMs: T0_MS });

test('before its deadline nothing is due; after it the orders go, one symbol at a time, and then it has fired', () => {
  const orders = [
    placed({ orderId: at(5) }),
    placed({ orderId: at(6), symbol: 'ZZZ' }),
    placed({ orderId: at(7) }),
  ];
  const facts: AccountFact[] = [cash, ...orders, deadline(30)];
  expect(fireDeadline(accountWith(...facts), T0_MS + 29_999)).toBeNull();
  const steps: unknown[] = [];
  for (;;) {
    const due = fireDeadline(accountWith(...facts), T0_MS + 30_000);
    if (!due) break;
    steps.push([due.symbol, due.facts.map(({ type, data }) => ('orderId' in data ? data.orderId : type))]);
    facts.push(...due.facts);
  }
  expect(steps).toEqual([
    ['ACME', [at(5), at(7)]],
    ['ZZZ', [at(6)]],
    [null, ['DeadManFired.v1']],
  ]);
});

test('a renewal wins, and zero switches it off', () => {
  const later = setDeadline({ accountId: at(1), seconds: 30, nowMs: T0_MS + 20_000 });
  expect(fireDeadline(accountWith(cash, deadline(30), later), T0_MS + 40_000)).toBeNull();
  expect(fireDeadline(accountWith(cash, deadline(30), deadline(0)), T0_MS + 40_000)).toBeNull();
});

test('more orders than a commit takes are canceled in several', () => {
  const many = Array.from({ length: CANCELS_PER_COMMIT_MAX + 1 }, (_, n) =>
    placed({ orderId: at(1_000 + n) }),
  );
  const due = fireDeadline(accountWith(cash, ...many, deadline(1)), T0_MS + 1_000);
  expect(due?.facts).toHaveLength(CANCELS_PER_COMMIT_MAX);
});

test('a deadline that passed while nobody ran fires at the start, once', async () => {
  let nowMs = T0_MS;
  const runtime: Runtime = { ...realRuntime, nowMs: () => nowMs };
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const before = await commandApi({ store, runtime });
  const accountId = await openAccount(before.accounts);
  const record = (fact: AccountFact) =>
    before.accounts.execute(accountId, (_, { commitId }) => ({
      events: seal(commitId, testCause(T0), [fact]) as never,
      symbol: null,
    }));
  await record(cash);
  await record({ type: 'OrderPlaced.v1', data: { ...(placed().data as object), accountId } } as AccountFact);
  await record(setDeadline({ accountId, seconds: 5, nowMs }));
  await before.stop();

  nowMs += 60_000;
  const after = await commandApi({ store, runtime });
  const deps = { feed: after.feed, snapshots: after.snapshots, storeId: store.id, runtime, log: quiet };
  const tasks = startTasks(deadlineTasks({ accounts: after.accounts, runtime }), {
    ...deps,
    leases: memoryLeases({ rows: new Map(), owner: 'one', runtime: realRuntime }),
  });
  const types = async () =>
    (await store.readStream(`account-${accountId}`, 0, 50)).map(({ event }) => event.type).slice(4);
  await vi.waitFor(
    async () => expect(await types()).toEqual(['OrderCancelRequested.v1', 'DeadManFired.v1']),
    5_000,
  );
  await tasks.close();
  await after.stop();
  expect(await types()).toEqual(['OrderCancelRequested.v1', 'DeadManFired.v1']);
});

test('a deadline is a time of the clock: it fires once a clock that is set forward has come to it, not later', async () => {
  let nowMs = T0_MS;
  const runtime: Runtime = { ...realRuntime, nowMs: () => nowMs };
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const api = await commandApi({ store, runtime });
  const accountId = await openAccount(api.accounts);
  const record = (fact: AccountFact) =>
    api.accounts.execute(accountId, (_, { commitId }) => ({
      events: seal(commitId, testCause(T0), [fact]) as never,
      symbol: null,
    }));
  await record(setDeadline({ accountId, seconds: 3_600, nowMs }));
  const { feed, snapshots, accounts } = api;
  const leases = memoryLeases({ rows: new Map(), owner: 'one', runtime: realRuntime });
  const deps = { feed, snapshots, leases, storeId: store.id, runtime, log: quiet };
  const tasks = startTasks(deadlineTasks({ accounts, runtime }), deps);
  const last = async () => (await store.readStream(`account-${accountId}`, 0, 50)).at(-1)?.event.type;
  await vi.waitFor(() => expect(tasks.open()).toBe(1));
  expect(await last()).toBe('DeadManSet.v1');

  nowMs += 3_600_000;
  await vi.waitFor(async () => expect(await last()).toBe('DeadManFired.v1'), 5_000);
  await vi.waitFor(() => expect(tasks.open()).toBe(0));

  // Set anew and switched off: nothing is left open, however the clock goes.
  await record(setDeadline({ accountId, seconds: 5, nowMs }));
  await record(setDeadline({ accountId, seconds: 0, nowMs }));
  nowMs -= 86_400_000;
  await vi.waitFor(() => expect(tasks.open()).toBe(0));
  await tasks.close();
  await api.stop();
});
