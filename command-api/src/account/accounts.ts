import { type AccountEvent, accountStream, type Event, mintId } from '@brokerx/contracts';
import type { Appender, EventStore, Log, Runtime, Snapshots, Verdict } from '@brokerx/infra';
import { type Account, evolve } from './account.ts';
import {
  type AccountEntry,
  accountCache,
  breakEntry,
  closeCache,
  findEntry,
  isBroken,
  submissionsEnded,
  textIfDue,
  unpin,
  writeText,
} from './accountCache.ts';
import { accountSnapshots } from './accountSnapshots.ts';
import { rounds } from './rounds.ts';
import { catchUp, isShared, lacksNothing, noteShared, type Sharing, sharing } from './sharing.ts';

/**
 * Keeps accounts in memory: a bounded cache of states with their revisions. Decisions use the newest state, which may
 * include events that are not durable yet. The store chains their commits: if one commit fails, the commits decided on
 * it fail too, and all are decided again on the reloaded account.
 *
 * Several processes may work side by side. While one process alone writes to an account, it reads and awaits nothing
 * between a request and its submission. Once it sees another process write, it treats the account as *shared* for a
 * while (`sharing.ts`). How an account enters memory and leaves it is told in `accountCache.ts`.
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
  | Append
  /**
   * Appends nothing. `rests` says what the reply depends on. `'absent'`: something does not exist, so the stream is read
   * to its end before the reply. `'present'`: something exists, and is durable by the time of the reply. `'memory'`:
   * commits on their way; the reply is given at once.
   */
  | { reply: T; rests: 'present' | 'absent' | 'memory' };
type Append = { events: readonly AccountEvent[]; symbol: string | null };
export type Executed<T> =
  | { events: readonly AccountEvent[] /** Revision of the last event. */; revision: number; position: number }
  | { reply: T; position: number };

/** Other processes changed the account under every attempt; nothing was recorded. */
export class AccountBusy extends Error {
  override name = 'AccountBusy';
}

/** A conflict means another process appended meanwhile; after this many something else is wrong. */
const ATTEMPTS_MAX = 8;

/** All accounts of one process. */
type State = Sharing & {
  readonly appender: Appender<Event>;
  /** Accounts that are being loaded, each once at a time. */
  readonly loading: Map<string, Promise<AccountEntry>>;
  /** Commits on their way, of all accounts. */
  inFlight: number;
};

export function accountsInMemory(options: {
  store: EventStore<Event>;
  appender: Appender<Event>;
  snapshots: Snapshots;
  runtime: Runtime;
  log: Log;
  accountsMax?: number;
}): Accounts {
  const { store, appender, runtime, accountsMax } = options;
  const cache = accountCache(accountSnapshots(options), accountsMax);
  const { cached, pinned } = cache;
  const state: State = {
    ...sharing({ store, cache, runtime }),
    appender,
    loading: new Map(),
    inFlight: 0,
  };
  return {
    execute: (accountId, decide) => execute(state, accountId, decide),
    holds: (accountId) => cached.has(accountId) || pinned.has(accountId),
    stats: () => ({ cached: cached.size + pinned.size, inFlight: state.inFlight }),
    close: () => closeCache(cache),
  };
}

async function execute<T>(state: State, accountId: string, decide: Decide<T>): Promise<Executed<T>> {
  let upToDate: AccountEntry | null = null;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const entry = findEntry(state.cache, accountId) ?? (await load(state, accountId));
    const outcome = isShared(state, entry)
      ? await entry.rounds.join(() => tryOn(state, entry, decide, true))
      : await tryOn(state, entry, decide, upToDate === entry);
    if (outcome === 'up to date') upToDate = entry;
    else if (outcome !== 'again') return outcome;
  }
  throw new AccountBusy(`account ${accountId} changed under ${ATTEMPTS_MAX} attempts`);
}

/** Makes one attempt on the account in memory; `isUpToDate`: the entry lacks no event of the stream. */
async function tryOn<T>(
  state: State,
  entry: AccountEntry,
  decide: Decide<T>,
  isUpToDate: boolean,
): Promise<Executed<T> | 'again' | 'up to date'> {
  if (isBroken(entry)) return 'again';
  const commitId = mintId(state.runtime);
  const { revision, durableRevision } = entry;
  const decision = decide(entry.account, { revision, durableRevision, commitId });
  if ('reply' in decision) {
    if (decision.rests === 'absent' && !isUpToDate) {
      return (await lacksNothing(state, entry)) ? 'up to date' : 'again';
    }
    if (decision.rests !== 'memory') await submissionsEnded(entry);
    return isBroken(entry) ? 'again' : { reply: decision.reply, position: entry.position };
  }
  const verdict = await submit(state, entry, commitId, decision);
  if (verdict.verdict !== 'ok' && verdict.verdict !== 'duplicate') return 'again';
  return { events: decision.events, revision: verdict.revision, position: verdict.position };
}

/** Evolves the account at once, so that the next decision builds on the events, and submits the commit. */
function submit(
  state: State,
  entry: AccountEntry,
  commitId: string,
  { events, symbol }: Append,
): Promise<Verdict> {
  const { cache, appender } = state;
  const expectedRevision = entry.revision;
  try {
    for (const event of events) {
      evolve(entry.account, event, entry.revision + 1);
      entry.revision += 1;
    }
  } catch (error) {
    breakEntry(cache, entry);
    throw error;
  }
  const { revision } = entry;
  const text = textIfDue(cache, entry);
  const chained = entry.inFlight > 0;
  entry.inFlight += 1;
  state.inFlight += 1;
  const stream = accountStream(entry.accountId);
  const arrived = appender.append({ id: commitId, stream, expectedRevision, chained, symbol, events }).then(
    (verdict) => {
      arrive(state, entry, verdict);
      if (text !== null && !isBroken(entry)) writeText(cache, entry, text, revision);
      return verdict;
    },
    (error: unknown) => {
      arrive(state, entry, null);
      throw error;
    },
  );
  entry.tail = arrived;
  return arrived;
}

/** A commit has its verdict; null: the appender failed, and nobody knows. */
function arrive(state: State, entry: AccountEntry, verdict: Verdict | null): void {
  state.inFlight -= 1;
  entry.inFlight -= 1;
  if (verdict?.verdict === 'ok' || verdict?.verdict === 'duplicate') {
    entry.durableRevision = verdict.revision;
    entry.position = verdict.position;
  } else {
    if (verdict?.verdict === 'conflict') noteShared(state, entry);
    breakEntry(state.cache, entry);
  }
  unpin(state.cache, entry);
}

/** Loads an account once at a time, however many callers wait for it. */
function load(state: State, accountId: string): Promise<AccountEntry> {
  const running = state.loading.get(accountId);
  if (running) return running;
  const started = hydrate(state, accountId).finally(() => state.loading.delete(accountId));
  state.loading.set(accountId, started);
  return started;
}

async function hydrate(state: State, accountId: string): Promise<AccountEntry> {
  const { cache } = state;
  const loaded = await cache.snapshots.load(accountId);
  const entry: AccountEntry = {
    accountId,
    mode: 'cached',
    ...loaded,
    durableRevision: loaded.revision,
    inFlight: 0,
    tail: Promise.resolve(),
    rounds: rounds({ read: () => catchUp(state, entry), onEnd: () => unpin(cache, entry) }),
  };
  cache.cached.set(accountId, entry);
  return entry;
}
