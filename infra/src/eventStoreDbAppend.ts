import assert from 'node:assert/strict';
import {
  type AppendResult,
  NO_STREAM as NO_STREAM_YET,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { assertAppendable } from './appendable.ts';
import {
  type Codec,
  type Commit,
  type EventStore,
  NO_STREAM,
  UnknownOutcome,
  type Verdict,
} from './eventStore.ts';
import { type EventStoreDbConnection, refusalOf } from './eventStoreDbClient.ts';
import { type EventStoreDbReads, REPEAT_MS } from './eventStoreDbReads.ts';
import { markOf, numberOf, type ProposedEvent, placed, proposedEvents } from './eventStoreDbWire.ts';
import type { Log } from './log.ts';
import { backOffMs } from './postgres.ts';
import { type Runtime, sleep } from './runtime.ts';

/**
 * Appends. A commit is one append; those to one stream go one after another, so that a stranger's event can never
 * satisfy a chained commit's expected revision; different streams go side by side.
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

  const appendOnce = (commit: Commit<E>, events: ProposedEvent[]) =>
    connection.within(APPEND_DEADLINE_MS + GRACE_MS, (client) =>
      client.appendToStream(commit.stream, events, {
        expectedRevision:
          commit.expectedRevision === NO_STREAM ? NO_STREAM_YET : BigInt(commit.expectedRevision),
        deadline: APPEND_DEADLINE_MS + CLOCKS_APART_MS,
        requiresLeader: true,
      }),
    );

  /** What stands where the commit's last event would: the position, if it is that very commit's. */
  const standing = async ({ id, stream, expectedRevision, events }: Commit<E>): Promise<number | null> => {
    const [last] = await reads.stream(stream, expectedRevision + events.length, 1);
    const mark = last && markOf(last);
    const isIt = mark?.id === id && mark.events === events.length && mark.index === events.length - 1;
    return last && isIt ? placed({ event: last }).position : null;
  };

  /** `known`: the head of the store when nothing of this call was sent yet, or beyond. */
  const judged = async (
    commit: Commit<E>,
    known: number,
    actual: () => Promise<number>,
  ): Promise<Verdict> => {
    const position = await standing(commit);
    if (position === null) return { verdict: 'conflict', actualRevision: await actual() };
    return { verdict: position > known ? 'ok' : 'duplicate', revision: lastRevision(commit), position };
  };

  const verdictOf = async (commit: Commit<E>, known: number, events: ProposedEvent[]): Promise<Verdict> => {
    let reply: AppendResult;
    try {
      reply = await appendOnce(commit, events);
    } catch (error) {
      if (!(error instanceof WrongExpectedVersionError)) throw error;
      const { actualVersion } = error;
      return judged(commit, known, async () =>
        typeof actualVersion === 'bigint' ? numberOf(actualVersion) : NO_STREAM,
      );
    }
    const position = reply.position?.commit;
    const isPlaced = position !== undefined && position > BigInt(known) && position < NO_POSITION;
    if (isPlaced && Number(reply.nextExpectedRevision) === lastRevision(commit)) {
      return { verdict: 'ok', revision: lastRevision(commit), position: numberOf(position) };
    }
    return judged(commit, known, () => reads.streamRevision(commit.stream));
  };

  /** Repeats the append, with the same ids, until its outcome is known. */
  const append = async (commit: Commit<E>, known: number, events: ProposedEvent[]): Promise<Verdict> => {
    const untilMs = runtime.monotonicMs() + REPEAT_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await verdictOf(commit, known, events);
      } catch (error) {
        // Others of the same call may have been appended: what happened is told when it is repeated.
        const refusal = refusalOf(error);
        if (refusal) throw new UnknownOutcome(refusal.message, { cause: error });
        if (isClosed() || runtime.monotonicMs() >= untilMs) {
          throw new UnknownOutcome(`the append to ${commit.stream} got no reply`, { cause: error });
        }
        log?.debug({ err: error, stream: commit.stream, attempt }, 'an append got no reply; it is repeated');
      }
      await sleep(runtime, backOffMs(attempt));
    }
  };

  return async (commits, { inOrder = false } = {}) => {
    if (commits.length === 0) return [];
    assertAppendable(commits);
    // Too large a one is told before anything is sent.
    const proposed = commits.map((commit) => proposedEvents(commit, codec));
    const known = await reads.lastPosition().catch((error: unknown) => {
      throw new UnknownOutcome('EventStoreDB does not answer', { cause: error });
    });
    const verdicts: Verdict[] = [];
    const lanes = inOrder
      ? [[...commits.keys()]]
      : [...Map.groupBy(commits.keys(), (i) => commits[i]?.stream ?? '').values()];
    await sideBySide(lanes, async (places) => {
      const latest = new Map<string, Verdict>();
      let head = known;
      for (const place of places) {
        const [commit, events] = [commits[place], proposed[place]];
        assert(commit && events);
        const before = latest.get(commit.stream);
        const isBroken = commit.chained && before !== undefined && !('position' in before);
        const verdict: Verdict = isBroken ? { verdict: 'broken-chain' } : await append(commit, head, events);
        if ('position' in verdict) head = Math.max(head, verdict.position);
        verdicts[place] = verdict;
        latest.set(commit.stream, verdict);
      }
    });
    return verdicts;
  };
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
