import assert from 'node:assert/strict';
import { type AccountEvent, accountStream, type Event, mintId } from '@brokerx/contracts';
import type { Appender, EventStore, Log, Runtime, Snapshots, Verdict } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import { type Account, evolve } from './account.ts';
import {
  accountSnapshots,
  readTail,
  SNAPSHOT_EVENTS,
  SNAPSHOT_EVICTED_EVENTS,
  SNAPSHOT_SHARED_EVENTS,
} from './accountSnapshots.ts';
import { type Rounds, rounds } from './rounds.ts';

/**
 * Keeps accounts in memory: a bounded cache of states with their revisions. Decisions use the newest state, which may
 * include events that are not durable yet. The store chains their commits: if one commit fails, the commits decided on
 * it fail too, and all are decided again on the reloaded account.
 *
 * Several processes may work side by side. While one process alone writes to an account, it reads and awaits nothing
 * between a request and its submission. Once it sees another process write, it treats the account as *shared* for a
 * while: decisions then go in rounds, and each round begins by reading what the others added. Conflicts, each of which
 * costs a reload, stay rare that way.
 */
export type Accounts = {
  /**
   * Decides, and appends the events of the decision, if any, as one commit. Resolves when they are durable; rethrows
   * what `decide` throws. `decide` must be pure and must not change the account, and may be called several times.
   */
  execute<T = never>(accountId: string, decide: Decide<T>): Promise<Executed<T>>;
  /** Whether the account is in memory; if not, `execute` reads it first. */
  holds(accountId: string): boolean;
  /** Cached accounts and commits on their way, for metrics. */
  stats(): { cached: number; inFlight: number };
  /** Writes the snapshots that are due. */
  close(): Promise<void>;
};

export type Decide<T> = (account: Account, place: Place) => Decision<T>;
export type Place = {
  /** Revision of the account's last event; -1 if it has none. */
  revision: number;
  /** Events up to here are known to be on disk. */
  durableRevision: number;
  /** The id for the events of this decision. */
  commitId: string;
};
export type Decision<T> =
  | { events: readonly AccountEvent[]; symbol: string | null }
  /**
   * Appends nothing. `rests` says what the reply depends on. `'absent'`: something does not exist, so the stream is read
   * to its end before the reply. `'present'`: something exists, and is durable by the time of the reply. `'memory'`:
   * commits on their way; the reply is given at once.
   */
  | { reply: T; rests: 'present' | 'absent' | 'memory' };
export type Executed<T> =
  | { events: readonly AccountEvent[] /** Revision of the last event. */; revision: number; position: number }
  | { reply: T; position: number };

/** Other processes changed the account under every attempt; nothing was recorded. */
export class AccountBusy extends Error {
  override name = 'AccountBusy';
}

/** A conflict means another process appended meanwhile; after this many something else is wrong. */
const ATTEMPTS_MAX = 8;
const ACCOUNTS_MAX = 50_000;
/** Kept keys and open orders over all cached accounts, about 200 B each: some 200 MB. */
const CACHE_WEIGHT_MAX = 1_000_000;
/** After this long without a foreign write the account counts as unshared. */
const SHARED_FOR_MS = 10_000;

type Entry = {
  accountId: string;
  account: Account;
  revision: number;
  durableRevision: number;
  /** Position of the last event known to be durable. */
  position: number;
  inFlight: number;
  /** Ends when every earlier submission is durable or has failed. */
  tail: Promise<unknown>;
  /** A commit failed, so the state includes events that were never recorded. */
  broken: boolean;
  snapshotRevision: number;
  /** The rounds in which decisions go while the account is shared. */
  rounds: Rounds;
};

