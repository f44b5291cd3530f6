import { expect, test } from 'vitest';
import { draw, weighted } from '../../src/load/generator/draw.ts';
import { schedule } from '../../src/load/generator/schedule.ts';

test('at an even rate requests are due at even distances', () => {
  const due = schedule(100, 2, [{ share: 1, from: 1, to: 1 }]);
  expect(due.total).toBe(200);
  expect([0, 1, 50, 199].map((n) => due.dueMs(n))).toEqual([0, 10, 500, 1_990]);
});

test('while the rate rises they come ever closer, and each phase has its share of the time', () => {
  const due = schedule(100, 4, [
    { share: 0.5, from: 0, to: 1 },
    { share: 0.5, from: 1, to: 1 },
  ]);
  expect(due.total).toBe(300);
  expect(Math.round(due.dueMs(25))).toBe(1_000); // a quarter of the ramp's 100 lies in its first half
  expect(Math.round(due.dueMs(100))).toBe(2_000);
  expect(Math.round(due.dueMs(200))).toBe(3_000);
  const times = Array.from({ length: due.total }, (_, n) => due.dueMs(n));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('what is drawn follows from seed, request and slot alone, and is spread evenly', () => {
  expect(draw(1, 7, 2)).toBe(draw(1, 7, 2));
  expect(draw(1, 7, 2)).not.toBe(draw(2, 7, 2));
  const shares = [0, 0, 0, 0];
  for (let n = 0; n < 40_000; n++) shares[Math.floor(draw(1, n, 0) * 4)]! += 1 / 40_000;
  for (const share of shares) expect(share).toBeCloseTo(0.25, 1);
  const pick = weighted([
    ['often', 3],
    ['seldom', 1],
  ]);
  expect([0, 0.5, 0.74, 0.76, 0.999].map(pick)).toEqual(['often', 'often', 'often', 'seldom', 'seldom']);
});
