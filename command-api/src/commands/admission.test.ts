import { realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import {
  admissionControl,
  BYTES_IN_FLIGHT_MAX,
  type Incoming,
  STANDSTILL_MS,
  UNANSWERED_ORDERS_MAX,
  UNANSWERED_ORDERS_PER_SYMBOL_MAX,
} from './admission.ts';
import { DELAY_TARGET_MS, flightLimit, IN_FLIGHT_MAX, IN_FLIGHT_MIN } from './flightLimit.ts';

/** A clock that moves only when told, and the timers that wait for it. */
function steppedClock() {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; run: () => void }>();
  return {
    monotonicMs: () => nowMs,
    setTimer(ms: number, run: () => void) {
      const timer = { atMs: nowMs + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    waiting: () => timers.size,
    step(ms: number) {
      nowMs += ms;
      for (const timer of timers) if (timer.atMs <= nowMs && timers.delete(timer)) timer.run();
    },
  };
}

const order = (n = 0): Incoming => ({
  bytes: 100,
  cancels: false,
  address: `192.0.2.${n % 200}`,
});
const cancel = (n = 0): Incoming => ({ ...order(n), bytes: 0, cancels: true });
const CANCELS_EXTRA_MAX = IN_FLIGHT_MAX / 4;

test('beyond the bound orders are refused while cancels still enter, up to a bound of their own', () => {
  const admission = admissionControl(steppedClock());
  for (let i = 0; i < IN_FLIGHT_MAX; i++) expect(admission.enter(order(i))).toBe(true);
  expect(admission.enter(order())).toBe(false);
  for (let i = 0; i < CANCELS_EXTRA_MAX; i++) expect(admission.enter(cancel(i))).toBe(true);
  expect(admission.enter(cancel())).toBe(false);
  for (let i = 0; i <= CANCELS_EXTRA_MAX; i++) admission.leave(cancel(i), true);
  expect(admission.enter(order())).toBe(true);
});

test('one address has half of it, and the others still find room', () => {
  const admission = admissionControl(steppedClock());
  for (let i = 0; i < IN_FLIGHT_MAX / 2; i++) expect(admission.enter(order(7))).toBe(true);
  expect([admission.enter(order(7)), admission.enter(cancel(7)), admission.enter(order(8))]).toEqual([
    false,
    true,
    true,
  ]);
  admission.leave(order(7), false);
  admission.leave(cancel(7), false);
  expect(admission.enter(order(7))).toBe(true);
});

test('few but large bodies are bounded too, of one address and of all', () => {
  const admission = admissionControl(steppedClock());
  const large = (n: number) => ({ ...order(n), bytes: BYTES_IN_FLIGHT_MAX / 2 });
  expect(admission.enter(large(1))).toBe(true);
  expect([admission.enter(order(1)), admission.enter(large(2))]).toEqual([false, true]);
  expect([admission.enter(order(3)), admission.enter(cancel(3))]).toEqual([false, true]);
  admission.leave(large(1), true);
  expect(admission.enter(order(3))).toBe(true);
});

test('it says so when it is full and nobody is answered any more', () => {
  const clock = steppedClock();
  const admission = admissionControl(clock);
  for (let i = 0; i < IN_FLIGHT_MAX; i++) admission.enter(order(i));
  clock.step(STANDSTILL_MS * 2);
  expect(admission.standstill()).toBeNull();
  admission.enter(order());
  clock.step(STANDSTILL_MS + 1);
  expect(admission.standstill()).toMatch(/^2000 requests are in flight and none was answered for 10 s$/);
  admission.leave(order(0), true);
  admission.enter(order());
  admission.enter(order());
  expect(admission.standstill()).toBeNull();
});

test('while the process is late the limit is halved, down to what a group commit needs, and it grows again', () => {
  const clock = steppedClock();
  const limit = flightLimit(clock);
  limit.heed(IN_FLIGHT_MIN);
  expect(clock.waiting()).toBe(0);
  limit.heed(IN_FLIGHT_MIN + 1);
  const late = () => clock.step(DELAY_TARGET_MS * 2);
  late();
  expect(limit.value()).toBe(IN_FLIGHT_MAX);
  late();
  expect(limit.value()).toBe(IN_FLIGHT_MAX / 2);
  for (let i = 0; i < 5; i++) late();
  expect(limit.value()).toBe(IN_FLIGHT_MIN);
  limit.heed(0);
  for (let i = 0; i < IN_FLIGHT_MAX; i++) clock.step(50);
  expect([limit.value(), clock.waiting()]).toEqual([IN_FLIGHT_MAX, 0]);
});

test('an engine that does not answer stops its symbol first, and all of them in the end', () => {
  const admission = admissionControl(realRuntime);
  for (let i = 0; i < UNANSWERED_ORDERS_PER_SYMBOL_MAX; i++) admission.placed(`a${i}`, 'ACME');
  expect([admission.admitsOrder('ACME'), admission.admitsOrder('BETA')]).toEqual([false, true]);
  admission.answered('a0');
  admission.answered('a0');
  admission.answered('of another process');
  expect(admission.admitsOrder('ACME')).toBe(true);
  for (let i = UNANSWERED_ORDERS_PER_SYMBOL_MAX; i <= UNANSWERED_ORDERS_MAX; i++)
    admission.placed(`b${i}`, 'BETA');
  expect([admission.admitsOrder('ACME'), admission.admitsOrder('GAMMA')]).toEqual([false, false]);
});

test('an order whose answer is read before the reply of its append is not counted for ever', () => {
  const admission = admissionControl(realRuntime);
  admission.answered('early');
  admission.placed('early', 'ACME');
  expect(admission.stats().unanswered).toBe(0);
  for (let i = 0; i < 5_000; i++) admission.answered(`of another process ${i}`);
  admission.placed('own', 'ACME');
  expect(admission.stats().unanswered).toBe(1);
});
