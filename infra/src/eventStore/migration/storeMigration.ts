import { type Runtime, sleep } from '../../runtime/runtime.ts';
import {
  COMMITS_PER_APPEND_MAX,
  type Commit,
  type EventStore,
  type Recorded,
  UnknownOutcome,
} from '../eventStore.ts';
import { APPEND_TEXT_MAX } from '../groupCommit.ts';
import { digest, everything, type StoredEvent, type StreamDigests, storeDigest } from './storeDigest.ts';

/**
 * Copies one event store into another: every commit with its id, place, events and symbol, in the order of the
 * source. Positions and the store's id are the target's own. What the target holds already is compared, not
 * copied again, so an interrupted copy goes on where it was; a target that holds anything else is refused before
 * anything is written. In the end every stream of both is read again and compared.
 */
export type Migration = {
  /** Copied now. */
  events: number;
  commits: number;
  /** Found in the target already. */
  eventsBefore: number;
  streams: number;
};

export type Progress = {
  step: 'looking at the target' | 'comparing' | 'copying' | 'verifying';
  /** Events dealt with in this step. */
  events: number;
  /** How far it is, 0 to 1. */
  share: number;
};

/** The copy cannot be made, or is not the same, said to a person. */
class MigrationRefused extends Error {
  override name = 'MigrationRefused';
}

const REPEAT_AFTER_MS = 500;
/** About a minute of a target that does not answer; its adapter waits for ten seconds each time, too. */
const REPEATS_MAX = 6;
/** Streams named in a message. */
const NAMED_MAX = 5;

type Store = EventStore<StoredEvent>;

export async function migrateStore(options: {
  from: Store;
  to: Store;
  runtime: Runtime;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}): Promise<Migration> {
  const { from, to, signal, onProgress } = options;
  if (from.id === to.id)
    throw new MigrationRefused(`both addresses lead to the same event store (${from.id})`);
  const [sourceHead, targetHead] = [await from.head(), await to.head()];
  const shareOf = (position: number, head: number) => (head === 0 ? 1 : Math.min(1, position / head));

  const found = storeDigest();
  const held = found.streams;
  const eventsBefore = await read(to, found, signal, (events, position) =>
    onProgress({ step: 'looking at the target', events, share: shareOf(position, targetHead) }),
  );
  const resumeAfter = await compared(from, held, signal, (events) =>
    onProgress({
      step: 'comparing',
      events,
      share: eventsBefore === 0 ? 1 : Math.min(1, events / eventsBefore),
    }),
  );
  const copied = { events: 0, commits: 0 };
  for await (const { commits, position } of batches(options, resumeAfter, held, signal)) {
    await append(options, commits);
    copied.commits += commits.length;
    copied.events += commits.reduce((sum, { events }) => sum + events.length, 0);
    onProgress({ step: 'copying', events: copied.events, share: shareOf(position, sourceHead) });
  }
  const streams = await verified(options, shareOf);
  return { ...copied, eventsBefore, streams };
}

/** Reads a whole store into its digest; the number of its events. */
async function read(
  store: Store,
  into: ReturnType<typeof storeDigest>,
  signal: AbortSignal,
  onPage: (events: number, position: number) => void,
): Promise<number> {
  let events = 0;
  for await (const page of everything(store, 0, signal)) {
    for (const recorded of page.events) into.add(recorded);
    events += page.events.length;
    onPage(events, page.position);
  }
  return events;
}

/**
 * Position in the source after which something is missing in the target. Throws where the target holds what the
 * source does not: each stream of the target must be the beginning of the source's.
 */
async function compared(
  from: Store,
  held: StreamDigests,
  signal: AbortSignal,
  onPage: (events: number) => void,
): Promise<number> {
  const source: StreamDigests = new Map();
  const unmatched = new Set(held.keys());
  let resumeAfter: number | null = held.size === 0 ? 0 : null;
  let events = 0;
  if (unmatched.size === 0) return 0;
  for await (const page of everything(from, 0, signal)) {
    let before = page.before;
    for (const recorded of page.events) {
      const { stream, revision, position } = recorded;
      const target = held.get(stream);
      const own = digest(source, recorded);
      if (target && own.events === target.events) {
        if (own.digest !== target.digest) throw somethingElse([stream]);
        unmatched.delete(stream);
      }
      if (!target || revision >= target.events) resumeAfter ??= before;
      else events += 1;
      before = position;
    }
    onPage(events);
    if (unmatched.size === 0) return resumeAfter ?? page.position;
  }
  throw somethingElse([...unmatched]);
}

