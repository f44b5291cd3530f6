import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { realRuntime } from './runtime.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const DAY_MS = 86_400_000;

/** Days after which a timer of so many days calls back. */
async function calledAfter(days: number): Promise<number> {
  let passed = 0;
  let calledOn: number | null = null;
  realRuntime.setTimer(days * DAY_MS, () => {
    calledOn ??= passed;
  });
  for (; calledOn === null && passed < 2 * days + 2; passed++) await vi.advanceTimersByTimeAsync(DAY_MS);
  return calledOn === null ? Number.NaN : calledOn + 1;
}

test.for([1, 24, 25, 49, 50, 400])(
  'a timer of %d days calls back when they are over, not at once',
  async (days) => {
    expect(await calledAfter(days)).toBe(days);
  },
);

test('a long timer that is cancelled never calls back, in whichever of its parts it is', async () => {
  const called = vi.fn();
  const cancels = [10, 30, 60].map((days) => ({ days, cancel: realRuntime.setTimer(100 * DAY_MS, called) }));
  for (let day = 0; day <= 200; day++) {
    for (const { days, cancel } of cancels) if (days === day) cancel();
    await vi.advanceTimersByTimeAsync(DAY_MS);
  }
  expect(called).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
