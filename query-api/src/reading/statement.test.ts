import { expect, test } from 'vitest';
import { statement } from './statement.ts';

const orders = (values: { symbol?: string; from?: string }) =>
  statement({
    name: 'orders',
    select: 'select x from t',
    conditions: [
      { name: 'a', sql: 'account = ?', value: 'A' },
      { name: 'sy', sql: 'symbol = ?', value: values.symbol },
      { name: 'cf', sql: 'at >= ?::timestamptz', value: values.from },
    ],
    orderBy: 'x desc',
    limit: 3,
  });

test('only what is given becomes a condition, and every value is a parameter', () => {
  expect(orders({ from: `'; drop table t` })).toEqual({
    name: 'orders_a_cf',
    text: 'select x from t where account = $1 and at >= $2::timestamptz order by x desc limit $3',
    values: ['A', `'; drop table t`, 3],
  });
});

test('every set of conditions has a prepared statement of its own', () => {
  const names = [{}, { symbol: 'X' }, { from: 'then' }, { symbol: 'X', from: 'then' }].map(
    (values) => orders(values).name,
  );
  expect(new Set(names).size).toBe(4);
});
