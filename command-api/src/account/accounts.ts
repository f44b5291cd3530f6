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
 * Accounts in memory: a bounded cache of states with their revisions. A decision is taken on the newest state, which
 * may hold events that are not durable yet; they are chained in the store, so if one fails, those decided on it fail
 * too and are decided again on the reloaded account.
 *
 * Several processes are correct side by side. An account that one process alone writes to is fast: nothing is read and
 * nothing awaited between a request and its submission. One that another process was seen writing to is *shared* for
 * a while: here its decisions then go in rounds, and before each round what the others added is read, so that
 * conflicts, which cost a reload, are rare instead of the rule.
 */
export type Accounts = {
  /**
   * Decides and, when there are events, appends them as one commit. Resolves when they are durable; what `decide`
   * throws is thrown on. `decide` may be called several times, must be pure, and must not change the account.
   */
  execute<T = never>(accountId: string, decide: Decide<T>): Promise<Executed<T>>;
  /** Whether it is in memory: otherwise it is read first. */
  holds(accountId: string): boolean;
  /** Cached accounts and commits on their way, for metrics. */
  stats(): { cached: number; inFlight: number };
  /** Writes the snapshots that are due. */
  close(): Promise<void>;
};

export type Decide<T> = (account: Account, place: Place) => Decision<T>;
export type Place = {
  /** Of the account's last event; -1 when it has none. */
  revision: number;
  /** Events up to here are known to be on disk. */
  durableRevision: number;
  /** For the events of this decision. */
  commitId: string;
};
export type Decision<T> =
  | { events: readonly AccountEvent[]; symbol: string | null }
  /**
   * Nothing is appended. `rests: 'absent'`: it rests on something not being there, so the account is read to the end
   * of its stream before; `'present'`: what it rests on is there, and durable by the time of the reply; `'memory'`:
   * it is about what is on its way, and is given at once.
   */
  | { reply: T; rests: 'present' | 'absent' | 'memory' };
export type Executed<T> =
  | { events: readonly AccountEvent[] /** Of the last event. */; revision: number; position: number }
  | { reply: T; position: number };

/** The account changed under every attempt; nothing was done. */
export class AccountBusy extends Error {
  override name = 'AccountBusy';
}

/** A conflict means another process appended meanwhile; after this many something else is wrong. */
const ATTEMPTS_MAX = 8;
const ACCOUNTS_MAX = 50_000;
/** Kept keys and open orders over all cached accounts, about 200 B each: some 200 MB. */
const CACHE_WEIGHT_MAX = 1_000_000;
/** Without a word from another process for so long, an account is this one's alone again. */
const SHARED_FOR_MS = 10_000;

type Entry = {
  accountId: string;
  account: Account;
  revision: number;
  durableRevision: number;
  /** Of the last event known to be durable. */
  position: number;
  inFlight: number;
  /** Settled when all that was submitted before is durable or has failed. */
  tail: Promise<unknown>;
  /** A commit failed: the state holds events that never were. */
  broken: boolean;
  snapshotRevision: number;
  /** Of its decisions while it is shared. */
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
  /** Evicted while commits were on their way: they stay until these have arrived. */
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
      const tried = isShared(entry)
        ? await entry.rounds.join(() => tryOn(entry, decide, true))
        : await tryOn(entry, decide, upToDate === entry);
      if (tried === 'up to date') upToDate = entry;
      else if (tried !== 'again') return tried;
    }
    throw new AccountBusy(`account ${accountId} changed under ${ATTEMPTS_MAX} attempts`);
  }

  /** One attempt on the account as it is in memory; `isUpToDate`: nothing can have been added that it lacks. */
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
      if (decision.rests !== 'memory') await settled(entry.tail);
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

  /** Reads what the stream has beyond the entry; false when the entry is of no use any more. */
  async function catchUp(entry: Entry): Promise<boolean> {
    await settled(entry.tail);
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
    const kept = pinned.get(accountId);
    if (kept) {
      pinned.delete(accountId);
      cache.set(accountId, kept);
    }
    return kept;
  }

  /** Evolves the account at once, so that the next decision stands on it, and submits the commit. */
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
   * Whether the entry holds everything that stood in its stream when this was called. Otherwise it is shared.
   * The stream's end is compared only once our own commits have arrived: until then it could be a stranger's.
   */
  async function lacksNothing(entry: Entry): Promise<boolean> {
    const revision = await store.streamRevision(accountStream(entry.accountId));
    await settled(entry.tail);
    if (entry.broken) return false;
    if (entry.durableRevision >= revision) return true;
    noteShared(entry);
    return false;
  }

  /** One load at a time for an account, however many wait for it. */
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
    // Weighed again: it has grown since it was put there.
    if (cache.peek(entry.accountId) === entry) {
      cache.delete(entry.accountId);
      cache.set(entry.accountId, entry);
    }
    return stored.textOf(entry.account);
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

const settled = (promise: Promise<unknown>) => promise.then(ignore, ignore);
const ignore = () => undefined;
