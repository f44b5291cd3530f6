import type { EventStore, Page } from '../eventStore/eventStore.ts';
import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { advanced, type Division, furthest, type Gathered, lowest, placesOf } from './division.ts';
import type { Batch, Consumer, Subscription } from './feed.ts';
import type { FeedTail, Membership } from './tail.ts';
import type { TopicTail } from './topic/tail.ts';

/**
 * Delivers one consumer's batches, one at a time. The consumer first *catches up* by pages of its own from the store. When a
 * page reaches the end of the store it is *live*, a member of the shared tail, until the tail's window no longer reaches
 * back to it; then it catches up again. While a topic continues exactly where the consumer is, it is *on the topic* and does
 * not read the store.
 */
export type Pump = Subscription & {
  /** The tail or the topic moved. */
  advanced(): void;
};

/** Milliseconds between two batches without events: a reader waits no longer for a quiet consumer's position. */
export const QUIET_INTERVAL_MS = 20;
/** Milliseconds before a rejected batch is delivered again, doubling between these. */
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 5_000;

export function feedConsumer<E>(options: {
  store: EventStore<E>;
  runtime: Runtime;
  log?: Log | undefined;
  division: Division;
  tail: FeedTail<E>;
  topicTail?: TopicTail<E> | undefined;
  consumer: Consumer<E>;
}): Pump {
  const { store, runtime, log, division, tail, consumer } = options;
  const { filter, batchEventsMax } = consumer;
  const partitions = division.partitionsOf(filter);
  const stopping = new AbortController();
  const signal = wakeUp(runtime, stopping.signal);
  const progress = positionWaiters(runtime, consumer.name);
  let places = placesOf(consumer.after, division);
  /** No event between `places` and here concerns this consumer: reading goes on from here. */
  let quietTo = places;
  let handledAtMs = Number.NEGATIVE_INFINITY;
  let membership: Membership<E> | null = null;
  const position = () => lowest(places, partitions);
  const reader = options.topicTail?.join({ filter, partitions, places: () => places, onAdvance: signal.set });

  const run = async () => {
    while (!stopping.signal.aborted) {
      const gathered = await nextBatch();
      if (gathered && (await handled(gathered))) {
        places = gathered.places;
        quietTo = furthest(quietTo, places);
        handledAtMs = runtime.monotonicMs();
        progress.moved(position());
      }
    }
  };

  /** The next batch, or null after a wait: call it again. */
  const nextBatch = async (): Promise<Gathered<E> | null> => {
    signal.clear();
    const window = fromTopic() ?? fromTail();
    if (!window) return pageOfStore();
    if (window.events.length > 0) return window;
    quietTo = furthest(quietTo, window.places);
    const isQuietFurther = lowest(quietTo, partitions) > position();
    const quietForMs = handledAtMs + QUIET_INTERVAL_MS - runtime.monotonicMs();
    if (isQuietFurther && quietForMs <= 0) return { events: [], places: quietTo, live: true };
    await signal.wait(isQuietFurther ? quietForMs : null);
    return null;
  };

  const fromTopic = (): Gathered<E> | null => {
    const window = reader?.since(quietTo, batchEventsMax) ?? null;
    if (!window) return null;
    if (membership) leaveTail();
    tail.seen(Math.max(...window.places));
    return window;
  };

  const fromTail = (): Gathered<E> | null => {
    const window = membership?.since(lowest(quietTo, partitions), batchEventsMax) ?? 'uncovered';
    if (window === 'lost') {
      leaveTail();
      log?.info(
        { consumer: consumer.name, position: position() },
        'the shared window has left it behind: catching up',
      );
    }
    return typeof window === 'string' ? null : newOf(window);
  };

  /** The page's events that are new: the page begins at the lowest place, and some partitions are further on. */
  const newOf = (page: Page<E>): Gathered<E> => {
    const from = quietTo;
    const isUneven = from.some((place) => place !== from[0]);
    const events = isUneven
      ? page.events.filter((recorded) => recorded.position > (from[division.partitionOf(recorded)] ?? 0))
      : page.events;
    return { events, places: advanced(from, page.position), live: page.atEnd };
  };

  const leaveTail = () => {
    membership?.leave();
    membership = null;
  };

  const pageOfStore = async (): Promise<Gathered<E> | null> => {
    try {
      const page = await store.readAll(lowest(quietTo, partitions), filter, batchEventsMax);
      tail.seen(page.position);
      if (page.atEnd) membership ??= tail.join(filter, page.position);
      const gathered = newOf(page);
      if (gathered.events.length === 0) quietTo = gathered.places;
      if (lowest(gathered.places, partitions) > position()) return gathered;
      await signal.wait(null);
    } catch (error) {
      if (stopping.signal.aborted) return null;
      log?.[unlessOutage(error, 'warn')](
        { err: error, consumer: consumer.name, position: position() },
        'a page could not be read; it is read again',
      );
      await signal.wait(RETRY_FIRST_MS);
    }
    return null;
  };

  /** Delivers the batch until the handler accepts it; false when stopped before that. */
  const handled = async ({ events, places: to, live }: Gathered<E>): Promise<boolean> => {
    const batch: Batch<E> = { events, position: lowest(to, partitions), live };
    if (division.partitions > 1) batch.partitions = to;
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(RETRY_LAST_MS, waitMs * 2)) {
      try {
        await consumer.handle(batch);
        return true;
      } catch (error) {
        if (stopping.signal.aborted) return false;
        log?.[unlessOutage(error, 'error')](
          { err: error, consumer: consumer.name, position: position(), waitMs },
          'a batch was rejected; it is given again',
        );
      }
      await sleep(runtime, waitMs, stopping.signal);
      if (stopping.signal.aborted) return false;
    }
  };

  // Starts in a later microtask, so that the caller has the subscription before the first batch.
  const running = Promise.resolve().then(run);
  return {
    position,
    reached: (target, timeoutMs) => progress.reached(position(), target, timeoutMs),
    advanced: signal.set,
    async stop() {
      stopping.abort();
      leaveTail();
      reader?.leave();
      progress.end();
      await running;
    },
  };
}

