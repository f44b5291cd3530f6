import { expect, test } from 'vitest';
import { generationName, newestGeneration } from './generations.ts';

test.for([
  ['none is there', [], 1, 1],
  ['the first', ['orders'], 1, 1],
  ['a later one', ['orders', 'orders.2', 'orders.12'], 1, 12],
  [
    'others alone',
    ['orders.accounts', 'orders.02', 'orders.1', 'orders.', 'my.orders.7', 'orders.3.4'],
    1,
    1,
  ],
  ['an older one than is stated', ['orders.2'], 3, 3],
] as const)('the newest generation of a topic: %s', ([, names, least, newest]) => {
  expect(newestGeneration(names, 'orders', least)).toBe(newest);
});

test('the first generation has the plain name', () => {
  expect([1, 2, 10].map((generation) => generationName('orders', generation))).toEqual([
    'orders',
    'orders.2',
    'orders.10',
  ]);
});
