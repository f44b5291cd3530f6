import assert from 'node:assert/strict';
import {
  type AppendResult,
  NO_STREAM as NO_STREAM_YET,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import type { Log } from '../../runtime/log.ts';
import { backOffMs } from '../../runtime/retry.ts';
import { type Runtime, sleep } from '../../runtime/runtime.ts';
import { type Commit, NO_STREAM, UnknownOutcome, type Verdict } from '../eventStore.ts';
import { type EventStoreDbConnection, refusalOf } from './client.ts';
import { type EventStoreDbReads, REPEAT_MS } from './reads.ts';
import { markOf, numberOf, type ProposedCommit, type ProposedEvent, placed, type WireEvent } from './wire.ts';

/**
 * Single append calls to the server, and how their outcome is found out. The server accepts a repeated append if the same
 * event ids are at that place, whatever else is beside them, and does not say that it was a repetition. So each call gets
 * `headBefore`, a position that the store had reached before anything of this append was sent: a success at or below it was
 * there before. Such a success, and a wrong expected revision, are judged by reading what is in the stream.
 */
export type AppendServer = {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  runtime: Runtime;
  log?: Log | undefined;
  isClosed: () => boolean;
};

/** Milliseconds for the server's reply. The server itself gives up after two seconds, so a later reply never comes. */
const APPEND_DEADLINE_MS = 10_000;
const GRACE_MS = 2_000;
/**
 * How far the clocks of client and server may differ. A deadline is sent as a point in time of our clock: with a server's clock
 * ahead of it, every append would be too late before it arrives.
 */
const CLOCK_SKEW_MS_MAX = 3_600_000;
/** The server's value for no position: 64 bits, all set. */
const NO_POSITION = 0xffff_ffff_ffff_ffffn;

/** The revision of the commit's last event. */
export const lastRevision = <E>({ expectedRevision, events }: Commit<E>): number =>
  expectedRevision + events.length;

/** Appends one commit. */
export async function appendOne<E>(
  server: AppendServer,
  { commit, events }: ProposedCommit<E>,
  headBefore: number,
): Promise<Verdict> {
  const { stream, expectedRevision } = commit;
  let reply: AppendResult;
  try {
    reply = await appendEvents(server, stream, expectedRevision, events);
  } catch (error) {
    if (!(error instanceof WrongExpectedVersionError)) throw error;
    const { actualVersion } = error;
    return verdictByReading(server, commit, headBefore, async () =>
      typeof actualVersion === 'bigint' ? numberOf(actualVersion) : NO_STREAM,
    );
  }
  const position = freshPosition(reply, lastRevision(commit), headBefore);
  if (position !== null) return successAt(commit, headBefore, position);
  return verdictByReading(server, commit, headBefore, () => server.reads.streamRevision(stream));
}

/**
 * Appends commits that follow each other in one stream, all in one call. Returns null if they were not all appended by it. The
 * reply has the position of the last event alone, so those of the others are read.
 */
export async function appendRun<E>(
  server: AppendServer,
  run: readonly ProposedCommit<E>[],
  headBefore: number,
): Promise<Verdict[] | null> {
  const [first, last] = [run[0]?.commit, run.at(-1)?.commit];
  assert(first && last);
  const events = run.flatMap((proposal) => proposal.events);
  try {
    const reply = await appendEvents(server, first.stream, first.expectedRevision, events);
    if (freshPosition(reply, lastRevision(last), headBefore) === null) return null;
  } catch (error) {
    if (error instanceof WrongExpectedVersionError) return null;
    throw error;
  }
  const written = await server.reads.stream(first.stream, first.expectedRevision + 1, events.length);
  const verdicts = run.flatMap(({ commit }) => {
    const lastEvent = written[lastRevision(commit) - first.expectedRevision - 1];
    return lastEvent && isLastEventOf(commit, lastEvent)
      ? [successAt(commit, headBefore, placed({ event: lastEvent }).position)]
      : [];
  });
  return verdicts.length === run.length ? verdicts : null;
}

/** Repeats an append, with the same event ids, until its outcome is known. */
export async function untilKnown<T>(
  { runtime, log, isClosed }: AppendServer,
  stream: string,
  append: () => Promise<T>,
): Promise<T> {
  const untilMs = runtime.monotonicMs() + REPEAT_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await append();
    } catch (error) {
      // Other commits of the same call may have been appended. A repetition of the call shows which.
      const refusal = refusalOf(error);
      if (refusal) throw new UnknownOutcome(refusal.message, { cause: error });
      if (isClosed() || runtime.monotonicMs() >= untilMs) {
        throw new UnknownOutcome(`the append to ${stream} got no reply`, { cause: error });
      }
      log?.debug({ err: error, stream, attempt }, 'an append got no reply; it is repeated');
    }
    await sleep(runtime, backOffMs(attempt));
  }
}

const appendEvents = (
  { connection }: AppendServer,
  stream: string,
  expectedRevision: number,
  events: ProposedEvent[],
): Promise<AppendResult> =>
  connection.within(APPEND_DEADLINE_MS + GRACE_MS, (client) =>
    client.appendToStream(stream, events, {
      expectedRevision: expectedRevision === NO_STREAM ? NO_STREAM_YET : BigInt(expectedRevision),
      deadline: APPEND_DEADLINE_MS + CLOCK_SKEW_MS_MAX,
      requiresLeader: true,
    }),
  );

const successAt = <E>(commit: Commit<E>, headBefore: number, position: number): Verdict => ({
  verdict: position > headBefore ? 'ok' : 'duplicate',
  revision: lastRevision(commit),
  position,
});

/** Judges by the event at the revision where the commit's last event would be. */
async function verdictByReading<E>(
  { reads }: AppendServer,
  commit: Commit<E>,
  headBefore: number,
  actualRevision: () => Promise<number>,
): Promise<Verdict> {
  const [event] = await reads.stream(commit.stream, lastRevision(commit), 1);
  if (event && isLastEventOf(commit, event)) return successAt(commit, headBefore, placed({ event }).position);
  return { verdict: 'conflict', actualRevision: await actualRevision() };
}

/** The position of an append that certainly was not there before; null if that must be read. */
function freshPosition(reply: AppendResult, revision: number, headBefore: number): number | null {
  const position = reply.position?.commit;
  const isFresh = position !== undefined && position > BigInt(headBefore) && position < NO_POSITION;
  return isFresh && Number(reply.nextExpectedRevision) === revision ? numberOf(position) : null;
}

function isLastEventOf<E>({ id, events }: Commit<E>, event: WireEvent): boolean {
  const mark = markOf(event);
  return mark?.id === id && mark.events === events.length && mark.index === events.length - 1;
}
