import assert from 'node:assert/strict';
import { type AccountEvent, accountStream, type Event } from '@brokerx/contracts';
import { type EventStore, type Log, NO_STREAM, type Snapshots } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { type Account, evolve, initialAccount } from './account.ts';
import { ACCOUNT_SNAPSHOT_VERSION, accountFrom, accountText } from './accountText.ts';

/** An account's state as of an event of its stream; position 0 and revision -1 before the first. */
export type StoredAccount = { account: Account; revision: number; position: number };

/** Events between two snapshots: the tail to read at a reload is some 10 ms long at most. */
export const SNAPSHOT_EVENTS = 4_000;
/** The same for an account that other processes write to as well: it is reloaded at each conflict. */
export const SNAPSHOT_SHARED_EVENTS = 1_000;
/** Fewer than this are read again as quickly as a snapshot is written. */
export const SNAPSHOT_EVICTED_EVENTS = 200;
/** Snapshots being written at a time; one that comes while these are busy is due again later. */
const SNAPSHOTS_IN_FLIGHT_MAX = 4;
const PAGE_EVENTS = 1_000;

const keyOf = (accountId: string) => ({ kind: 'account', key: accountId, version: ACCOUNT_SNAPSHOT_VERSION });

/** Accounts as they are stored: snapshots and the events after them. */
export type AccountSnapshots = ReturnType<typeof accountSnapshots>;
export function accountSnapshots(options: { store: EventStore<Event>; snapshots: Snapshots; log: Log }) {
  const { store, snapshots, log } = options;
  const writing = new Set<Promise<void>>();

  return {
    /** The account from its snapshot and the events since; `snapshotRevision` is that of the snapshot. */
    async load(accountId: string): Promise<StoredAccount & { snapshotRevision: number }> {
      const snapshot = await snapshots.load(keyOf(accountId), ({ state }) => accountFrom(state));
      const snapshotRevision = snapshot?.revision ?? NO_STREAM;
      const stored = {
        account: snapshot?.state ?? initialAccount(),
        revision: snapshotRevision,
        position: snapshot?.cursor.position ?? 0,
        snapshotRevision,
      };
      await readTail(store, accountId, stored);
      return stored;
    },
    isBusy: () => writing.size >= SNAPSHOTS_IN_FLIGHT_MAX,
    textOf: (account: Account) => accountText(account),
    /** Written beside everything else; one that fails is due again later. */
    write(accountId: string, { revision, position }: Omit<StoredAccount, 'account'>, text: string): void {
      const done: Promise<void> = snapshots
        .save(keyOf(accountId), { cursor: { storeId: store.id, position }, revision, state: text })
        .catch((err: unknown) =>
          log[unlessOutage(err, 'warn')]({ err, accountId }, 'a snapshot could not be written'),
        )
        .finally(() => writing.delete(done));
      writing.add(done);
    },
    async settled(): Promise<void> {
      await Promise.all(writing);
    },
    async oneSettled(): Promise<void> {
      await Promise.race(writing);
    },
  };
}

/** Brings the account, all of whose events are stored, to the end of its stream; gives how many it lacked. */
export async function readTail(
  store: EventStore<Event>,
  accountId: string,
  stored: StoredAccount,
): Promise<number> {
  const stream = accountStream(accountId);
  const before = stored.revision;
  for (let full = true; full; ) {
    const page = await store.readStream(stream, stored.revision + 1, PAGE_EVENTS);
    for (const { event, revision, position } of page) {
      assert.equal(revision, stored.revision + 1, `${stream} has a gap`);
      evolve(stored.account, event as AccountEvent, revision);
      stored.revision = revision;
      stored.position = position;
    }
    full = page.length === PAGE_EVENTS;
  }
  return stored.revision - before;
}
