import type { Event } from '@brokerx/contracts';
import { type Feed, mayFail, type Recorded, type Runtime, type Subscription, sleep } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import type { EventReader } from '../reading/eventReader.ts';

/**
 * New events of the store's streams that somebody here watches, over one subscription to the feed: what nobody
 * watches is neither read nor parsed. Who begins to watch makes the subscription be renewed with his stream in it,
 * from the very position that it had reached, so nobody misses anything.
 */
export type LiveEvents = {
  /**
   * Calls `listener` with every event of the stream that is appended after this resolves (and maybe with some
   * before it), in order; returns the function that ends it. Read what was there before after this resolves. `settled`
   * is called when the store had no more for now: the commit of the last event was given whole.
   */
  watch(stream: string, listener: Listener, settled?: () => void): Promise<() => void>;
  /** Everything up to here was given to those who watch; what they missed of it they have read before. */
  position(): number;
  /** Those who watch now. */
  count(): number;
  close(): Promise<void>;
};
type Listener = (event: Recorded<Event>) => void;
type Watcher = { listener: Listener; settled: (() => void) | undefined };

/** Milliseconds: watchers that come together (all clients after a restart) share one renewal. */
const GATHER_MS = 20;
const BATCH_EVENTS_MAX = 1_000;

type LiveEventsOptions = {
  store: EventReader;
  feed: Feed<Event>;
  runtime: Runtime;
  log: Log;
  /** Told of each position. */
  onMoved?: (position: number) => void;
};

export function liveEvents(options: LiveEventsOptions): LiveEvents {
  const { store, feed, runtime, log } = options;
  const watchers = new Map<string, Set<Watcher>>();
  /** Streams of which something was told since the end of the store was reached last. */
  const unsettled = new Set<string>();
  let subscription: Subscription | null = null;
  /** The last renewal that was asked for; when it succeeds, everything that was watched as it began is covered. */
  let renewing: Promise<void> = Promise.resolve();
  /** The renewal that has not begun yet: it will cover every stream that is watched when it begins. */
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
  const tell = (event: Recorded<Event>) => {
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
        events.forEach(tell);
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
        // Others may have asked for this stream a moment ago, and their renewal may not have come yet.
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
