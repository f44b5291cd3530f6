import { expect, test } from 'vitest';
import type { Runtime } from '../../runtime/runtime.ts';
import { topicLateness } from './lateness.ts';

/** A clock that goes when it is told to, a store whose head is told, and a topic likewise. */
function world(lateAfterMs = 1_500) {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; callback: () => void }>();
  const runtime: Runtime = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    randomBytes: () => new Uint8Array(),
    setTimer(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const state = { head: 0, reached: 0, held: false, looks: 0, away: false };
  const changes: string[] = [];
  let append = () => {};
  const lateness = topicLateness({
    store: {
      head: async () => {
        state.looks += 1;
        if (state.away) throw new Error('the store is away');
        return state.head;
      },
      onAppend(listener) {
        append = listener;
        return () => {};
      },
    },
    runtime,
    lateAfterMs,
    reached: () => state.reached,
    isHeld: () => state.held,
    onChange: (now) => changes.push(now),
  });
  return {
    state,
    changes,
    lateness,
    appendTo(head: number) {
      state.head = head;
      append();
    },
    reach(position: number) {
      state.reached = position;
      lateness.moved();
    },
    async pass(ms: number) {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += 100;
        for (const timer of timers) {
          if (timer.atMs > nowMs || !timers.delete(timer)) continue;
          timer.callback();
          // Until the look is over.
          for (let turn = 0; turn < 10; turn++) await Promise.resolve();
        }
      }
    },
  };
}

test('a topic is in time once it has reached a head, and nothing is asked while nothing happens', async () => {
  const { state, changes, lateness, appendTo, reach, pass } = world();
  appendTo(10);
  await pass(1_000);
  expect(lateness.isInTime()).toBe(false);
  reach(9);
  expect(lateness.isInTime()).toBe(false);
  reach(10);
  expect(lateness.isInTime()).toBe(true);
  expect(changes).toEqual(['in time']);
  await pass(1_000);
  const { looks } = state;
  await pass(60_000);
  expect(state.looks).toBe(looks);
});

test('one that does not reach a head in its time is late until it reaches the newest one', async () => {
  const { changes, lateness, appendTo, reach, pass } = world();
  reach(5);
  appendTo(5);
  await pass(600);
  appendTo(6);
  await pass(1_000);
  expect(lateness.isInTime()).toBe(true);
  await pass(1_500);
  expect(lateness.isInTime()).toBe(false);
  appendTo(100);
  await pass(1_000);
  reach(6);
  expect(lateness.isInTime()).toBe(false);
  reach(100);
  expect(lateness.isInTime()).toBe(true);
  expect(changes).toEqual(['in time', 'late', 'in time']);
});

test('under load it has the whole time for each head, not less', async () => {
  const { changes, appendTo, reach, pass } = world();
  await pass(600);
  reach(0);
  for (let head = 1; head < 200; head++) {
    appendTo(head);
    await pass(100);
    // Always a second behind.
    reach(head - 10);
  }
  expect(changes).toEqual(['in time']);
});

test('what nobody takes is not late, nor is it when the store cannot be asked', async () => {
  const { state, lateness, appendTo, reach, pass } = world();
  reach(5);
  appendTo(5);
  await pass(600);
  state.held = true;
  appendTo(6);
  await pass(10_000);
  expect(lateness.isInTime()).toBe(true);
  state.held = false;
  reach(6);
  state.away = true;
  appendTo(7);
  await pass(10_000);
  expect(lateness.isInTime()).toBe(true);
  state.away = false;
  await pass(3_000);
  expect(lateness.isInTime()).toBe(false);
});

test('one that begins anew is not in time before it has reached a head again; after a while it is called late', async () => {
  const { changes, lateness, appendTo, reach, pass } = world();
  reach(5);
  appendTo(5);
  await pass(600);
  expect(lateness.isInTime()).toBe(true);
  lateness.beginAnew();
  expect(lateness.isInTime()).toBe(false);
  reach(0);
  await pass(14_000);
  expect(changes).toEqual(['in time']);
  await pass(2_000);
  expect(changes).toEqual(['in time', 'late']);
  reach(5);
  expect(changes).toEqual(['in time', 'late', 'in time']);
  lateness.stop();
});
