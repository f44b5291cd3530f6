import { assertAppendable } from '../appendable.ts';
import { type Codec, type Commit, type EventStore, UnknownOutcome, type Verdict } from '../eventStore.ts';
import { type AppendServer, appendOne, appendRun, lastRevision, untilKnown } from './appendCalls.ts';
import { APPEND_BYTES_MAX, type ProposedCommit, proposed } from './wire.ts';

/** Streams to which commits are appended at the same time: enough to share the server's flushes, at most some 64 MB. */
const CONCURRENT_STREAMS_MAX = 64;

/**
 * Appends commits. Those to different streams are sent at the same time. Those to one stream are sent one after another, each
 * when the outcome of the one before is known, so that an event of somebody else cannot satisfy what a chained commit expects;
 * commits whose revisions follow each other share one append call.
 *
 * The head of the store is read first. Outcomes are judged by it (`appendCalls.ts`), and it opens the connection: the client
 * loses appends of a burst on a new connection.
 */
export function eventStoreDbAppends<E>(options: AppendServer & { codec: Codec<E> }): EventStore<E>['append'] {
  const { reads, codec } = options;
  return async (commits, { inOrder = false } = {}) => {
    if (commits.length === 0) return [];
    assertAppendable(commits);
    // Throws for a commit that is too large before anything is sent.
    const proposals = commits.map((commit) => proposed(commit, codec));
    const head = await reads.lastPosition().catch((error: unknown) => {
      throw new UnknownOutcome('EventStoreDB does not answer', { cause: error });
    });
    const lanes = inOrder
      ? [proposals.keys().toArray()]
      : Map.groupBy(proposals.keys(), (i) => proposals[i]?.commit.stream).values();
    const verdicts: Verdict[] = [];
    await forEachConcurrently([...lanes], async (places) => {
      const unsettledPlaces = places.values();
      const lane = places.flatMap((place) => proposals[place] ?? []);
      await appendLane(options, lane, head, (verdict) => {
        verdicts[unsettledPlaces.next().value ?? -1] = verdict;
      });
    });
    return verdicts;
  };
}

/** Appends commits one after another, and reports the verdict of each in the same order. */
async function appendLane<E>(
  server: AppendServer,
  lane: readonly ProposedCommit<E>[],
  head: number,
  onVerdict: (verdict: Verdict) => void,
): Promise<void> {
  const lastVerdictByStream = new Map<string, Verdict>();
  let headBefore = head;
  const recordVerdict = ({ stream }: Commit<E>, verdict: Verdict) => {
    if ('position' in verdict) headBefore = Math.max(headBefore, verdict.position);
    lastVerdictByStream.set(stream, verdict);
    onVerdict(verdict);
  };
  const isChainBroken = ({ chained, stream }: Commit<E>) => {
    const previous = lastVerdictByStream.get(stream);
    return chained && previous !== undefined && !('position' in previous);
  };
  for (const run of runs(lane)) {
    const [first] = run;
    const stream = first?.commit.stream ?? '';
    const runVerdicts =
      run.length > 1 && first && !isChainBroken(first.commit)
        ? await untilKnown(server, stream, () => appendRun(server, run, headBefore))
        : null;
    for (const [i, proposal] of run.entries()) {
      const { commit } = proposal;
      const verdict: Verdict | undefined = isChainBroken(commit)
        ? { verdict: 'broken-chain' }
        : runVerdicts?.[i];
      recordVerdict(
        commit,
        verdict ?? (await untilKnown(server, stream, () => appendOne(server, proposal, headBefore))),
      );
    }
  }
}

/** Divides a lane into runs: commits to one stream whose revisions follow each other, as many as one append accepts. */
function* runs<E>(lane: readonly ProposedCommit<E>[]): Generator<ProposedCommit<E>[]> {
  let run: ProposedCommit<E>[] = [];
  let bytes = 0;
  for (const proposal of lane) {
    const last = run.at(-1)?.commit;
    const follows =
      last?.stream === proposal.commit.stream &&
      lastRevision(last) === proposal.commit.expectedRevision &&
      bytes + proposal.bytesMax <= APPEND_BYTES_MAX;
    if (last && !follows) {
      yield run;
      [run, bytes] = [[], 0];
    }
    run.push(proposal);
    bytes += proposal.bytesMax;
  }
  if (run.length > 0) yield run;
}

/** Runs the work for all items, some at a time. After a failure no more is begun; it is thrown when the others are done. */
async function forEachConcurrently<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const remaining = items.values();
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const item of remaining) {
      if (failure) return;
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_STREAMS_MAX, items.length) }, worker));
  if (failure) throw failure.error;
}
