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
 * Follows the end of the store: one subscription to all events, begun with the first listener. It wakes the listeners, and
 * keeps the newest events in a window, so that they need not be read a second time.
 *
 * A subscription may die without an error. So the head is read every few seconds: listeners are woken when it is beyond what
 * the subscription brought, and read the events themselves; and a subscription that has not moved from one such read to the
 * next is replaced. The subscription makes readers fast, and correctness never depends on it.
 */
export type EventStoreDbTail = {
  onAppend(listener: () => void): () => void;
  /** This process has appended events up to this position. */
  advanced(position: number): void;
  /** The events after the position; null if the window does not reach back to it. */
  since(position: number): { events: readonly PlacedEvent[]; to: number } | null;
  /** Whether the window reaches the position within `timeoutMs`. */
  reaches(position: number, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
};

type TailOptions = {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  runtime: Runtime;
  log?: Log | undefined;
};

type Tail = TailOptions & {
  readonly listeners: Set<() => void>;
  /** Called when the window has grown. */
  readonly onGrowth: Set<() => void>;
  readonly closing: AbortController;
  running: Promise<unknown> | null;
  /** Everything after `from`, up to `to`. Null until the first subscription begins. */
  window: { from: number; to: number; events: PlacedEvent[] } | null;
  /** The position of which listeners were last told. */
  announced: number;
  /** Ends the running subscription; null when there is none. */
  giveUp: ((reason: Error) => void) | null;
};

/** What the window covers at most, in bytes of the server's log and in events: as much as is read within moments. */
const WINDOW_BYTES_MAX = 16_777_216;
const WINDOW_EVENTS_MAX = 5_000;
/** The window is trimmed when it exceeds its bounds by a fifth, so that moving the rest costs next to nothing. */
const TRIM_AT = 1.2;
/** Milliseconds between two reads of the head, each of one event: a dead subscription delays readers by this long at most. */
const HEAD_CHECK_MS = 2_500;

export function eventStoreDbTail(options: TailOptions): EventStoreDbTail {
  const tail: Tail = {
    ...options,
    listeners: new Set(),
    onGrowth: new Set(),
    closing: new AbortController(),
    running: null,
    window: null,
    announced: 0,
    giveUp: null,
  };
  const { listeners, closing } = tail;
  return {
    onAppend(listener) {
      listeners.add(listener);
      if (!closing.signal.aborted) tail.running ??= Promise.all([keepFollowing(tail), keepChecking(tail)]);
      return () => listeners.delete(listener);
    },
    advanced: (position) => announce(tail, position),
    since(position) {
      const { window } = tail;
      if (!window || position < window.from || position > window.to) return null;
      return { events: window.events.slice(firstAfter(window.events, position)), to: window.to };
    },
    reaches: (position, timeoutMs) => reaches(tail, position, timeoutMs),
    async close() {
      closing.abort();
      listeners.clear();
      tail.giveUp?.(new Error('closed'));
      await tail.running;
    },
  };
}

/** Wakes the listeners if they have not been told of this position or a later one. */
function announce(tail: Tail, position: number): void {
  if (!(position > tail.announced)) return;
  tail.announced = position;
  for (const listener of tail.listeners) queueMicrotask(listener);
}

async function reaches(tail: Tail, position: number, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const check = () => {
    if (tail.window && tail.window.to >= position) resolve(true);
  };
  tail.onGrowth.add(check);
  const cancel = tail.runtime.setTimer(timeoutMs, () => resolve(false));
  check();
  try {
    return await promise;
  } finally {
    cancel();
    tail.onGrowth.delete(check);
  }
}

function addToWindow(tail: Tail, resolved: AllStreamResolvedEvent): void {
  const { window } = tail;
  const event = placed(resolved);
  if (!window || event.position <= window.to) return;
  window.events.push(event);
  window.to = event.position;
  const exceedsEvents = window.events.length > WINDOW_EVENTS_MAX * TRIM_AT;
  if (exceedsEvents || window.to - window.from > WINDOW_BYTES_MAX * TRIM_AT) trim(window);
  announce(tail, window.to);
  for (const check of tail.onGrowth) check();
}

/** Drops the oldest events, so that the window is within its bounds again. */
function trim(window: NonNullable<Tail['window']>): void {
  const tooOld = firstAfter(window.events, window.to - WINDOW_BYTES_MAX);
  const dropped = Math.max(tooOld, window.events.length - WINDOW_EVENTS_MAX);
  window.from = window.events[dropped - 1]?.position ?? window.from;
  window.events = window.events.slice(dropped);
}

/** Runs one subscription. Throws when it ends. */
async function follow(tail: Tail): Promise<never> {
  if (!tail.window) {
    const head = await tail.reads.lastPosition();
    tail.window = { from: head, to: head, events: [] };
    // Listeners read what was appended before the window begins.
    announce(tail, head);
  }
  const fromPosition = positionAt(tail.window.to);
  const subscription = tail.connection.client().subscribeToAll({ fromPosition, requiresLeader: true });
  const ended = Promise.withResolvers<never>();
  const onEvent = (resolved: AllStreamResolvedEvent) => addToWindow(tail, resolved);
  tail.giveUp = ended.reject;
  subscription.on('data', onEvent);
  subscription.on('error', ended.reject);
  for (const end of ['end', 'close'] as const) {
    subscription.on(end, () => ended.reject(new Error('the subscription ended')));
  }
  try {
    return await ended.promise;
  } finally {
    tail.giveUp = null;
    subscription.off('data', onEvent);
    heardElsewhere(subscription.unsubscribe());
  }
}

/** Replaces each subscription that ends by a new one, until the tail is closed. */
async function keepFollowing(tail: Tail): Promise<void> {
  const { runtime, closing } = tail;
  for (let failures = 0; !closing.signal.aborted; ) {
    const reached = tail.window?.to;
    try {
      await follow(tail);
    } catch (error) {
      failures = tail.window?.to === reached ? failures + 1 : 1;
      if (!closing.signal.aborted) await reportBreak(tail, error, failures);
    }
    await sleep(runtime, backOffMs(failures), closing.signal);
  }
}

/** Compares the head with the window every few seconds, until the tail is closed. */
async function keepChecking(tail: Tail): Promise<void> {
  const { runtime, closing, reads, log } = tail;
  /** Where the window ended at the last check if it was behind the head then, else -1. */
  let behindAt = -1;
  for (;;) {
    await sleep(runtime, HEAD_CHECK_MS, closing.signal);
    if (closing.signal.aborted) return;
    try {
      const head = await reads.lastPosition();
      const { window } = tail;
      if (!window || head <= window.to) {
        behindAt = -1;
        continue;
      }
      announce(tail, head);
      if (window.to === behindAt)
        tail.giveUp?.(new Error('the subscription stood still while events were appended'));
      behindAt = window.to;
    } catch (error) {
      log?.debug({ err: error }, 'the head could not be read; it is read again');
    }
  }
}

/** Logs a break once, not at every attempt. An absent server is logged by the call that follows. */
async function reportBreak({ reads, log }: TailOptions, error: unknown, failures: number): Promise<void> {
  const isAway = isEventStoreDbAway(error);
  const level = failures === 1 && !isAway ? 'warn' : 'debug';
  log?.[level]({ err: error }, 'the end of the store is followed anew');
  if (isAway) await mayFail(reads.lastPosition(), 'the client tells of the outage');
}
