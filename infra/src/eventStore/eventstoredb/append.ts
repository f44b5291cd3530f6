import assert from 'node:assert/strict';
import {
  type AppendResult,
  NO_STREAM as NO_STREAM_YET,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import type { Log } from '../../runtime/log.ts';
import { backOffMs } from '../../runtime/retry.ts';
import { type Runtime, sleep } from '../../runtime/runtime.ts';
import { assertAppendable } from '../appendable.ts';
import {
  type Codec,
  type Commit,
  type EventStore,
  NO_STREAM,
  UnknownOutcome,
  type Verdict,
} from '../eventStore.ts';
import { type EventStoreDbConnection, refusalOf } from './client.ts';
import { type EventStoreDbReads, REPEAT_MS } from './reads.ts';
import {
  APPEND_BYTES_MAX,
  markOf,
  numberOf,
  type ProposedCommit,
  type ProposedEvent,
  placed,
  proposed,
  type WireEvent,
} from './wire.ts';

/**
 * Appends. Commits to one stream that follow one upon the other go in one append; otherwise one after another, never
 * before the one before is known, so that a stranger's event cannot satisfy what a chained commit expects. Different
 * streams go side by side.
 *
 * The server takes an append again as done when the same event ids stand at that place, whatever else stands
 * beside them, and does not say so. So the head of the store is read before a call: a success at or below it stood
 * there before, and is judged by what stands there, as is a wrong expected revision. That first read also opens the
 * connection: the client loses appends of a first burst.
 */
export function eventStoreDbAppends<E>(options: {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  codec: Codec<E>;
  runtime: Runtime;
  log?: Log | undefined;
  isClosed: () => boolean;
}): EventStore<E>['append'] {
  const { connection, reads, codec, runtime, log, isClosed } = options;

  const appendOnce = (stream: string, expectedRevision: number, events: ProposedEvent[]) =>
    connection.within(APPEND_DEADLINE_MS + GRACE_MS, (client) =>
      client.appendToStream(stream, events, {
        expectedRevision: expectedRevision === NO_STREAM ? NO_STREAM_YET : BigInt(expectedRevision),
        deadline: APPEND_DEADLINE_MS + CLOCKS_APART_MS,
        requiresLeader: true,
      }),
    );

  /** `known`: the head of the store when nothing of this was sent yet, or beyond. */
  const successAt = (commit: Commit<E>, known: number, position: number): Verdict => ({
    verdict: position > known ? 'ok' : 'duplicate',
    revision: lastRevision(commit),
    position,
  });

  /** By what stands where the commit's last event would. */
  const judged = async (commit: Commit<E>, known: number, actual: () => Promise<number>) => {
    const [last] = await reads.stream(commit.stream, lastRevision(commit), 1);
    if (last && isLastOf(commit, last)) return successAt(commit, known, placed({ event: last }).position);
    return { verdict: 'conflict', actualRevision: await actual() } satisfies Verdict;
  };

  const alone = async ({ commit, events }: ProposedCommit<E>, known: number): Promise<Verdict> => {
    const { stream, expectedRevision } = commit;
    let reply: AppendResult;
    try {
      reply = await appendOnce(stream, expectedRevision, events);
    } catch (error) {
      if (!(error instanceof WrongExpectedVersionError)) throw error;
      const { actualVersion } = error;
      return judged(commit, known, async () =>
        typeof actualVersion === 'bigint' ? numberOf(actualVersion) : NO_STREAM,
      );
    }
    const position = freshPosition(reply, lastRevision(commit), known);
    if (position !== null) return successAt(commit, known, position);
    return judged(commit, known, () => reads.streamRevision(stream));
  };

  /** All in one append; null where it did not happen like that. The reply says only where the last one stands. */
  const together = async (run: ProposedCommit<E>[], known: number): Promise<Verdict[] | null> => {
    const [first, last] = [run[0]?.commit, run.at(-1)?.commit];
    assert(first && last);
    const events = run.flatMap((each) => each.events);
    try {
      const reply = await appendOnce(first.stream, first.expectedRevision, events);
      if (freshPosition(reply, lastRevision(last), known) === null) return null;
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) return null;
      throw error;
    }
    const found = await reads.stream(first.stream, first.expectedRevision + 1, events.length);
    const verdicts = run.flatMap(({ commit }) => {
      const ending = found[lastRevision(commit) - first.expectedRevision - 1];
      return ending && isLastOf(commit, ending)
        ? [successAt(commit, known, placed({ event: ending }).position)]
        : [];
    });
    return verdicts.length === run.length ? verdicts : null;
  };

  /** Repeats an append, with the same ids, until its outcome is known. */
  const untilKnown = async <T>(stream: string, append: () => Promise<T>): Promise<T> => {
    const untilMs = runtime.monotonicMs() + REPEAT_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await append();
      } catch (error) {
        // Others of the same call may have been appended: what happened is told when it is repeated.
        const refusal = refusalOf(error);
        if (refusal) throw new UnknownOutcome(refusal.message, { cause: error });
        if (isClosed() || runtime.monotonicMs() >= untilMs) {
          throw new UnknownOutcome(`the append to ${stream} got no reply`, { cause: error });
        }
        log?.debug({ err: error, stream, attempt }, 'an append got no reply; it is repeated');
      }
      await sleep(runtime, backOffMs(attempt));
    }
  };

  /** Appends one after another; tells each commit's verdict. */
  const appendLane = async (
    lane: readonly ProposedCommit<E>[],
    head: number,
    tell: (commit: Commit<E>, verdict: Verdict) => void,
  ): Promise<void> => {
    const latest = new Map<string, Verdict>();
    let known = head;
    const told = (commit: Commit<E>, verdict: Verdict) => {
      if ('position' in verdict) known = Math.max(known, verdict.position);
      latest.set(commit.stream, verdict);
      tell(commit, verdict);
    };
    const isBroken = ({ chained, stream }: Commit<E>) => {
      const before = latest.get(stream);
      return chained && before !== undefined && !('position' in before);
    };
    for (const run of runs(lane)) {
      const [first] = run;
      const stream = first?.commit.stream ?? '';
      const all =
        run.length > 1 && first && !isBroken(first.commit)
          ? await untilKnown(stream, () => together(run, known))
          : null;
      for (const [i, each] of run.entries()) {
        const { commit } = each;
        const verdict: Verdict | undefined = isBroken(commit) ? { verdict: 'broken-chain' } : all?.[i];
        told(commit, verdict ?? (await untilKnown(stream, () => alone(each, known))));
      }
    }
  };

  return async (commits, { inOrder = false } = {}) => {
    if (commits.length === 0) return [];
    assertAppendable(commits);
    // Too large a one is told before anything is sent.
    const all = commits.map((commit) => proposed(commit, codec));
    const head = await reads.lastPosition().catch((error: unknown) => {
      throw new UnknownOutcome('EventStoreDB does not answer', { cause: error });
    });
    const lanes = inOrder
      ? [all.keys().toArray()]
      : Map.groupBy(all.keys(), (i) => all[i]?.commit.stream).values();
    const verdicts: Verdict[] = [];
    await sideBySide([...lanes], async (places) => {
      const untold = places.values();
      const lane = places.flatMap((place) => all[place] ?? []);
      await appendLane(lane, head, (_commit, verdict) => {
        verdicts[untold.next().value ?? -1] = verdict;
      });
    });
    return verdicts;
  };
}

