import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import type { EventReader } from '../reading/eventReader.ts';
import type { LiveEvents } from './liveEvents.ts';

/** Stored events that one read fetches. */
const PAGE_EVENTS = 500;

/**
 * Follows one stream from a revision on: calls `give` with each event exactly once and in order, stored events first, then new
 * ones. It is in one of two states:
 * - *catching up*: reads the store, as fast as the receiver takes events, and notes the newest live revision. Once a read finds
 *   nothing, and no live event lies beyond it, it is live.
 * - *live*: passes live events on. An event that does not follow the one before it makes it catch up again.
 * Resolves when it is live for the first time.
 */
export async function follow(options: {
  store: EventReader;
  live: LiveEvents;
  stream: string;
  fromRevision: number;
  /** Aborted to end it. */
  ended: AbortSignal;
  give: (event: Recorded<Event>) => void;
  /** Called when the store has no more events for now. */
  settled?: () => void;
  /** Called before each stored event: resolves once the receiver has room; with false when it has ended. */
  room?: () => Promise<boolean>;
  /** Called with the error when it cannot go on. */
  failed: (error: unknown) => void;
}): Promise<void> {
  const { store, live, stream, ended, settled, room, failed } = options;
  let next = options.fromRevision;
  let newestLive = next - 1;
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
      if (events.length === 0 && newestLive < next) break;
    }
    state = 'live';
    settled?.();
  };
  const unwatch = await live.watch(
    stream,
    (event) => {
      newestLive = Math.max(newestLive, event.revision);
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
