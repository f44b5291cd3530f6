import { expect, test } from 'vitest';
import { numberAt, rowOf } from './lines.ts';

test('a line stands beside its limit, and has none where nothing was measured beside it', () => {
  const limit = { what: 'a bare endpoint', figure: 9_000 };
  expect(rowOf({ what: 'orders', figure: 3_000, unit: 'orders/s', limit })).toEqual([
    'orders',
    3_000,
    'orders/s',
    'a bare endpoint',
    9_000,
    0.333,
  ]);
  expect(rowOf({ what: 'CPU', figure: 400, unit: 'core-µs an order', limit: null })).toEqual([
    'CPU',
    400,
    'core-µs an order',
    '',
    '',
    '',
  ]);
});

test('a figure that a benchmark no longer tells is an error, and no empty cell', () => {
  const figures = { rows: [{ rate: 7 }], name: 'store' };
  expect(numberAt(figures, 'rows.0.rate')).toBe(7);
  for (const path of ['rows.1.rate', 'rows.0', 'name', 'name.length.x', 'absent'])
    expect(() => numberAt(figures, path)).toThrow(`no number at ${path}`);
});