/** Commits of one stream that follow one upon the other, as many as one append takes. */
function* runs<E>(lane: readonly ProposedCommit<E>[]): Generator<ProposedCommit<E>[]> {
  let run: ProposedCommit<E>[] = [];
  let bytes = 0;
  for (const each of lane) {
    const last = run.at(-1)?.commit;
    const follows =
      last?.stream === each.commit.stream &&
      lastRevision(last) === each.commit.expectedRevision &&
      bytes + each.bytesAtMost <= APPEND_BYTES_MAX;
    if (last && !follows) {
      yield run;
      [run, bytes] = [[], 0];
    }
    run.push(each);
    bytes += each.bytesAtMost;
  }
  if (run.length > 0) yield run;
}

/** Where an append stands that certainly was not there before; null where that must be looked up. */
function freshPosition(reply: AppendResult, lastRevision: number, known: number): number | null {
  const position = reply.position?.commit;
  const isFresh = position !== undefined && position > BigInt(known) && position < NO_POSITION;
  return isFresh && Number(reply.nextExpectedRevision) === lastRevision ? numberOf(position) : null;
}

function isLastOf<E>({ id, events }: Commit<E>, event: WireEvent): boolean {
  const mark = markOf(event);
  return mark?.id === id && mark.events === events.length && mark.index === events.length - 1;
}

/** Milliseconds: the server gives up after two seconds by itself, so a reply so late never comes. */
const APPEND_DEADLINE_MS = 10_000;
const GRACE_MS = 2_000;
/**
 * A deadline is sent as a point in time of our clock. With a server's clock ahead of it every append would be
 * too late before it arrives; so much the clocks may differ.
 */
const CLOCKS_APART_MS = 3_600_000;
/** Appends under way at once: enough to share the server's flushes, and at most some 64 MB. */
const STREAMS_AT_ONCE = 64;
/** What the server says where it has no position: 64 bits, all set. */
const NO_POSITION = 0xffff_ffff_ffff_ffffn;

const lastRevision = <E>({ expectedRevision, events }: Commit<E>) => expectedRevision + events.length;

/** Does the work for all, some at a time. After a failure nothing new is begun; it is thrown when the others are done. */
async function sideBySide<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values();
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const one of rest) {
      if (failure) return;
      try {
        await work(one);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(STREAMS_AT_ONCE, all.length) }, worker));
  if (failure) throw failure.error;
}
