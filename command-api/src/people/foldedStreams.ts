import { type Cause, type ClientEvent, type ClientFact, type Event, mintId, seal } from '@brokerx/contracts';
import { type Appender, type EventStore, NO_STREAM, type Runtime } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';

/**
 * Folds streams of one kind on demand. Before every decision the stream is read to its end, from where a bounded cache
 * left off: clients sign in rarely, so the current state is worth a read. After a conflict it reads and decides again.
 */
export type FoldedStreams<S> = {
  /** The state at the end of the stream. */
  read(stream: string): Promise<Folded<S>>;
  /**
   * Decides on the state at the end of the stream and appends the facts as one commit; resolves when they are durable.
   * `decide` may be called several times. Throws `StreamContended`, and what the appender throws.
   */
  execute<R>(
    stream: string,
    cause: Cause,
    decide: (state: S, commitId: string) => { facts: readonly ClientFact[]; reply: R },
  ): Promise<Folded<S> & { reply: R; appended: boolean }>;
};

/** `revision` and `position` are those of the last event; the position of an empty stream is 0. */
export type Folded<S> = { state: S; revision: number; position: number };

/** The stream changed during every attempt; nothing was recorded. */
export class StreamContended extends Error {
  override name = 'StreamContended';
}

/** A conflict means that another request was decided meanwhile. So many of them for one client mean a defect. */
const ATTEMPTS_MAX = 20;
/** States kept, some 2 KB each. */
const STATES_MAX = 20_000;
const PAGE_EVENTS = 500;

export function foldedStreams<S>(options: {
  store: EventStore<Event>;
  appender: Appender<Event>;
  runtime: Runtime;
  initial: S;
  evolve: (state: S, event: ClientEvent) => S;
}): FoldedStreams<S> {
  const { store, appender, runtime, initial, evolve } = options;
  const cache = new LRUCache<string, Folded<S>>({ max: STATES_MAX });

  const read = async (stream: string): Promise<Folded<S>> => {
    let folded = cache.get(stream) ?? { state: initial, revision: NO_STREAM, position: 0 };
    for (;;) {
      const page = await store.readStream(stream, folded.revision + 1, PAGE_EVENTS);
      for (const { event, revision, position } of page) {
        folded = { state: evolve(folded.state, event as ClientEvent), revision, position };
      }
      if (page.length < PAGE_EVENTS) break;
    }
    const cached = cache.get(stream);
    if (folded.revision > (cached?.revision ?? NO_STREAM)) cache.set(stream, folded);
    return folded;
  };

  return {
    read,
    async execute(stream, cause, decide) {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const before = await read(stream);
        const commitId = mintId(runtime);
        const { facts, reply } = decide(before.state, commitId);
        if (facts.length === 0) return { ...before, reply, appended: false };
        const events = seal(commitId, cause, facts) as ClientEvent[];
        const verdict = await appender.append({
          id: commitId,
          stream,
          expectedRevision: before.revision,
          chained: false,
          symbol: null,
          events,
        });
        if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') {
          const { revision, position } = verdict;
          const after = { state: events.reduce(evolve, before.state), revision, position };
          cache.set(stream, after);
          return { ...after, reply, appended: true };
        }
      }
      throw new StreamContended(`${stream} changed under ${ATTEMPTS_MAX} attempts`);
    },
  };
}
