import assert from 'node:assert/strict';
import { type AccountEvent, accountStream, type Event, mintId } from '@brokerx/contracts';
import {
  type Appender,
  type EventStore,
  type Log,
  NO_STREAM,
  type Runtime,
  type Snapshots,
  type Verdict,
} from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import {
  ACCOUNT_SNAPSHOT_VERSION,
  type Account,
  accountFrom,
  accountText,
  evolve,
  initialAccount,
} from './account.ts';

/**
 * Accounts in memory: a bounded cache of states with their revisions. A decision is taken on the newest state, which
 * may hold events that are not durable yet; they are chained in the store, so if one fails, those decided on it fail
 * too and are decided again on the reloaded account. Several processes are correct side by side; the one that has
 * an account cached is fast, as nothing is read and nothing awaited between a request and its submission.
 */
export type Accounts = {
  /**
   * Decides and, when there are events, appends them as one commit. Resolves when they are durable; what `decide`
   * throws is thrown on. `decide` may be called several times, must be pure, and must not change the account.
   */
  execute<T = never>(accountId: string, decide: Decide<T>): Promise<Executed<T>>;
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
/** Events between two snapshots: the tail to read at a reload is some 10 ms long at most. */
const SNAPSHOT_EVENTS = 4_000;
/** Fewer than this are read again as quickly as a snapshot is written. */
const SNAPSHOT_EVICTED_EVENTS = 200;
const PAGE_EVENTS = 1_000;
/** Snapshots being written at a time; one that comes while these are busy is due again later. */
const SNAPSHOTS_IN_FLIGHT_MAX = 4;

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
};

export function accountsInMemory(options: {
  store: EventStore<Event>;
  appender: Appender<Event>;
  snapshots: Snapshots;
  runtime: Runtime;
  log: Log;
  accountsMax?: number;
}): Accounts {
  const { store, appender, snapshots, runtime, log, accountsMax = ACCOUNTS_MAX } = options;
  /** Evicted while commits were on their way: they stay until these have arrived. */
  const pinned = new Map<string, Entry>();
  const loading = new Map<string, Promise<Entry>>();
  const writing = new Set<Promise<void>>();
  let inFlight = 0;
  const cache = new LRUCache<string, Entry>({
    max: accountsMax,
    maxSize: CACHE_WEIGHT_MAX,
    sizeCalculation: ({ account }) => 1 + account.keys.kept.size + account.orders.size,
    dispose: (entry, accountId, reason) => {
      if (reason !== 'evict' || entry.broken) return;
      if (entry.inFlight > 0) pinned.set(accountId, entry);
      else snapshotEvicted(entry);
    },
  });

  async function execute<T>(accountId: string, decide: Decide<T>): Promise<Executed<T>> {
    let upToDate: Entry | null = null;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const entry = cached(accountId) ?? (await load(accountId));
      const commitId = mintId(runtime);
      const { revision, durableRevision } = entry;
      const decision = decide(entry.account, { revision, durableRevision, commitId });
      if ('reply' in decision) {
        if (decision.rests === 'absent' && upToDate !== entry) {
          if (await isUpToDate(entry)) upToDate = entry;
          continue;
        }
        if (decision.rests !== 'memory') await settled(entry.tail);
        if (entry.broken) continue;
        return { reply: decision.reply, position: entry.position };
      }
      const verdict = await submit(entry, commitId, decision.events, decision.symbol);
      if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') {
        return { events: decision.events, revision: verdict.revision, position: verdict.position };
      }
    }
    throw new AccountBusy(`account ${accountId} changed under ${ATTEMPTS_MAX} attempts`);
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
    const text = entry.revision - entry.snapshotRevision >= SNAPSHOT_EVENTS ? snapshotText(entry) : null;
    const { revision } = entry;
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
      discard(entry);
    }
    if (entry.inFlight === 0 && pinned.get(entry.accountId) === entry) {
      pinned.delete(entry.accountId);
      snapshotEvicted(entry);
    }
  }

  function discard(entry: Entry): void {
    entry.broken = true;
    if (cache.peek(entry.accountId) === entry) cache.delete(entry.accountId);
    if (pinned.get(entry.accountId) === entry) pinned.delete(entry.accountId);
  }

  /**
   * Whether the entry holds everything that stood in its stream when this was called. Otherwise it is discarded.
   * The stream's end is compared only once our own commits have arrived: until then it could be a stranger's.
   */
  async function isUpToDate(entry: Entry): Promise<boolean> {
    const revision = await store.streamRevision(accountStream(entry.accountId));
    await settled(entry.tail);
    if (!entry.broken && entry.durableRevision < revision) discard(entry);
    return !entry.broken;
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
    const stream = accountStream(accountId);
    const key = { kind: 'account', key: accountId, version: ACCOUNT_SNAPSHOT_VERSION };
    const snapshot = await snapshots.load(key);
    const account = snapshot ? accountFrom(snapshot.state) : initialAccount();
    let revision = snapshot?.revision ?? NO_STREAM;
    let position = snapshot?.cursor.position ?? 0;
    for (let full = true; full; ) {
      const page = await store.readStream(stream, revision + 1, PAGE_EVENTS);
      for (const recorded of page) {
        assert.equal(recorded.revision, revision + 1, `${stream} has a gap`);
        evolve(account, recorded.event as AccountEvent, recorded.revision);
        revision = recorded.revision;
        position = recorded.position;
      }
      full = page.length === PAGE_EVENTS;
    }
    const entry: Entry = {
      accountId,
      account,
      revision,
      durableRevision: revision,
      position,
      inFlight: 0,
      tail: Promise.resolve(),
      broken: false,
      snapshotRevision: snapshot?.revision ?? NO_STREAM,
    };
    cache.set(accountId, entry);
    return entry;
  }

  function snapshotText(entry: Entry): string | null {
    if (writing.size >= SNAPSHOTS_IN_FLIGHT_MAX) return null;
    entry.snapshotRevision = entry.revision;
    // Weighed again: it has grown since it was put there.
    if (cache.peek(entry.accountId) === entry) {
      cache.delete(entry.accountId);
      cache.set(entry.accountId, entry);
    }
    return accountText(entry.account);
  }

  function snapshotEvicted(entry: Entry): void {
    if (entry.durableRevision - entry.snapshotRevision < SNAPSHOT_EVICTED_EVENTS) return;
    assert.equal(entry.revision, entry.durableRevision, 'a snapshot holds durable events only');
    const text = snapshotText(entry);
    if (text !== null) write(entry, text, entry.revision);
  }

  function write(entry: Entry, text: string, revision: number): void {
    const { accountId, position } = entry;
    const key = { kind: 'account', key: accountId, version: ACCOUNT_SNAPSHOT_VERSION };
    const done: Promise<void> = snapshots
      .save(key, { cursor: { storeId: store.id, position }, revision, state: text })
      .catch((err: unknown) => log.warn({ err, accountId }, 'a snapshot could not be written'))
      .finally(() => writing.delete(done));
    writing.add(done);
  }

  return {
    execute,
    stats: () => ({ cached: cache.size + pinned.size, inFlight }),
    async close() {
      for (const entry of cache.values()) {
        if (entry.inFlight > 0 || entry.broken) continue;
        while (writing.size >= SNAPSHOTS_IN_FLIGHT_MAX) await Promise.race(writing);
        snapshotEvicted(entry);
      }
      await Promise.all(writing);
    },
  };
}

const settled = (promise: Promise<unknown>) => promise.then(ignore, ignore);
const ignore = () => undefined;
