import { expect, test } from 'vitest';
import type { Filter } from '../eventStore/eventStore.ts';
import { liesWithin, placesOf, undivided } from './division.ts';

test.for<[boolean, Filter, Filter]>([
  [true, {}, {}],
  [true, { categories: ['book'] }, {}],
  [true, { categories: ['book'] }, { categories: ['book', 'market'] }],
  [true, { categories: ['book'], types: ['traded'] }, { categories: ['book', 'market'] }],
  [false, { categories: ['book', 'account'] }, { categories: ['book', 'market'] }],
  [false, {}, { categories: ['book'] }],
  [true, { categories: ['account'], symbols: ['ACME'] }, { categories: ['account'], symbols: 'any' }],
  [true, { categories: ['account'], symbols: 'any' }, { categories: ['account'], symbols: 'any' }],
  [false, { categories: ['account'] }, { categories: ['account'], symbols: 'any' }],
  [false, { symbols: 'any' }, { symbols: ['ACME'] }],
  [true, { symbols: ['ACME'] }, { symbols: ['ACME', 'ZETA'] }],
  [false, { streams: ['a-1', 'a-2'] }, { streams: ['a-1'] }],
])('%s: what matches %j matches %j', ([expected, filter, wider]) => {
  expect(liesWithin(filter, wider)).toBe(expected);
});

test('a cursor of one position stands there in every partition', () => {
  const division = { ...undivided, partitions: 3 };
  expect(placesOf(null, division)).toEqual([0, 0, 0]);
  expect(placesOf({ storeId: 's', position: 7 }, division)).toEqual([7, 7, 7]);
  expect(placesOf({ storeId: 's', position: 7, partitions: [7, 9, 8] }, division)).toEqual([7, 9, 8]);
  expect(() => placesOf({ storeId: 's', position: 7, partitions: [7, 9] }, division)).toThrow('has 3');
});
