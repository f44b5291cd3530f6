import type { Event } from '@brokerx/contracts';
import { type Feed, mayFail, type Recorded, type Runtime, type Subscription, sleep } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import type { EventReader } from '../reading/eventReader.ts';

/**
 * Passes new events of watched streams on to their watchers, over one subscription to the feed. Other streams are neither read
 * nor parsed. A new watcher makes the subscription be renewed with its stream added, from the position that the subscription
 * had reached, so no watcher misses an event.
 */
export type LiveEvents = {
  /**
   * Calls `listener` with every event that is appended to the stream after this resolves (and perhaps with some from before),
   * in order; returns the function that ends it. Callers read older events after this resolves. `settled` is called when the
   * store has no more for now, so the commit of the last event is complete.
   */
  watch(stream: string, listener: Listener, settled?: () => void): Promise<() => void>;
  /** The watchers have been given every event up to this position that they had not read themselves. */
  position(): number;
  /** Watchers at this moment. */
  count(): number;
  close(): Promise<void>;
};
type Listener = (event: Recorded<Event>) => void;
type Watcher = { listener: Listener; settled: (() => void) | undefined };

/** Milliseconds: watchers that come at about the same time (all clients after a restart) share one renewal. */
const GATHER_MS = 20;
const BATCH_EVENTS_MAX = 1_000;

type LiveEventsOptions = {
  store: EventReader;
  feed: Feed<Event>;
  runtime: Runtime;
  log: Log;
  /** Called with each position that is reached. */
  onMoved?: (position: number) => void;
};

export function liveEvents(options: LiveEventsOptions): LiveEvents {
  const { store, feed, runtime, log } = options;
  const watchers = new Map<string, Set<Watcher>>();
  /** Streams with events since the end of the store was last reached. */
  const unsettled = new Set<string>();
  let subscription: Subscription | null = null;
  /** The newest renewal; once it succeeds, the subscription covers every stream that was watched when it began. */
  let renewing: Promise<void> = Promise.resolve();
  /** A renewal that has not begun yet; it will cover every stream that is watched when it begins. */
  let nextRenewal: Promise<void> | null = null;
  let closed = false;
  const { position: reached, moved } = progress(options.onMoved);

  const call = (stream: string, act: (watcher: Watcher) => void) => {
    for (const watcher of watchers.get(stream) ?? []) {
      try {
        act(watcher);
      } catch (error) {
        log.error({ err: error, stream }, 'a listener failed on an event');
      }
    }
  };
  const pass = (event: Recorded<Event>) => {
    unsettled.add(event.stream);
    call(event.stream, ({ listener }) => listener(event));
  };
  const settle = () => {
    for (const stream of unsettled) call(stream, ({ settled }) => settled?.());
    unsettled.clear();
  };
  const renew = async () => {
    await sleep(runtime, GATHER_MS);
    nextRenewal = null;
    const before = subscription;
    subscription = null;
    await before?.stop();
    if (closed || watchers.size === 0) return;
    const position = before?.position() ?? (await store.head());
    subscription = feed.subscribe({
      name: 'streams',
      after: { storeId: store.id, position },
      filter: { streams: [...watchers.keys()].sort() },
      batchEventsMax: BATCH_EVENTS_MAX,
      handle: async ({ events, position, live }) => {
        events.forEach(pass);
        if (live) settle();
        moved(position);
      },
    });
    moved(position);
  };
  const renewal = () => {
    if (!nextRenewal) {
      nextRenewal = renewing.then(renew, renew);
      renewing = nextRenewal;
    }
    return nextRenewal;
  };
  const leave = (stream: string, watcher: Watcher) => {
    const listeners = watchers.get(stream);
    if (!listeners?.delete(watcher) || listeners.size > 0) return;
    watchers.delete(stream);
    renewal().catch((error) =>
      log[unlessOutage(error, 'warn')]({ err: error }, 'the subscription of the streams was not renewed'),
    );
  };

  return {
    async watch(stream, listener, settled) {
      const listeners = watchers.get(stream);
      const watcher = { listener, settled };
      if (listeners) listeners.add(watcher);
      else watchers.set(stream, new Set([watcher]));
      try {
        // Another watcher may have requested this stream a moment ago, and its renewal may still be under way.
        await (listeners && !nextRenewal ? renewing : renewal());
      } catch (error) {
        leave(stream, watcher);
        throw error;
      }
      return () => leave(stream, watcher);
    },
    position: reached,
    count: () => watchers.values().reduce((sum, each) => sum + each.size, 0),
    async close() {
      closed = true;
      watchers.clear();
      await mayFail(renewing, 'whoever began to watch hears of it');
      await subscription?.stop();
    },
  };
}

function progress(onMoved: (position: number) => void = () => undefined) {
  let reached = 0;
  return {
    position: () => reached,
    moved(position: number) {
      reached = Math.max(reached, position);
      onMoved(reached);
    },
  };
}
