import { expect, test } from 'vitest';
import { highest } from '../../src/load/run/highest.ts';

const search = { from: 100, least: 1, max: 10_000, within: 0.05 };

test.for([
  ['above where it begins', 737, 700, 737],
  ['below where it begins', 37, 35, 37],
  ['beyond the most that is tried', 99_999, 10_000, 10_000],
  ['nowhere', 0, 0, 0],
] as const)('the limit is %s', async ([, limit, least, most]) => {
  const tried: number[] = [];
  const found = await highest(async (n) => {
    tried.push(n);
    return n <= limit;
  }, search);
  expect(found).toBeGreaterThanOrEqual(least);
  expect(found).toBeLessThanOrEqual(most);
  expect(new Set(tried).size, 'nothing is tried twice').toBe(tried.length);
});
