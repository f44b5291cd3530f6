import { expect, test } from 'vitest';
import type { Filter } from '../eventStore/eventStore.ts';
import { unionOf } from './filterUnion.ts';

test.for<[what: string, filters: Filter[], union: Filter[]]>([
  ['nothing', [], []],
  ['one', [{ categories: ['book'], types: ['A'] }], [{ categories: ['book'], types: ['A'] }]],
  ['alike', [{ categories: ['b', 'a'] }, { categories: ['a', 'b'] }], [{ categories: ['a', 'b'] }]],
  ['lists of one condition', [{ streams: ['c'] }, { streams: ['a', 'b'] }], [{ streams: ['a', 'b', 'c'] }]],
  [
    'wider in one condition',
    [{ categories: ['book'] }, { categories: ['book'], types: ['A'] }],
    [{ categories: ['book'] }],
  ],
  ['any symbol', [{ symbols: ['A'] }, { symbols: 'any' }], [{ symbols: 'any' }]],
  [
    'symbols that spell it',
    [{ symbols: 'any', types: ['A'] }, { symbols: ['any'] }],
    [{ symbols: 'any', types: ['A'] }, { symbols: ['any'] }],
  ],
  [
    'consumers of a process: exactly what they want, not each category with each type',
    [
      { categories: ['book'] },
      { categories: ['account'], types: ['DepositSettled.v1'] },
      { categories: ['market', 'book'] },
      { categories: ['client'], types: ['PasscodeIssued.v1'] },
      { categories: ['account'], types: ['DepositRequested.v1'] },
    ],
    [
      { categories: ['book', 'market'] },
      { categories: ['account'], types: ['DepositRequested.v1', 'DepositSettled.v1'] },
      { categories: ['client'], types: ['PasscodeIssued.v1'] },
    ],
  ],
  ['everything', [{}, { categories: ['book'], types: ['A'] }], [{}, { categories: ['book'], types: ['A'] }]],
  [
    'too many kinds',
    Array.from({ length: 9 }, (_, i) => ({ categories: [`c${i}`], types: [`t${i}`] })),
    [{}],
  ],
])('the union of filters: %s', ([, filters, union]) => {
  const text = (list: readonly Filter[]) => list.map((filter) => JSON.parse(JSON.stringify(filter)));
  expect(text(unionOf(filters))).toEqual(text(union));
});
