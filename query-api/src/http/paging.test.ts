import { expect, test } from 'vitest';
import { keyOfToken, pageOf, pageToken, positionOfToken } from './paging.ts';

const rows = [{ key: 9 }, { key: 7 }, { key: 4 }];
const page = (limit: number) =>
  pageOf(
    'orders',
    limit,
    rows,
    ({ key }) => key,
    ({ key }) => `row ${key}`,
  );

test('a page that is not the last one names the row that it ends with', () => {
  const { items, next } = page(2);
  expect(items).toEqual(['row 9', 'row 7']);
  expect(positionOfToken('orders', next ?? '')).toBe(7);
});

test('the last page has nothing after it', () => {
  expect(page(3)).toEqual({ items: ['row 9', 'row 7', 'row 4'], next: null });
});

test.for([
  ['of another list', pageToken('ledger', 7)],
  ['not a position', pageToken('orders', 'x')],
  ['beyond any position', pageToken('orders', '1'.repeat(16))],
  ['not a token', 'orders:7'],
  ['with something behind it', `${pageToken('orders', 7)}=`],
  ['empty', ''],
] as const)('a token %s is none', ([, token]) => {
  expect(positionOfToken('orders', token)).toBeUndefined();
});

test('a key may be any text', () => {
  expect(keyOfToken('symbols', pageToken('symbols', 'BRK.B'))).toBe('BRK.B');
});
