import assert from 'node:assert/strict';
import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { type Runtime, realRuntime, sleep } from '../runtime/runtime.ts';
import { assertAppendable } from './appendable.ts';
import {
  COMMITS_PER_APPEND_MAX,
  type Commit,
  type EventStore,
  UnknownOutcome,
  type Verdict,
} from './eventStore.ts';

/**
 * Group commit: one append call is in flight at a time, and the commits that arrive meanwhile share the next one. So under
 * load many commits share the cost of a round trip and a flush to disk, and a lone commit waits for no other.
 *
 * A commit with `chained: true` was decided on the state after the stream's previous commit through this appender. If that
 * one failed, this one gets `broken-chain`, whether both travel in one call or not.
 */
export type Appender<E> = {
  /**
   * Resolves with the commit's verdict once it is durable or has failed. Repeats the call until the store answers. Rejects
   * with `AppendQueueFull` or `AppenderClosed`, which both mean not appended, or with `UnknownOutcome` if the appender was
   * closed before the store answered.
   */
  append(commit: Commit<E>): Promise<Verdict>;
  /** Appends the queued commits, then ends; ends at once if the store does not answer. */
  close(): Promise<void>;
};

export class AppendQueueFull extends Error {
  override name = 'AppendQueueFull';
}

export class AppenderClosed extends Error {
  override name = 'AppenderClosed';
}

/** Waiting commits: some 30 MB and a third of a second of work; a longer queue would help nobody. */
export const APPEND_QUEUE_COMMITS_MAX = 10_000;
/** Characters of text in one call, some 2,000 events of orders, so that one append takes less than some 20 ms. */
export const APPEND_TEXT_MAX = 1_048_576;
/** Streams remembered because their last commit failed (≈ 10 MB); beyond this many the oldest is forgotten. */
const BROKEN_STREAMS_MAX = 100_000;
/** Milliseconds before an unanswered call is repeated, doubling between these; the store's adapter waits, too. */
const REPEAT_AFTER_MS = 100;
const REPEAT_AFTER_MAX_MS = 2_000;

type Entry<E> = {
  commit: Commit<E> & { text: string };
  resolve: (verdict: Verdict) => void;
  reject: (error: unknown) => void;
};

export function groupCommit<E>(
  store: EventStore<E>,
  options: { runtime?: Runtime; log?: Log | undefined; queueCommitsMax?: number } = {},
): Appender<E> {
  const { runtime = realRuntime, log, queueCommitsMax = APPEND_QUEUE_COMMITS_MAX } = options;
  const queue: Entry<E>[] = [];
  // Streams whose chain broke in a call, and streams whose chain broke because the queue was full.
  const failedStreams = boundedSet(BROKEN_STREAMS_MAX);
  const refusedStreams = boundedSet(BROKEN_STREAMS_MAX);
  const closing = new AbortController();
  let running: Promise<void> | null = null;

  const run = async () => {
    while (queue.length > 0) {
      const call = takeCall(queue, failedStreams);
      if (call.length > 0) await appendCall(call);
    }
    // No await since the queue was empty: a commit that comes later starts the next run.
    running = null;
  };

  const appendCall = async (call: Entry<E>[]) => {
    const commits = linked(call.map(({ commit }) => commit));
    try {
      const verdicts = await appendUntilKnown(commits);
      call.forEach(({ commit, resolve }, i) => {
        const verdict = verdicts[i];
        assert(verdict, 'a verdict for each commit');
        if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') failedStreams.delete(commit.stream);
        else failedStreams.add(commit.stream);
        resolve(verdict);
      });
    } catch (error) {
      for (const { commit, reject } of call) {
        failedStreams.add(commit.stream);
        reject(error);
      }
      if (closing.signal.aborted) {
        for (const { reject } of queue.splice(0)) reject(new AppenderClosed('closed before it was sent'));
      }
    }
  };

  const appendUntilKnown = async (commits: readonly Commit<E>[]): Promise<Verdict[]> => {
    for (let waitMs = REPEAT_AFTER_MS; ; waitMs = Math.min(REPEAT_AFTER_MAX_MS, waitMs * 2)) {
      try {
        return await store.append(commits);
      } catch (error) {
        if (!(error instanceof UnknownOutcome) || closing.signal.aborted) throw error;
        log?.[unlessOutage(error, 'warn')](
          { err: error, commits: commits.length, waitMs },
          'an append got no answer; it is repeated',
        );
      }
      await sleep(runtime, waitMs, closing.signal);
    }
  };

  return {
    async append(commit) {
      assertAppendable([commit]);
      if (closing.signal.aborted) throw new AppenderClosed('this appender is closed');
      if (!commit.chained) refusedStreams.delete(commit.stream);
      else if (refusedStreams.has(commit.stream)) return { verdict: 'broken-chain' };
      if (queue.length >= queueCommitsMax) {
        refusedStreams.add(commit.stream);
        throw new AppendQueueFull(`${queue.length} commits are waiting already`);
      }
      const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
      // Encoded once: the bound on a call counts it, and the store uses it, also when the call is repeated.
      const text = store.textOf(commit);
      queue.push({ commit: { ...commit, text }, resolve, reject });
      // Starts in a later microtask, so that commits submitted together travel together.
      running ??= Promise.resolve().then(run);
      return promise;
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** Takes the next call's commits off the queue. Commits whose chain is already broken get their verdict here. */
function takeCall<E>(queue: Entry<E>[], failedStreams: BoundedSet): Entry<E>[] {
  const call: Entry<E>[] = [];
  let length = 0;
  let taken = 0;
  for (const entry of queue) {
    const { stream, chained } = entry.commit;
    if (!chained) failedStreams.delete(stream);
    if (failedStreams.has(stream)) {
      entry.resolve({ verdict: 'broken-chain' });
    } else {
      length += entry.commit.text.length;
      if (call.length === COMMITS_PER_APPEND_MAX || (call.length > 0 && length > APPEND_TEXT_MAX)) break;
      call.push(entry);
    }
    taken += 1;
  }
  queue.splice(0, taken);
  return call;
}

/** Clears `chained` on commits whose predecessor went out in an earlier call, and succeeded: the store cannot know of it. */
function linked<E>(commits: readonly Commit<E>[]): Commit<E>[] {
  const present = new Set<string>();
  return commits.map((commit) => {
    const chained = commit.chained && present.has(commit.stream);
    present.add(commit.stream);
    return chained === commit.chained ? commit : { ...commit, chained };
  });
}

type BoundedSet = ReturnType<typeof boundedSet>;

function boundedSet(max: number) {
  const members = new Set<string>();
  return {
    has: (member: string) => members.has(member),
    delete: (member: string) => members.delete(member),
    add(member: string) {
      members.add(member);
      if (members.size > max) for (const oldest of members.values().take(1)) members.delete(oldest);
    },
  };
}
