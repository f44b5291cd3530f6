import type { EventStore, Recorded } from '../eventStore/eventStore.ts';
import type { Feed } from '../feed/feed.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';

/**
 * Knows which sessions (sign-ins) were ended before their tokens expire. The truth is in the clients' streams: for a token
 * that a process sees for the first time it reads the client's stream from the session's beginning on; later ends come from
 * the feed. So a lost cache loses nothing, no start reads the past, and a request costs only look-ups.
 */
export type SessionEnds = {
  /** Whether the session was ended, as far as this process knows. */
  hasEnded(session: Session): boolean;
  /** Reads the session's ends so far from its client's stream. Rejects with `SessionUnknown` if that cannot be read. */
  learn(session: Session): Promise<void>;
  /** A number that changes when ends were forgotten: sessions learnt in an earlier era have to be learnt again. */
  era(): number;
  /** Notes an end that this process has recorded itself, without waiting for the feed. */
  note(clientId: string, end: SessionEnd, revision: number): void;
  /** Calls `listener` once, when the session ends, or soon if it has ended; returns the function that unsubscribes. */
  onEnd(session: Session, listener: () => void): () => void;
  close(): Promise<void>;
};

/** `sessionRevision`: the revision, in the client's stream, of the event that began the session. */
export type Session = { clientId: string; sessionId: string; sessionRevision: number };
/** The end of one session, or with `sessionId` null of all earlier ones. After `untilMs` their tokens have expired anyway. */
export type SessionEnd = { sessionId: string | null; untilMs: number };

/** Nobody knows whether the session was ended: the request may be repeated. */
export class SessionUnknown extends Error {
  override name = 'SessionUnknown';
}

/** Ends remembered, some 150 bytes each; beyond this many all are forgotten, and sessions are learnt again. */
export const ENDS_MAX = 100_000;
/** Milliseconds by which processes' clocks may differ: an end is remembered for this much longer than its tokens live. */
const CLOCKS_DIFFER_MS = 60_000;
/** Milliseconds for which a request with a new token waits for the store. */
const LEARN_WITHIN_MS = 2_000;
const UNKNOWN = 'whether the session was ended cannot be learnt now';
const PAGE_EVENTS = 500;
const BATCH_EVENTS_MAX = 500;

export async function sessionEnds<E>(options: {
  store: Pick<EventStore<E>, 'id' | 'head' | 'readStream'>;
  feed: Feed<E>;
  /** The events that end sessions, and how to read them. */
  ends: {
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
  const { store, feed, ends, runtime, log, endsMax = ENDS_MAX } = options;
  /** Ended sessions by id, in the order of their notes, which is about that of their expiry. */
  const ended = new Map<string, { untilMs: number }>();
  /** By client: all sessions below this revision have ended. */
  const allEnded = new Map<string, { untilMs: number; revision: number }>();
  const listeners = new Map<object, { session: Session; listener: () => void }>();
  let era = 0;

  const hasEnded = ({ clientId, sessionId, sessionRevision }: Session) =>
    ended.has(sessionId) || sessionRevision < (allEnded.get(clientId)?.revision ?? Number.NEGATIVE_INFINITY);
  const note = (clientId: string, { sessionId, untilMs }: SessionEnd, revision: number) => {
    const nowMs = runtime.nowMs();
    for (const noted of [ended, allEnded]) forgetExpired(noted, nowMs);
    const forgetAtMs = untilMs + CLOCKS_DIFFER_MS;
    if (forgetAtMs <= nowMs) return;
    if (ended.size + allEnded.size >= endsMax) {
      log?.warn({ ends: endsMax }, 'too many sessions were ended to remember; tokens are looked at anew');
      ended.clear();
      allEnded.clear();
      era += 1;
    }
    if (sessionId !== null) ended.set(sessionId, { untilMs: forgetAtMs });
    else {
      const earlier = allEnded.get(clientId);
      allEnded.delete(clientId);
      allEnded.set(clientId, { untilMs: forgetAtMs, revision: Math.max(revision, earlier?.revision ?? 0) });
    }
    for (const [key, { session, listener }] of listeners) {
      if (session.clientId !== clientId || !hasEnded(session)) continue;
      listeners.delete(key);
      listener();
    }
  };
  const noteEvent = ({ event, stream, revision }: Recorded<E>) => {
    const end = ends.endOf(event);
    if (end) note(ends.clientOf(stream), end, revision);
  };

  const read = async ({ clientId, sessionRevision }: Session) => {
    for (let next = sessionRevision; ; ) {
      const page = await store.readStream(ends.streamOf(clientId), next, PAGE_EVENTS);
      page.forEach(noteEvent);
      const last = page.at(-1);
      if (!last || page.length < PAGE_EVENTS) return;
      next = last.revision + 1;
    }
  };

  // `learn` finds the ends up to here; the feed delivers later ones.
  const after = { storeId: store.id, position: await store.head() };
  const subscription = feed.subscribe({
    name: 'session ends',
    after,
    filter: { categories: [ends.category], types: ends.types },
    batchEventsMax: BATCH_EVENTS_MAX,
    handle: async ({ events }) => events.forEach(noteEvent),
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

/** Forgets expired ends, beginning with the oldest: one that is out of order is forgotten a little later. */
function forgetExpired(ends: Map<string, { untilMs: number }>, nowMs: number): void {
  for (const [key, { untilMs }] of ends) {
    if (untilMs > nowMs) return;
    ends.delete(key);
  }
}
