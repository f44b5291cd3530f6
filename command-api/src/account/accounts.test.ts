import { randomUUID } from 'node:crypto';
import {
  type AccountEvent,
  type AccountFact,
  accountStream,
  type Event,
  eventCodec,
  seal,
} from '@brokerx/contracts';
import {
  cutInHalf,
  type EventStore,
  groupCommit,
  memoryEventStore,
  memorySnapshots,
  realRuntime,
  type SnapshotsInMemory,
} from '@brokerx/infra';
import { expect, test } from 'vitest';
import { quiet, testCause } from '../../test/world.ts';
import { type Account, checkAccount } from './account.ts';
import { type Accounts, accountsInMemory, type Decide } from './accounts.ts';
import { ACCOUNT_SNAPSHOT_VERSION } from './accountText.ts';

const ACCOUNT = randomUUID();

/** One process's accounts over a store that others may write to. */
function instance(
  store: EventStore<Event>,
  snapshots = memorySnapshots({ store }),
  accountsMax = 1_000,
): Accounts {
  const appender = groupCommit(store, { runtime: realRuntime });
  return accountsInMemory({ store, appender, snapshots, runtime: realRuntime, log: quiet, accountsMax });
}
const newStore = () => memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });

const decideTo =
  (fact: (account: Account) => AccountFact): Decide<never> =>
  (account, { commitId }) => ({
    events: seal(commitId, testCause(), [fact(account)]) as AccountEvent[],
    symbol: null,
  });
const open = decideTo(() => ({
  type: 'AccountOpened.v1',
  data: { accountId: ACCOUNT, clientId: randomUUID() },
}));
const transfer = (amountCents: number) =>
  decideTo(() => ({ type: 'CashTransferredIn.v1', data: { transferId: randomUUID(), amountCents } }));
/** Brings the cash to a round hundred: right only when decided on the newest state. */
const roundUp = decideTo(({ cashCents }) => ({
  type: 'CashTransferredIn.v1',
  data: { transferId: randomUUID(), amountCents: 100 - (cashCents % 100) },
}));
const cashOf = async (accounts: Accounts) => {
  const executed = await accounts.execute(ACCOUNT, (account) => {
    checkAccount(account);
    return { reply: account.cashCents, rests: 'absent' };
  });
  return 'reply' in executed ? executed.reply : undefined;
};

test('decisions of one process follow each other without waiting for the disk', async () => {
  const store = newStore();
  const accounts = instance(store);
  await accounts.execute(ACCOUNT, open);
  const results = await Promise.all(Array.from({ length: 50 }, () => accounts.execute(ACCOUNT, transfer(7))));
  expect(results.map((result) => 'revision' in result && result.revision)).toEqual(
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  expect(await cashOf(accounts)).toBe(350);
});

test('two processes decide on one account as if there were one', async () => {
  const store = newStore();
  const [one, two] = [instance(store), instance(store)];
  await one.execute(ACCOUNT, open);
  for (let round = 0; round < 20; round++) {
    const [mine, other] = round % 2 === 0 ? [one, two] : [two, one];
    await Promise.all([mine.execute(ACCOUNT, transfer(1)), mine.execute(ACCOUNT, transfer(2))]);
    // The other process has an old state in memory: it meets a conflict and decides again.
    await other.execute(ACCOUNT, roundUp);
    expect(await cashOf(mine)).toBe((round + 1) * 100);
  }
  expect(await store.streamRevision(accountStream(ACCOUNT))).toBe(60);
});

test('many decisions of two processes at once are all carried out once, in some order', async () => {
  const store = newStore();
  const [one, two] = [instance(store), instance(store)];
  await one.execute(ACCOUNT, open);
  const attempts = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? one : two).execute(ACCOUNT, transfer(1)),
  );
  const done = (await Promise.allSettled(attempts)).filter(({ status }) => status === 'fulfilled').length;
  expect(await cashOf(one)).toBe(done);
  expect(await cashOf(two)).toBe(done);
  expect(await store.streamRevision(accountStream(ACCOUNT))).toBe(done);
});

test('an account that two processes write to in turn is read on from where it is, not from the beginning', async () => {
  const store = newStore();
  const reads: number[] = [];
  const watched: EventStore<Event> = {
    ...store,
    readStream: (stream, from, max) => {
      reads.push(from);
      return store.readStream(stream, from, max);
    },
  };
  const [one, two] = [instance(watched), instance(watched)];
  await one.execute(ACCOUNT, open);
  for (let round = 0; round < 5; round++) {
    await one.execute(ACCOUNT, transfer(1));
    await two.execute(ACCOUNT, transfer(1));
  }
  // Each has loaded it, met one conflict, and loaded it again; from then on each reads only what is new to it.
  expect(reads).toEqual([0, 0, 0, 3, 0, 4, 4, 5, 6, 7, 8, 9]);
  expect(await store.streamRevision(accountStream(ACCOUNT))).toBe(10);
});

test('what waits for a shared account is decided together and shares an append', async () => {
  const store = newStore();
  const appends: number[] = [];
  const watched: EventStore<Event> = {
    ...store,
    append: (commits) => {
      appends.push(commits.length);
      return store.append(commits);
    },
  };
  const [one, two] = [instance(watched), instance(store)];
  await one.execute(ACCOUNT, open);
  await two.execute(ACCOUNT, transfer(1));
  await one.execute(ACCOUNT, transfer(1));
  appends.length = 0;
  await Promise.all(Array.from({ length: 20 }, () => one.execute(ACCOUNT, transfer(1))));
  expect(appends.length).toBeLessThan(5);
  expect(await cashOf(two)).toBe(22);
});