const somethingElse = (streams: readonly string[]) =>
  new MigrationRefused(
    `the target holds something else than the source, in ${named(streams)}: nothing was written. Copy into an empty store.`,
  );

const named = (streams: readonly string[]) =>
  `${streams.slice(0, NAMED_MAX).join(', ')}${streams.length > NAMED_MAX ? ` and ${streams.length - NAMED_MAX} more` : ''}`;

/** The commits after a position that the target lacks, in calls of what one append takes. */
async function* batches(
  { from, to }: { from: Store; to: Store },
  after: number,
  held: StreamDigests,
  signal: AbortSignal,
): AsyncGenerator<{ commits: Commit<StoredEvent>[]; position: number }> {
  let commits: Commit<StoredEvent>[] = [];
  let length = 0;
  let position = after;
  for await (const commit of commitsAfter(from, after, signal)) {
    position = commit.position;
    const there = held.get(commit.stream)?.events ?? 0;
    if (commit.expectedRevision + commit.events.length < there) continue;
    if (commit.expectedRevision + 1 < there) throw somethingElse([commit.stream]);
    const text = to.textOf(commit);
    if (commits.length === COMMITS_PER_APPEND_MAX || (length > 0 && length + text.length > APPEND_TEXT_MAX)) {
      yield { commits, position };
      [commits, length] = [[], 0];
    }
    const chained = commits.some(({ stream }) => stream === commit.stream);
    const { id, stream, expectedRevision, symbol, events } = commit;
    commits.push({ id, stream, expectedRevision, chained, symbol, events, text });
    length += text.length;
  }
  if (commits.length > 0) yield { commits, position };
}

/** Commits put together of their events, which lie side by side. */
async function* commitsAfter(from: Store, after: number, signal: AbortSignal) {
  let open: Recorded<StoredEvent>[] = [];
  const whole = () => {
    const [first, last] = [open[0], open.at(-1)];
    if (!first || !last) return null;
    const { commitId: id, stream, symbol, revision } = first;
    const events = open.map(({ event }) => event);
    return { id, stream, symbol, expectedRevision: revision - 1, events, position: last.position };
  };
  for await (const page of everything(from, after, signal)) {
    for (const recorded of page.events) {
      const last = open.at(-1);
      if (last && (last.commitId !== recorded.commitId || last.stream !== recorded.stream)) {
        const commit = whole();
        if (commit) yield commit;
        open = [];
      }
      open.push(recorded);
    }
  }
  const commit = whole();
  if (commit) yield commit;
}

async function append(
  { to, runtime, signal }: { to: Store; runtime: Runtime; signal: AbortSignal },
  commits: readonly Commit<StoredEvent>[],
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const verdicts = await to.append(commits, { inOrder: true });
      const failed = commits.filter((_, i) => !('position' in (verdicts[i] ?? {})));
      if (failed.length === 0) return;
      const streams = failed.map(({ stream }) => stream);
      throw new MigrationRefused(
        `somebody else writes to the target, in ${named(streams)}. Stop what uses it, and begin with an empty store.`,
      );
    } catch (error) {
      if (!(error instanceof UnknownOutcome) || attempt === REPEATS_MAX) throw error;
    }
    await sleep(runtime, REPEAT_AFTER_MS, signal);
    signal.throwIfAborted();
  }
}

/** Reads both stores once more and compares every stream, and the order of all; gives the streams' number. */
async function verified(
  { from, to, signal, onProgress }: Parameters<typeof migrateStore>[0],
  shareOf: (position: number, head: number) => number,
): Promise<number> {
  const [source, target] = [storeDigest(), storeDigest()];
  const heads = { from: await from.head(), to: await to.head() };
  const events = await read(from, source, signal, (count, position) =>
    onProgress({ step: 'verifying', events: count, share: shareOf(position, heads.from) / 2 }),
  );
  await read(to, target, signal, (count, position) =>
    onProgress({ step: 'verifying', events: events + count, share: 0.5 + shareOf(position, heads.to) / 2 }),
  );
  const streams = new Set([...source.streams.keys(), ...target.streams.keys()]);
  const differing = [...streams].filter((stream) => {
    const [a, b] = [source.streams.get(stream), target.streams.get(stream)];
    return a?.events !== b?.events || a?.digest !== b?.digest;
  });
  if (differing.length > 0) {
    throw new MigrationRefused(
      `the copy differs from the source, in ${named(differing)}. Was something written meanwhile? Run it again.`,
    );
  }
  if (source.order() !== target.order()) {
    throw new MigrationRefused('the copy holds everything, but in another order. Copy into an empty store.');
  }
  return streams.size;
}
