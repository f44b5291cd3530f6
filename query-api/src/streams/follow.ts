import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import type { EventReader } from '../eventReader.ts';
import type { LiveEvents } from './liveEvents.ts';
import type { EventStream } from './sse.ts';

/** Events of the past in one read. */
const PAGE_EVENTS = 500;

/**
 * Gives a client every event of one stream from a revision on, each exactly once: first what is stored, as fast as
 * the client takes it, then what happens. States: *catching up* (reads the store, only notes how far live events
 * have come) until a read finds nothing and nothing live was noted beyond it; then *live*, where each event
 * follows the one before it, or else it catches up again.
 */
export async function follow(options: {
  store: EventReader;
  live: LiveEvents;
  to: EventStream;
  stream: string;
  fromRevision: number;
  /** The message for an event; null for one that is not told. */
  frameOf: (event: Recorded<Event>) => string | null;
}): Promise<void> {
  const { store, live, to, stream, frameOf } = options;
  let next = options.fromRevision;
  let noted = next - 1;
  let state: 'catching-up' | 'live' = 'catching-up';

  const give = (event: Recorded<Event>) => {
    if (event.revision < next) return;
    next = event.revision + 1;
    const message = frameOf(event);
    if (message !== null) to.send(message);
  };
  const catchUp = async () => {
    state = 'catching-up';
    while (!to.ended.aborted) {
      const events = await store.readStream(stream, next, PAGE_EVENTS);
      for (const event of events) {
        // A page may be more than the buffer holds: the past waits for the client, it is not slow.
        if (to.body.readableLength > PAST_BUFFER_BYTES_MAX && !(await to.drained())) return;
        give(event);
      }
      if (events.length === 0 && noted < next) break;
    }
    state = 'live';
  };
  const unwatch = await live.watch(stream, (event) => {
    noted = Math.max(noted, event.revision);
    if (state === 'catching-up') return;
    if (event.revision > next) catchUp().catch(() => to.end('unavailable'));
    else give(event);
  });
  to.ended.addEventListener('abort', unwatch, { once: true });
  if (to.ended.aborted) unwatch();
  await catchUp();
}

/** Below the buffer's bound by more than the longest message. */
const PAST_BUFFER_BYTES_MAX = 128 * 1024;