test('an answer that rests on something absent is given after reading to the end', async () => {
  const store = newStore();
  const [one, two] = [instance(store), instance(store)];
  await one.execute(ACCOUNT, open);
  expect(await cashOf(two)).toBe(0);
  await one.execute(ACCOUNT, transfer(5));
  expect(await cashOf(two)).toBe(5);
});

test('an account that is not there is told so, and can be opened afterwards', async () => {
  const store = newStore();
  const [one, two] = [instance(store), instance(store)];
  const status = (accounts: Accounts) =>
    accounts.execute(ACCOUNT, (account) => ({ reply: account.status, rests: 'absent' }));
  expect(await status(one)).toEqual({ reply: 'none', position: 0 });
  await two.execute(ACCOUNT, open);
  expect(await status(one)).toEqual({ reply: 'open', position: 1 });
});

test('what was decided on a state that never was is decided again', async () => {
  const store = newStore();
  const [one, two] = [instance(store), instance(store)];
  await one.execute(ACCOUNT, open);
  expect(await cashOf(two)).toBe(0);
  await one.execute(ACCOUNT, transfer(30));
  // All three stand on a state without the 30; the first conflicts and takes the others with it.
  await Promise.all([
    two.execute(ACCOUNT, roundUp),
    two.execute(ACCOUNT, transfer(1)),
    two.execute(ACCOUNT, roundUp),
  ]);
  expect((await cashOf(two)) ?? 0).toBe((await cashOf(one)) ?? -1);
  expect(((await cashOf(two)) ?? 1) % 100).toBeLessThanOrEqual(1);
});

test('a bug in a decision changes nothing', async () => {
  const store = newStore();
  const accounts = instance(store);
  await accounts.execute(ACCOUNT, open);
  await expect(accounts.execute(ACCOUNT, open)).rejects.toThrow('an account is opened once');
  await accounts.execute(ACCOUNT, transfer(5));
  expect(await cashOf(accounts)).toBe(5);
});

test('an account is taken up from its snapshot and the events after it', async () => {
  const store = newStore();
  const snapshots = memorySnapshots({ store });
  const first = instance(store, snapshots);
  await first.execute(ACCOUNT, open);
  for (let i = 0; i < 30; i++) {
    await Promise.all(Array.from({ length: 10 }, () => first.execute(ACCOUNT, transfer(1))));
  }
  await first.close();
  expect(await snapshots.keys('account', ACCOUNT_SNAPSHOT_VERSION)).toEqual([ACCOUNT]);
  await first.execute(ACCOUNT, transfer(1));
  const reads: number[] = [];
  const watched: EventStore<Event> = {
    ...store,
    readStream: (stream, from, max) => {
      reads.push(from);
      return store.readStream(stream, from, max);
    },
  };
  expect(await cashOf(instance(watched, snapshots))).toBe(301);
  expect(reads).toEqual([301]);
});

test('an account whose snapshot is damaged is folded from its first event', async () => {
  const store = newStore();
  const kinds: SnapshotsInMemory = new Map();
  const snapshots = memorySnapshots({ store, kinds });
  const first = instance(store, snapshots);
  await first.execute(ACCOUNT, open);
  await Promise.all(Array.from({ length: 250 }, () => first.execute(ACCOUNT, transfer(1))));
  await first.close();
  expect(await snapshots.keys('account', ACCOUNT_SNAPSHOT_VERSION)).toEqual([ACCOUNT]);
  cutInHalf(kinds);
  const next = instance(store, snapshots);
  expect(await cashOf(next)).toBe(250);
  expect(await next.execute(ACCOUNT, transfer(1))).toMatchObject({ revision: 251 });
});

test('far more accounts than are kept in memory are all right, those with commits on their way too', async () => {
  const store = newStore();
  const snapshots = memorySnapshots({ store });
  const accounts = instance(store, snapshots, 2);
  const ids = Array.from({ length: 12 }, () => randomUUID());
  const openOf = (accountId: string) =>
    decideTo(() => ({ type: 'AccountOpened.v1', data: { accountId, clientId: randomUUID() } }));
  for (const id of ids) await accounts.execute(id, openOf(id));
  for (let round = 0; round < 25; round++) {
    const all = ids.flatMap((id) => Array.from({ length: 10 }, () => accounts.execute(id, transfer(1))));
    await Promise.all(all);
  }
  for (const id of ids) expect(await store.streamRevision(accountStream(id))).toBe(250);
  expect(accounts.stats()).toEqual({ cached: 2, inFlight: 0 });
  await accounts.close();
  expect((await snapshots.keys('account', ACCOUNT_SNAPSHOT_VERSION)).length).toBeGreaterThan(0);
});

test('an idle account that leaves memory leaves a snapshot, and those used last stay', async () => {
  const store = newStore();
  const snapshots = memorySnapshots({ store });
  const accounts = instance(store, snapshots, 3);
  const ids = Array.from({ length: 7 }, () => randomUUID());
  const fill = async (accountId: string) => {
    await accounts.execute(
      accountId,
      decideTo(() => ({ type: 'AccountOpened.v1', data: { accountId, clientId: randomUUID() } })),
    );
    await Promise.all(Array.from({ length: 250 }, () => accounts.execute(accountId, transfer(1))));
  };
  for (const id of ids.slice(0, 5)) await fill(id);
  await accounts.execute(ids[3] ?? '', transfer(1));
  for (const id of ids.slice(5)) await fill(id);
  expect(ids.map((id) => accounts.holds(id))).toEqual([false, false, false, true, false, true, true]);
  await accounts.close();
  const withSnapshot = await snapshots.keys('account', ACCOUNT_SNAPSHOT_VERSION);
  expect(withSnapshot.toSorted()).toEqual(ids.toSorted());
});
