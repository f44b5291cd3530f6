import type { SelfTradeMode } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine } from './engine.ts';

const other = { accountId: '0000acc0-0000-4000-8000-000000000002' };

/** A (its own, 4) stands before B (another's, 5) at one price; an order of 10 in this mode meets both. */
function meeting(selfTrade: SelfTradeMode, quantity = 10) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [
    d.list({}, 2),
    d.sell('A', 4, 1_000),
    d.sell('B', 5, 1_000, other),
    d.buy('T', quantity, 1_000, { selfTrade }),
  ];
  const facts = inputs.map((input) => apply(engine, input)).at(-1) ?? [];
  return {
    told: told(facts),
    facts,
    left: snapshot(engine).orders.map(([, , , side, , , , leaves]) => [side, leaves]),
  };
}

test('none: they trade', () => {
  expect(meeting('none').told).toEqual([
    'T accepted, 1 rest',
    'trade 1: 4 @ 1000, T takes A (6 and 0 left)',
    'trade 2: 5 @ 1000, T takes B (1 and 0 left)',
  ]);
});

test('cancel_newest: the arriving order expires where it meets its own, which stays', () => {
  const { told, left } = meeting('cancel_newest');
  expect(told).toEqual([
    'T accepted, 0 rest',
    'prevented (cancel_newest): 4 @ 1000, T met A (10 and 4 left)',
    'T expired: 10, SELF_TRADE_PREVENTED',
  ]);
  expect(left).toEqual([
    ['sell', 4],
    ['sell', 5],
  ]);
});

test('cancel_oldest: the resting order expires, and the arriving one goes on to the next', () => {
  const { told, left } = meeting('cancel_oldest');
  expect(told).toEqual([
    'T accepted, 5 rest',
    'prevented (cancel_oldest): 4 @ 1000, T met A (10 and 4 left)',
    'A expired: 4 resting, SELF_TRADE_PREVENTED',
    'trade 1: 5 @ 1000, T takes B (5 and 0 left)',
  ]);
  expect(left).toEqual([['buy', 5]]);
});

test('cancel_both: both expire', () => {
  const { told, left } = meeting('cancel_both');
  expect(told).toEqual([
    'T accepted, 0 rest',
    'prevented (cancel_both): 4 @ 1000, T met A (10 and 4 left)',
    'A expired: 4 resting, SELF_TRADE_PREVENTED',
    'T expired: 10, SELF_TRADE_PREVENTED',
  ]);
  expect(left).toEqual([['sell', 5]]);
});

test('decrement: both lose the smaller quantity; who has nothing left expires, the other goes on', () => {
  const { told, left } = meeting('decrement');
  expect(told).toEqual([
    'T accepted, 1 rest',
    'prevented (decrement): 4 @ 1000, T met A (6 and 0 left)',
    'A expired: 0 resting, SELF_TRADE_PREVENTED',
    'trade 1: 5 @ 1000, T takes B (1 and 0 left)',
  ]);
  expect(left).toEqual([['buy', 1]]);
  expect(meeting('decrement', 3).told).toEqual([
    'T accepted, 0 rest',
    'prevented (decrement): 3 @ 1000, T met A (0 and 1 left)',
    'T expired: 0, SELF_TRADE_PREVENTED',
  ]);
});

test('the mode of the arriving order decides, not that of the one in the book', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [d.list({}, 2), d.sell('A', 4, 1_000, { selfTrade: 'cancel_both' }), d.buy('T', 4, 1_000)];
  expect(inputs.map((input) => told(apply(engine, input))).at(-1)).toEqual([
    'T accepted, 0 rest',
    'trade 1: 4 @ 1000, T takes A (0 and 0 left)',
  ]);
});

test('with prevented matches it is told after how many outputs the rest enters the book', () => {
  expect(meeting('cancel_oldest').facts[0]?.data).toMatchObject({ restingQuantity: 5, entersAfter: 3 });
  expect(meeting('none').facts[0]?.data).not.toHaveProperty('entersAfter');
});
