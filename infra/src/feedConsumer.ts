import { type EventStore, matcher } from './eventStore.ts';
import type { Batch, Consumer, Subscription } from './feed.ts';
import type { FeedTail, Membership } from './feedTail.ts';
import type { Log } from './log.ts';
import { type Runtime, sleep } from './runtime.ts';

/**
 * Gives one consumer its batches, one at a time. States: *catching up* (pages of its own from the store) until a
 * page reaches the end of the store; then *live* (a member of the shared tail) until the tail's window no longer
 * reaches back to it, which makes it catch up again.
 */
export type Pump = Subscription & {
  /** The tail moved. */
  advanced(): void;
};

/** Milliseconds between two batches without events: what a reader waits for a quiet consumer, at most. */
export const QUIET_INTERVAL_MS = 20;
/** Milliseconds before the events of a rejected batch are given again: doubling between these. */
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 5_000;

export function feedConsumer<E>(options: {
  store: EventStore<E>;
  runtime: Runtime;
  log?: Log | undefined;
  tail: FeedTail<E>;
  consumer: Consumer<E>;
}): Pump {
  const { store, runtime, log, tail, consumer } = options;
  const { filter, batchEventsMax } = consumer;
  const isWanted = matcher(filter, store.codec);
  const stopping = new AbortController();
  const signal = wakeUp(runtime, stopping.signal);
  const progress = positionWaiters(runtime, consumer.name);
  let position = consumer.after?.position ?? 0;
  /** Nothing between the position and here concerns this consumer: it need not be looked at again. */
  let quietTo = position;
  let handledAtMs = Number.NEGATIVE_INFINITY;
  let membership: Membership | null = null;

  const run = async () => {
    while (!stopping.signal.aborted) {
      const batch = await nextBatch();
      if (batch && (await handled(batch))) {
        position = batch.position;
        quietTo = Math.max(quietTo, position);
        handledAtMs = runtime.monotonicMs();
        progress.moved(position);
      }
    }
  };

  /** The next batch, or null after a wait: look again. */
  const nextBatch = async (): Promise<Batch<E> | null> => {
    signal.clear();
    const window = membership ? tail.since(membership, quietTo) : 'uncovered';
    if (window === 'lost') {
      membership?.leave();
      membership = null;
      log?.info({ consumer: consumer.name, position }, 'too slow for the shared window: catching up');
    }
    if (typeof window === 'string') return pageOfItsOwn();
    const events = [];
    for (const recorded of window.events) {
      if (events.length === batchEventsMax) break;
      if (isWanted(recorded)) events.push(recorded);
    }
    const last = events.at(-1);
    if (last && events.length === batchEventsMax) {
      return { events, position: last.position, live: last.position === window.to };
    }
    quietTo = Math.max(quietTo, window.to);
    if (last) return { events, position: window.to, live: true };
    const quietForMs = handledAtMs + QUIET_INTERVAL_MS - runtime.monotonicMs();
    if (quietTo > position && quietForMs <= 0) return { events, position: quietTo, live: true };
    await signal.wait(quietTo > position ? quietForMs : null);
    return null;
  };

  const pageOfItsOwn = async (): Promise<Batch<E> | null> => {
    try {
      const page = await store.readAll(quietTo, filter, batchEventsMax);
      tail.seen(page.position);
      if (page.atEnd) membership ??= tail.join(filter, page.position);
      if (page.events.length === 0) quietTo = page.position;
      if (page.position > position) return { events: page.events, position: page.position, live: page.atEnd };
      await signal.wait(null);
    } catch (error) {
      if (stopping.signal.aborted) return null;
      log?.warn(
        { err: error, consumer: consumer.name, position },
        'a page could not be read; it is read again',
      );
      await signal.wait(RETRY_FIRST_MS);
    }
    return null;
  };

  /** Hands the batch over until the handler takes it; false when stopped before it did. */
  const handled = async (batch: Batch<E>): Promise<boolean> => {
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(RETRY_LAST_MS, waitMs * 2)) {
      try {
        await consumer.handle(batch);
        return true;
      } catch (error) {
        if (stopping.signal.aborted) return false;
        log?.error(
          { err: error, consumer: consumer.name, position, waitMs },
          'a batch was rejected; it is given again',
        );
      }
      await sleep(runtime, waitMs, stopping.signal);
      if (stopping.signal.aborted) return false;
    }
  };

  // Begins a moment later, so that the subscription is in the caller's hands before the first batch.
  const running = Promise.resolve().then(run);
  return {
    position: () => position,
    reached: (wanted, timeoutMs) => progress.reached(position, wanted, timeoutMs),
    advanced: signal.set,
    async stop() {
      stopping.abort();
      membership?.leave();
      progress.end();
      await running;
    },
  };
}

/** A flag that can be waited for, with or without a time limit. */
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

/** Promises for "this position has been handled". */
function positionWaiters(runtime: Runtime, name: string) {
  type Waiter = { wanted: number; settle: (error?: Error) => void };
  const waiters = new Set<Waiter>();
  let ended = false;
  return {
    reached(position: number, wanted: number, timeoutMs: number): Promise<void> {
      if (position >= wanted) return Promise.resolve();
      if (ended) return Promise.reject(new Error(`${name} has stopped`));
      return new Promise((resolve, reject) => {
        const settle = (error?: Error) => {
          waiters.delete(waiter);
          cancel();
          if (error) reject(error);
          else resolve();
        };
        const waiter = { wanted, settle };
        const cancel = runtime.setTimer(timeoutMs, () =>
          settle(new Error(`${name} did not reach ${wanted} within ${timeoutMs} ms`)),
        );
        waiters.add(waiter);
      });
    },
    moved(position: number) {
      for (const { wanted, settle } of waiters) if (position >= wanted) settle();
    },
    end() {
      ended = true;
      for (const { settle } of waiters) settle(new Error(`${name} has stopped`));
    },
  };
}
