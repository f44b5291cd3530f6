import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import type { Log } from '../../runtime/log.ts';
import { heardElsewhere, mayFail } from '../../runtime/mayFail.ts';
import { backOffMs } from '../../runtime/retry.ts';
import { type Runtime, sleep } from '../../runtime/runtime.ts';
import { firstAfter } from '../firstAfter.ts';
import { type EventStoreDbConnection, isEventStoreDbAway } from './client.ts';
import { type EventStoreDbReads, positionAt } from './reads.ts';
import { type PlacedEvent, placed } from './wire.ts';

/**
 * The end of the store as it grows: one subscription to everything, begun with the first listener. It wakes them,
 * and keeps the newest events in a window, so that they need not be read a second time.
 *
 * A subscription may die without a word. Every few seconds the head is looked at: whoever waits is woken when there is
 * something that the subscription did not bring, and reads it himself; a subscription that stands still from one
 * look to the next is replaced. So the subscription is only ever what is fast, never what is relied on.
 */
export type EventStoreDbTail = {
  onAppend(listener: () => void): () => void;
  /** Something was appended up to here by this process. */
  advanced(position: number): void;
  /** What came after the position; null where the window does not reach back to there. */
  since(position: number): { events: readonly PlacedEvent[]; to: number } | null;
  /** Whether the window reaches the position within `timeoutMs`. */
  reaches(position: number, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
};

/** Bytes of the log that the window covers, and events in it: what is read within moments. */
const WINDOW_BYTES_MAX = 16_777_216;
const WINDOW_EVENTS_MAX = 5_000;
/** A dead subscription delays a reader by this long at most; the look itself is one event. */
const LOOK_EVERY_MS = 2_500;

export function eventStoreDbTail(options: {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  runtime: Runtime;
  log?: Log | undefined;
}): EventStoreDbTail {
  const { connection, reads, runtime, log } = options;
  const listeners = new Set<() => void>();
  const waiting = new Set<() => void>();
  const closing = new AbortController();
  let running: Promise<unknown> | null = null;
  let events: PlacedEvent[] = [];
  /** The window holds everything after `from`, up to `to`. Null until it was opened. */
  let window: { from: number; to: number } | null = null;
  let told = 0;
  let giveUp: ((reason: Error) => void) | null = null;

  const tell = (position: number) => {
    if (!(position > told)) return;
    told = position;
    for (const listener of listeners) queueMicrotask(listener);
  };

  const take = (resolved: AllStreamResolvedEvent) => {
    const event = placed(resolved);
    if (!window || event.position <= window.to) return;
    events.push(event);
    window.to = event.position;
    if (events.length > WINDOW_EVENTS_MAX * 1.2 || window.to - window.from > WINDOW_BYTES_MAX * 1.2) forget();
    tell(window.to);
    for (const look of waiting) look();
  };

  /** Drops the oldest; seldom enough for the move of the rest to cost nothing. */
  const forget = () => {
    if (!window) return;
    const tooOld = firstAfter(events, window.to - WINDOW_BYTES_MAX);
    const dropped = Math.max(tooOld, events.length - WINDOW_EVENTS_MAX);
    window.from = events[dropped - 1]?.position ?? window.from;
    events = events.slice(dropped);
  };

  /** One life of the subscription: throws when it ends. */
  const follow = async () => {
    const { lastPosition } = reads;
    if (!window) {
      const head = await lastPosition();
      window = { from: head, to: head };
      // What was appended before the window was opened is found by whoever is woken.
      tell(head);
    }
    const fromPosition = positionAt(window.to);
    const subscription = connection.client().subscribeToAll({ fromPosition, requiresLeader: true });
    const ended = Promise.withResolvers<never>();
    giveUp = ended.reject;
    subscription.on('data', take);
    subscription.on('error', ended.reject);
    for (const end of ['end', 'close'] as const) {
      subscription.on(end, () => ended.reject(new Error('the subscription ended')));
    }
    try {
      await ended.promise;
    } finally {
      giveUp = null;
      subscription.off('data', take);
      heardElsewhere(subscription.unsubscribe());
    }
  };

  const keepFollowing = async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      const before = window?.to;
      try {
        await follow();
      } catch (error) {
        failures = window?.to === before ? failures + 1 : 1;
        if (!closing.signal.aborted) await broken(error, failures, options);
      }
      await sleep(runtime, backOffMs(failures), closing.signal);
    }
  };

  const keepLooking = async () => {
    for (let stoodAt = -1; ; ) {
      await sleep(runtime, LOOK_EVERY_MS, closing.signal);
      if (closing.signal.aborted) return;
      try {
        const head = await reads.lastPosition();
        if (!window || head <= window.to) {
          stoodAt = -1;
          continue;
        }
        tell(head);
        if (window.to === stoodAt)
          giveUp?.(new Error('the subscription stood still while events were appended'));
        stoodAt = window.to;
      } catch (error) {
        log?.debug({ err: error }, 'the head could not be read; it is read again');
      }
    }
  };

  return {
    onAppend(listener) {
      listeners.add(listener);
      if (!closing.signal.aborted) running ??= Promise.all([keepFollowing(), keepLooking()]);
      return () => listeners.delete(listener);
    },
    advanced: tell,
    since(position) {
      if (!window || position < window.from || position > window.to) return null;
      return { events: events.slice(firstAfter(events, position)), to: window.to };
    },
    async reaches(position, timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const look = () => {
        if (window && window.to >= position) resolve(true);
      };
      waiting.add(look);
      const cancel = runtime.setTimer(timeoutMs, () => resolve(false));
      look();
      try {
        return await promise;
      } finally {
        cancel();
        waiting.delete(look);
      }
    },
    async close() {
      closing.abort();
      listeners.clear();
      giveUp?.(new Error('closed'));
      await running;
    },
  };
}

/** Logs a break once, not at every try. An absent server is logged by the next call to it, which follows at once. */
async function broken(
  error: unknown,
  failures: number,
  { reads, log }: { reads: EventStoreDbReads; log?: Log | undefined },
): Promise<void> {
  const isAway = isEventStoreDbAway(error);
  const level = failures === 1 && !isAway ? 'warn' : 'debug';
  log?.[level]({ err: error }, 'the end of the store is followed anew');
  if (isAway) await mayFail(reads.lastPosition(), 'the client tells of the outage');
}
