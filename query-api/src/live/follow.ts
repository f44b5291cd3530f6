import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import type { EventReader } from '../reading/eventReader.ts';
import type { LiveEvents } from './liveEvents.ts';

/** Events of the past in one read. */
const PAGE_EVENTS = 500;

/**
 * Gives every event of one stream from a revision on, each exactly once and in order: first what is stored, as fast as it
 * is taken, then what happens. States: *catching up* (reads the store, only notes how far live events have come) until a
 * read finds nothing and nothing live was noted beyond it; then *live*, where each event follows the one before it, or
 * else it catches up again. Resolves when it is live for the first time.
 */
export async function follow(options: {
  store: EventReader;
  live: LiveEvents;
  stream: string;
  fromRevision: number;
  /** Ends it. */
  ended: AbortSignal;
  give: (event: Recorded<Event>) => void;
  /** The store had no more for now. */
  settled?: () => void;
  /** Asked before each event of the past; false: it has ended. */
  room?: () => Promise<boolean>;
  /** It cannot go on. */
  failed: (error: unknown) => void;
}): Promise<void> {
  const { store, live, stream, ended, settled, room, failed } = options;
  let next = options.fromRevision;
  let noted = next - 1;
  let state: 'catching-up' | 'live' = 'catching-up';

  const give = (event: Recorded<Event>) => {
    if (event.revision < next) return;
    next = event.revision + 1;
    options.give(event);
  };
  const catchUp = async () => {
    state = 'catching-up';
    while (!ended.aborted) {
      const events = await store.readStream(stream, next, PAGE_EVENTS);
      for (const event of events) {
        if (room && !(await room())) return;
        give(event);
      }
      if (events.length === 0 && noted < next) break;
    }
    state = 'live';
    settled?.();
  };
  const unwatch = await live.watch(
    stream,
    (event) => {
      noted = Math.max(noted, event.revision);
      if (state === 'catching-up') return;
      if (event.revision > next) catchUp().catch(failed);
      else give(event);
    },
    () => {
      if (state === 'live') settled?.();
    },
  );
  ended.addEventListener('abort', unwatch, { once: true });
  if (ended.aborted) unwatch();
  await catchUp();
}
