import { accountStream, type Event } from '@brokerx/contracts';
import type { EventStore, Runtime } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import {
  type AccountCache,
  type AccountEntry,
  breakEntry,
  isBroken,
  submissionsEnded,
} from './accountCache.ts';
import { readTail } from './accountSnapshots.ts';

/**
 * Accounts that other processes write to as well. An account counts as *shared* from the moment that this process sees such
 * a write, and for a while after the last one: decisions on it then go in rounds, and each round begins by reading what the
 * others added. Conflicts, each of which costs a reload, stay rare that way.
 */
export type Sharing = {
  readonly store: EventStore<Event>;
  readonly cache: AccountCache;
  readonly runtime: Runtime;
  /** Until when an account counts as shared, by its id: an account that is loaded anew stays shared. */
  readonly sharedUntilMs: LRUCache<string, number>;
};

/** As many as may be in memory. */
const SHARED_ACCOUNTS_MAX = 50_000;
/** After this long without a foreign write the account counts as unshared. */
const SHARED_FOR_MS = 10_000;

export const sharing = (parts: Omit<Sharing, 'sharedUntilMs'>): Sharing => ({
  ...parts,
  sharedUntilMs: new LRUCache({ max: SHARED_ACCOUNTS_MAX }),
});

export function isShared({ sharedUntilMs, runtime }: Sharing, { accountId, rounds }: AccountEntry): boolean {
  if (rounds.isOn()) return true;
  return sharedUntilMs.size > 0 && (sharedUntilMs.get(accountId) ?? 0) > runtime.monotonicMs();
}

/** To be called when another process's write was seen. */
export function noteShared({ sharedUntilMs, runtime }: Sharing, { accountId }: AccountEntry): void {
  sharedUntilMs.set(accountId, runtime.monotonicMs() + SHARED_FOR_MS);
}

/** Reads the events of the stream beyond the entry; false if the entry is broken. */
export async function catchUp(state: Sharing, entry: AccountEntry): Promise<boolean> {
  await submissionsEnded(entry);
  if (isBroken(entry)) return false;
  try {
    if ((await readTail(state.store, entry.accountId, entry)) > 0) noteShared(state, entry);
  } catch (error) {
    breakEntry(state.cache, entry);
    throw error;
  }
  entry.durableRevision = entry.revision;
  return true;
}

/**
 * Whether the entry has every event that its stream had at the time of the call; if not, the account is shared.
 * Our own commits must arrive before the comparison: until then, the end of the stream may be a foreign write.
 */
export async function lacksNothing(state: Sharing, entry: AccountEntry): Promise<boolean> {
  const revision = await state.store.streamRevision(accountStream(entry.accountId));
  await submissionsEnded(entry);
  if (isBroken(entry)) return false;
  if (entry.durableRevision >= revision) return true;
  noteShared(state, entry);
  return false;
}
