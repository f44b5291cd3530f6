import type { EventStore, Recorded } from '../eventStore/eventStore.ts';
import type { Feed } from '../feed/feed.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';

/**
 * Sessions that were ended before their tokens expire. The truth is in the clients' streams: for a token that a process
 * meets for the first time its client's stream is read, from the beginning of its session on; from then on the feed tells
 * of ends as they are recorded. So nothing is lost with any cache, no start reads the past, and a request costs look-ups.
 */
export type SessionEnds = {
  /** Whether it was ended, as far as this process has heard. */
  hasEnded(session: Session): boolean;
  /** Hears of all its ends so far from its client's stream. Rejects with `SessionUnknown` when that cannot be read. */
  learn(session: Session): Promise<void>;
  /** What was learnt in another era is to be learnt again: ends of then may have been forgotten. */
  era(): number;
  /** An end that this very process has recorded, at once. */
  note(clientId: string, end: SessionEnd, revision: number): void;
  /** Calls back once, when it ends or at once if it has; returns the function that takes it back. */
  onEnd(session: Session, listener: () => void): () => void;
  close(): Promise<void>;
};

/** `sessionRevision`: of the event that began it in its client's stream. */
export type Session = { clientId: string; sessionId: string; sessionRevision: number };
/** `sessionId` null: of all sessions that began before. No token of theirs is valid after `untilMs` anyway. */
export type SessionEnd = { sessionId: string | null; untilMs: number };

/** Whether the session was ended could not be learnt: the request may be repeated. */
export class SessionUnknown extends Error {
  override name = 'SessionUnknown';
}

/** Ends remembered, some 150 bytes each; beyond it all are forgotten, and tokens are looked at anew. */
export const ENDS_MAX = 100_000;
/** Clocks of processes differ by less than this: an end is remembered so much longer. */
const CLOCKS_DIFFER_MS = 60_000;
/** Milliseconds that a request with a new token waits for a store that does not answer. */
const LEARN_WITHIN_MS = 2_000;
const UNKNOWN = 'whether the session was ended cannot be learnt now';
const PAGE_EVENTS = 500;
const BATCH_EVENTS_MAX = 500;

export async function sessionEnds<E>(options: {
  store: Pick<EventStore<E>, 'id' | 'head' | 'readStream'>;
  feed: Feed<E>;
  /** Where ends are told. */
  told: {
    category: string;
    types: readonly string[];
    streamOf(clientId: string): string;
    clientOf(stream: string): string;
    endOf(event: E): SessionEnd | null;
  };
  runtime: Runtime;
  log?: Log | undefined;
  endsMax?: number;
}): Promise<SessionEnds> {
  const { store, feed, told, runtime, log, endsMax = ENDS_MAX } = options;
  /** By session; in the order in which they were heard of, which is about that of their expiry. */
  const ended = new Map<string, { untilMs: number }>();
  /** By client: sessions below this revision. */
  const allEnded = new Map<string, { untilMs: number; revision: number }>();
  const listeners = new Map<object, { session: Session; listener: () => void }>();
  let era = 0;

  const hasEnded = ({ clientId, sessionId, sessionRevision }: Session) =>
    ended.has(sessionId) || sessionRevision < (allEnded.get(clientId)?.revision ?? Number.NEGATIVE_INFINITY);
  const note = (clientId: string, { sessionId, untilMs }: SessionEnd, revision: number) => {
    const nowMs = runtime.nowMs();
    for (const ends of [ended, allEnded]) forgetExpired(ends, nowMs);
    const keptMs = untilMs + CLOCKS_DIFFER_MS;
    if (keptMs <= nowMs) return;
    if (ended.size + allEnded.size >= endsMax) {
      log?.warn({ ends: endsMax }, 'too many sessions were ended to remember; tokens are looked at anew');
      ended.clear();
      allEnded.clear();
      era += 1;
    }
    if (sessionId !== null) ended.set(sessionId, { untilMs: keptMs });
    else {
      const known = allEnded.get(clientId);
      allEnded.delete(clientId);
      allEnded.set(clientId, { untilMs: keptMs, revision: Math.max(revision, known?.revision ?? 0) });
    }
    for (const [key, { session, listener }] of listeners) {
      if (session.clientId !== clientId || !hasEnded(session)) continue;
      listeners.delete(key);
      listener();
    }
  };
  const hear = ({ event, stream, revision }: Recorded<E>) => {
    const end = told.endOf(event);
    if (end) note(told.clientOf(stream), end, revision);
  };

  const read = async ({ clientId, sessionRevision }: Session) => {
    for (let next = sessionRevision; ; ) {
      const page = await store.readStream(told.streamOf(clientId), next, PAGE_EVENTS);
      page.forEach(hear);
      const last = page.at(-1);
      if (!last || page.length < PAGE_EVENTS) return;
      next = last.revision + 1;
    }
  };

  // Ends up to here are found by whoever learns of a token; those behind it are told.
  const after = { storeId: store.id, position: await store.head() };
  const subscription = feed.subscribe({
    name: 'session ends',
    after,
    filter: { categories: [told.category], types: told.types },
    batchEventsMax: BATCH_EVENTS_MAX,
    handle: async ({ events }) => events.forEach(hear),
  });

  return {
    hasEnded,
    async learn(session) {
      try {
        await withinTime(runtime, LEARN_WITHIN_MS, read(session), () => {
          throw new SessionUnknown(UNKNOWN);
        });
      } catch (cause) {
        throw cause instanceof SessionUnknown ? cause : new SessionUnknown(UNKNOWN, { cause });
      }
    },
    era: () => era,
    note,
    onEnd(session, listener) {
      if (hasEnded(session)) {
        queueMicrotask(listener);
        return () => undefined;
      }
      const key = {};
      listeners.set(key, { session, listener });
      return () => listeners.delete(key);
    },
    async close() {
      listeners.clear();
      await subscription.stop();
    },
  };
}

/** From the oldest on, as far as they are expired: one that is out of order goes a little later. */
function forgetExpired(ends: Map<string, { untilMs: number }>, nowMs: number): void {
  for (const [key, { untilMs }] of ends) {
    if (untilMs > nowMs) return;
    ends.delete(key);
  }
}
