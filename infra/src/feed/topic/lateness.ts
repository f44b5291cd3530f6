import type { EventStore } from '../../eventStore/eventStore.ts';
import { mayFail } from '../../runtime/mayFail.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/**
 * Whether a topic follows the store closely enough to be read. Every so often while something is appended the head of
 * the store is read, and the topic has a stated time to reach it; whatever keeps it from that, brokers away, the relay
 * dead or slow, looks the same here. States: *new* until it has reached a head, then *in time* or *late*.
 */
export type Lateness = {
  isInTime(): boolean;
  /** The topic was read further. */
  moved(): void;
  /** The topic is not read any more, or from another place: it is new again. */
  beginAnew(): void;
  stop(): void;
};

/** Milliseconds between two looks at the head: one look is one index entry. */
const LOOK_EVERY_MS = 500;
/** Milliseconds that the topic may take to reach a head: many times what a relay takes in good health. */
const LATE_AFTER_MS = 1_500;
/** Milliseconds until it is said that it does not come at all; the relay may be starting, too. */
const NEW_FOR_MS = 15_000;

export function topicLateness(options: {
  store: Pick<EventStore<unknown>, 'head' | 'onAppend'>;
  runtime: Runtime;
  lateAfterMs?: number | undefined;
  /** Position up to which the topic was read. */
  reached: () => number;
  /** Whether it is read no further because nobody takes what was read: that is not its fault. */
  isHeld: () => boolean;
  onChange: (state: 'in time' | 'late') => void;
}): Lateness {
  const { store, runtime, lateAfterMs = LATE_AFTER_MS, reached, isHeld, onChange } = options;
  let state: 'new' | 'in time' | 'late' = 'new';
  /** A head that the topic has yet to reach, and since when. */
  let awaited: { position: number; sinceMs: number } | null = null;
  let stopped = false;
  let cancelLook: (() => void) | null = null;
  let newSinceMs = runtime.monotonicMs();

  const become = (now: 'in time' | 'late') => {
    if (state === now) return;
    state = now;
    onChange(now);
  };
  const moved = () => {
    if (!awaited || reached() < awaited.position) return;
    awaited = null;
    become('in time');
  };
  const lookSoon = () => {
    if (!stopped) cancelLook ??= runtime.setTimer(LOOK_EVERY_MS, () => void look());
  };
  const look = async () => {
    // A store that does not answer gives no reason to leave the topic.
    const head = await mayFail(store.head(), 'it is asked again soon');
    cancelLook = null;
    if (stopped) return;
    const nowMs = runtime.monotonicMs();
    // One that was late has to reach the newest head: what it once owed says nothing about now.
    if (head !== undefined && (state !== 'in time' || !awaited)) awaited = { position: head, sinceMs: nowMs };
    if (awaited && isHeld()) awaited.sinceMs = nowMs;
    moved();
    if (!awaited && head !== undefined) return;
    if (state === 'new' && nowMs - newSinceMs >= NEW_FOR_MS) become('late');
    if (state === 'in time' && awaited && nowMs - awaited.sinceMs >= lateAfterMs) become('late');
    lookSoon();
  };

  const leave = store.onAppend(lookSoon);
  lookSoon();
  return {
    isInTime: () => state === 'in time',
    moved,
    beginAnew() {
      if (state === 'in time') newSinceMs = runtime.monotonicMs();
      if (state === 'in time') state = 'new';
      awaited = null;
      lookSoon();
    },
    stop() {
      stopped = true;
      leave();
      cancelLook?.();
    },
  };
}
