import assert from 'node:assert/strict';
import { LRUCache } from 'lru-cache';
import type { Account } from './account.ts';
import {
  type AccountSnapshots,
  SNAPSHOT_EVENTS,
  SNAPSHOT_EVICTED_EVENTS,
  SNAPSHOT_SHARED_EVENTS,
} from './accountSnapshots.ts';
import type { Rounds } from './rounds.ts';

/**
 * The accounts in memory, within a bound. An entry is in one of four modes:
 * - *cached*: in the cache. When the cache needs its room, it becomes *pinned* if commits or a round are on their way, and
 *   *evicted* if not.
 * - *pinned*: beside the cache. It is *cached* again at its next command, or *evicted* when its commits and rounds have ended.
 * - *evicted*: out of memory, with a snapshot if one was due. Commands that have the entry already still finish on it; the
 *   next one loads the account into a new entry.
 * - *broken*: from any other mode, when its state may include events that were never recorded. Nothing is decided on it any
 *   more; the next command loads the account into a new entry.
 */
export type AccountCache = {
  readonly cached: LRUCache<string, AccountEntry>;
  readonly pinned: Map<string, AccountEntry>;
  readonly snapshots: AccountSnapshots;
};

/** An account's newest state, which may include events that are not durable yet. */
export type AccountEntry = {
  readonly accountId: string;
  mode: 'cached' | 'pinned' | 'evicted' | 'broken';
  readonly account: Account;
  revision: number;
  durableRevision: number;
  /** Position of the last event known to be durable. */
  position: number;
  /** Commits on their way. */
  inFlight: number;
  /** Ends when every earlier submission is durable or has failed. */
  tail: Promise<unknown>;
  snapshotRevision: number;
  /** The rounds in which decisions go while the account is shared. */
  readonly rounds: Rounds;
};

const ACCOUNTS_MAX = 50_000;
/** Bytes of all cached accounts, as reckoned here: those of 400 of the busiest. */
const CACHE_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of an account without keys and orders; of an open order; and of a name that an order or a key uses. */
const ACCOUNT_BYTES = 2_000;
const ORDER_BYTES = 800;
const NAME_BYTES = 200;

const bytesOf = ({ keys, names, orders }: Account): number =>
  ACCOUNT_BYTES + keys.kept.bytes + names.size * NAME_BYTES + orders.size * ORDER_BYTES;

export function accountCache(snapshots: AccountSnapshots, accountsMax = ACCOUNTS_MAX): AccountCache {
  const cache: AccountCache = {
    cached: new LRUCache({
      max: accountsMax,
      maxSize: CACHE_BYTES_MAX,
      sizeCalculation: ({ account }) => bytesOf(account),
      dispose: (entry, _accountId, reason) => {
        if (reason === 'evict') leaveCache(cache, entry);
      },
    }),
    pinned: new Map(),
    snapshots,
  };
  return cache;
}

/** The account's entry in memory, which counts as used now. */
export function findEntry({ cached, pinned }: AccountCache, accountId: string): AccountEntry | undefined {
  const entry = cached.get(accountId);
  if (entry) return entry;
  const entryPinned = pinned.get(accountId);
  if (entryPinned) {
    pinned.delete(accountId);
    entryPinned.mode = 'cached';
    cached.set(accountId, entryPinned);
  }
  return entryPinned;
}

/** Called by the LRU cache before it removes the entry. Whoever changed the cache now would tear its list. */
function leaveCache(cache: AccountCache, entry: AccountEntry): void {
  if (isAtRest(entry)) return evict(cache, entry);
  entry.mode = 'pinned';
  cache.pinned.set(entry.accountId, entry);
}

/** To be called whenever a commit or a round of the entry has ended. */
export function unpin(cache: AccountCache, entry: AccountEntry): void {
  if (entry.mode !== 'pinned' || !isAtRest(entry)) return;
  cache.pinned.delete(entry.accountId);
  evict(cache, entry);
}

function evict(cache: AccountCache, entry: AccountEntry): void {
  entry.mode = 'evicted';
  writeSnapshot(cache, entry);
}

/** Takes an entry out of use for good. */
export function breakEntry({ cached, pinned }: AccountCache, entry: AccountEntry): void {
  const { accountId, mode } = entry;
  entry.mode = 'broken';
  if (mode === 'cached') cached.delete(accountId);
  if (mode === 'pinned') pinned.delete(accountId);
}

/** Resolves when all that was submitted is durable or has failed. */
export const submissionsEnded = ({ tail }: AccountEntry): Promise<void> => tail.then(ignore, ignore);
const ignore = () => undefined;

/** Nothing is on its way: every event of the state is durable. */
const isAtRest = ({ inFlight, rounds }: AccountEntry): boolean => inFlight === 0 && !rounds.isOn();

export const isBroken = ({ mode }: AccountEntry): boolean => mode === 'broken';

/** The account's text where a snapshot is due; it is written once the events in it are durable. */
export function textIfDue({ cached, snapshots }: AccountCache, entry: AccountEntry): string | null {
  const dueEvents = entry.rounds.isOn() ? SNAPSHOT_SHARED_EVENTS : SNAPSHOT_EVENTS;
  if (entry.revision - entry.snapshotRevision < dueEvents || snapshots.isBusy()) return null;
  entry.snapshotRevision = entry.revision;
  if (entry.mode === 'cached') {
    // Puts the entry into the cache again, which weighs it anew: it has grown.
    cached.delete(entry.accountId);
    cached.set(entry.accountId, entry);
  }
  return snapshots.textOf(entry.account);
}

/** Writes the text that the account had at this revision, all of whose events are durable by now. */
export function writeText(
  { snapshots }: AccountCache,
  { accountId, position }: AccountEntry,
  text: string,
  revision: number,
): void {
  snapshots.write(accountId, { revision, position }, text);
}

/** Writes a snapshot of an account at rest, unless it would save little. */
function writeSnapshot(cache: AccountCache, entry: AccountEntry): void {
  const { revision, durableRevision } = entry;
  if (isBroken(entry) || durableRevision - entry.snapshotRevision < SNAPSHOT_EVICTED_EVENTS) return;
  assert.equal(revision, durableRevision, 'a snapshot holds durable events only');
  if (cache.snapshots.isBusy()) return;
  entry.snapshotRevision = revision;
  writeText(cache, entry, cache.snapshots.textOf(entry.account), revision);
}

/** Writes the snapshots that are due. */
export async function closeCache(cache: AccountCache): Promise<void> {
  const { cached, snapshots } = cache;
  for (const entry of cached.values()) {
    while (snapshots.isBusy()) await snapshots.oneSettled();
    if (isAtRest(entry)) writeSnapshot(cache, entry);
  }
  await snapshots.settled();
}