/** A flag that can be awaited, with or without a time limit. */
function wakeUp(runtime: Runtime, stop: AbortSignal) {
  let isSet = false;
  let wake: (() => void) | null = null;
  const set = () => {
    isSet = true;
    wake?.();
  };
  stop.addEventListener('abort', set, { once: true });
  return {
    set,
    clear() {
      isSet = stop.aborted;
    },
    wait(ms: number | null): Promise<void> {
      if (isSet) return Promise.resolve();
      return new Promise((resolve) => {
        const cancel = ms === null ? null : runtime.setTimer(ms, () => wake?.());
        wake = () => {
          wake = null;
          cancel?.();
          resolve();
        };
      });
    },
  };
}

/** Callers that wait until a position has been handled. */
function positionWaiters(runtime: Runtime, name: string) {
  type Waiter = { target: number; end: (error?: Error) => void };
  const waiters = new Set<Waiter>();
  let ended = false;
  return {
    reached(position: number, target: number, timeoutMs: number): Promise<void> {
      if (position >= target) return Promise.resolve();
      if (ended) return Promise.reject(new Error(`${name} has stopped`));
      return new Promise((resolve, reject) => {
        const end = (error?: Error) => {
          waiters.delete(waiter);
          cancel();
          if (error) reject(error);
          else resolve();
        };
        const waiter = { target, end };
        const cancel = runtime.setTimer(timeoutMs, () =>
          end(new Error(`${name} did not reach ${target} within ${timeoutMs} ms`)),
        );
        waiters.add(waiter);
      });
    },
    moved(position: number) {
      for (const { target, end } of waiters) if (position >= target) end();
    },
    end() {
      ended = true;
      for (const { end } of waiters) end(new Error(`${name} has stopped`));
    },
  };
}