export function accountsInMemory(options: {
  store: EventStore<Event>;
  appender: Appender<Event>;
  snapshots: Snapshots;
  runtime: Runtime;
  log: Log;
  accountsMax?: number;
}): Accounts {
  const { store, appender, runtime, accountsMax = ACCOUNTS_MAX } = options;
  const stored = accountSnapshots(options);
  /** Accounts that were evicted while commits were on their way; they stay until the commits have arrived. */
  const pinned = new Map<string, Entry>();
  const loading = new Map<string, Promise<Entry>>();
  /** Until when an account counts as shared. */
  const sharedUntilMs = new LRUCache<string, number>({ max: ACCOUNTS_MAX });
  let inFlight = 0;
  const cache = new LRUCache<string, Entry>({
    max: accountsMax,
    maxSize: CACHE_WEIGHT_MAX,
    sizeCalculation: ({ account }) => 1 + account.keys.kept.size + account.orders.size,
    dispose: (entry, accountId, reason) => {
      if (reason !== 'evict' || entry.broken) return;
      if (entry.inFlight > 0 || entry.rounds.isOn()) pinned.set(accountId, entry);
      else snapshotEvicted(entry);
    },
  });

  async function execute<T>(accountId: string, decide: Decide<T>): Promise<Executed<T>> {
    let upToDate: Entry | null = null;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const entry = cached(accountId) ?? (await load(accountId));
      const outcome = isShared(entry)
        ? await entry.rounds.join(() => tryOn(entry, decide, true))
        : await tryOn(entry, decide, upToDate === entry);
      if (outcome === 'up to date') upToDate = entry;
      else if (outcome !== 'again') return outcome;
    }
    throw new AccountBusy(`account ${accountId} changed under ${ATTEMPTS_MAX} attempts`);
  }

  /** Makes one attempt on the account in memory; `isUpToDate`: the entry lacks no event of the stream. */
  async function tryOn<T>(
    entry: Entry,
    decide: Decide<T>,
    isUpToDate: boolean,
  ): Promise<Executed<T> | 'again' | 'up to date'> {
    if (entry.broken) return 'again';
    const commitId = mintId(runtime);
    const { revision, durableRevision } = entry;
    const decision = decide(entry.account, { revision, durableRevision, commitId });
    if ('reply' in decision) {
      if (decision.rests === 'absent' && !isUpToDate) {
        return (await lacksNothing(entry)) ? 'up to date' : 'again';
      }
      if (decision.rests !== 'memory') await hasEnded(entry.tail);
      return entry.broken ? 'again' : { reply: decision.reply, position: entry.position };
    }
    const verdict = await submit(entry, commitId, decision.events, decision.symbol);
    if (verdict.verdict !== 'ok' && verdict.verdict !== 'duplicate') return 'again';
    return { events: decision.events, revision: verdict.revision, position: verdict.position };
  }

  const isShared = ({ accountId, rounds }: Entry): boolean =>
    rounds.isOn() || (sharedUntilMs.size > 0 && (sharedUntilMs.get(accountId) ?? 0) > runtime.monotonicMs());
  const noteShared = ({ accountId }: Entry) => {
    sharedUntilMs.set(accountId, runtime.monotonicMs() + SHARED_FOR_MS);
  };

  /** Reads the events of the stream beyond the entry; false if the entry is broken. */
  async function catchUp(entry: Entry): Promise<boolean> {
    await hasEnded(entry.tail);
    if (entry.broken) return false;
    try {
      if ((await readTail(store, entry.accountId, entry)) > 0) noteShared(entry);
    } catch (error) {
      discard(entry);
      throw error;
    }
    entry.durableRevision = entry.revision;
    return true;
  }

  function cached(accountId: string): Entry | undefined {
    const entry = cache.get(accountId);
    if (entry) return entry;
    const entryPinned = pinned.get(accountId);
    if (entryPinned) {
      pinned.delete(accountId);
      cache.set(accountId, entryPinned);
    }
    return entryPinned;
  }

  /** Evolves the account at once, so that the next decision builds on the events, and submits the commit. */
  function submit(
    entry: Entry,
    commitId: string,
    events: readonly AccountEvent[],
    symbol: string | null,
  ): Promise<Verdict> {
    const expectedRevision = entry.revision;
    try {
      for (const event of events) {
        evolve(entry.account, event, entry.revision + 1);
        entry.revision += 1;
      }
    } catch (error) {
      discard(entry);
      throw error;
    }
    const { revision } = entry;
    const snapshotEvents = entry.rounds.isOn() ? SNAPSHOT_SHARED_EVENTS : SNAPSHOT_EVENTS;
    const text = revision - entry.snapshotRevision >= snapshotEvents ? snapshotText(entry) : null;
    if (text !== null) weighAnew(entry);
    const chained = entry.inFlight > 0;
    entry.inFlight += 1;
    inFlight += 1;
    const stream = accountStream(entry.accountId);
    const arrived = appender.append({ id: commitId, stream, expectedRevision, chained, symbol, events }).then(
      (verdict) => {
        arrive(entry, verdict);
        if (text !== null && !entry.broken) write(entry, text, revision);
        return verdict;
      },
      (error: unknown) => {
        arrive(entry, null);
        throw error;
      },
    );
    entry.tail = arrived;
    return arrived;
  }

  function arrive(entry: Entry, verdict: Verdict | null): void {
    inFlight -= 1;
    entry.inFlight -= 1;
    if (verdict?.verdict === 'ok' || verdict?.verdict === 'duplicate') {
      entry.durableRevision = verdict.revision;
      entry.position = verdict.position;
    } else {
      if (verdict?.verdict === 'conflict') noteShared(entry);
      discard(entry);
    }
    unpin(entry);
  }

  function unpin(entry: Entry): void {
    if (entry.inFlight > 0 || entry.rounds.isOn() || pinned.get(entry.accountId) !== entry) return;
    pinned.delete(entry.accountId);
    snapshotEvicted(entry);
  }

  function discard(entry: Entry): void {
    entry.broken = true;
    if (cache.peek(entry.accountId) === entry) cache.delete(entry.accountId);
    if (pinned.get(entry.accountId) === entry) pinned.delete(entry.accountId);
  }

  /**
   * Whether the entry has every event that its stream had at the time of the call; if not, the account is shared.
   * Our own commits must arrive before the comparison: until then, the end of the stream may be a foreign write.
   */
  async function lacksNothing(entry: Entry): Promise<boolean> {
    const revision = await store.streamRevision(accountStream(entry.accountId));
    await hasEnded(entry.tail);
    if (entry.broken) return false;
    if (entry.durableRevision >= revision) return true;
    noteShared(entry);
    return false;
  }

  /** Loads an account once at a time, however many callers wait for it. */
  function load(accountId: string): Promise<Entry> {
    const running = loading.get(accountId);
    if (running) return running;
    const started = hydrate(accountId).finally(() => loading.delete(accountId));
    loading.set(accountId, started);
    return started;
  }

  async function hydrate(accountId: string): Promise<Entry> {
    const loaded = await stored.load(accountId);
    const entry: Entry = {
      accountId,
      ...loaded,
      durableRevision: loaded.revision,
      inFlight: 0,
      tail: Promise.resolve(),
      broken: false,
      rounds: rounds({ read: () => catchUp(entry), onEnd: () => unpin(entry) }),
    };
    cache.set(accountId, entry);
    return entry;
  }

  function snapshotText(entry: Entry): string | null {
    if (stored.isBusy()) return null;
    entry.snapshotRevision = entry.revision;
    return stored.textOf(entry.account);
  }

  /** Tells the cache how much an entry has grown. Never called while the cache evicts: that would tear its list. */
  function weighAnew(entry: Entry): void {
    if (cache.peek(entry.accountId) !== entry) return;
    cache.delete(entry.accountId);
    cache.set(entry.accountId, entry);
  }

  function snapshotEvicted(entry: Entry): void {
    if (entry.broken || entry.durableRevision - entry.snapshotRevision < SNAPSHOT_EVICTED_EVENTS) return;
    assert.equal(entry.revision, entry.durableRevision, 'a snapshot holds durable events only');
    const text = snapshotText(entry);
    if (text !== null) write(entry, text, entry.revision);
  }

  const write = ({ accountId, position }: Entry, text: string, revision: number) =>
    stored.write(accountId, { revision, position }, text);

  return {
    execute,
    holds: (accountId) => cache.has(accountId) || pinned.has(accountId),
    stats: () => ({ cached: cache.size + pinned.size, inFlight }),
    async close() {
      for (const entry of cache.values()) {
        if (entry.inFlight > 0 || entry.rounds.isOn() || entry.broken) continue;
        while (stored.isBusy()) await stored.oneSettled();
        snapshotEvicted(entry);
      }
      await stored.settled();
    },
  };
}

const hasEnded = (promise: Promise<unknown>) => promise.then(ignore, ignore);
const ignore = () => undefined;
