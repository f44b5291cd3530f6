import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** What comes of the last of these inputs, in words. */
type Desk = ReturnType<typeof desk>;
function last(inputs: (d: Desk) => PlacedInput[], rules = {}, version = 4): string[] {
  const d = desk();
  const engine = newEngine(SYMBOL);
  return told([d.list(rules, version), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? []);
}
const forMoney = (d: Desk, notionalCents: number, terms = {}) =>
  d.buy('N', 0, 1_100, { type: 'market', timeInForce: 'ioc', notionalCents, ...terms });
const BOB = '0000acc0-0000-4000-8000-000000000002';

test('money is floored to shares at each price, and a rest below one share means filled', () => {
  expect(last((d) => [d.sell('A', 3, 1_000), d.sell('B', 50, 1_010), forMoney(d, 10_000)])).toEqual([
    'N accepted, 0 rest',
    'trade 1: 3 @ 1000, N takes A (7 and 0 left)',
    'trade 2: 6 @ 1010, N takes B (0 and 44 left)',
  ]);
});

test('money that would buy one more here and none at the next price is done', () => {
  expect(last((d) => [d.sell('A', 3, 1_000), d.sell('B', 50, 1_010), forMoney(d, 4_005)])).toEqual([
    'N accepted, 0 rest',
    'trade 1: 3 @ 1000, N takes A (1 and 0 left)',
    'N completed, 1005 cents left',
  ]);
});

test('what finds nobody within the protection expires', () => {
  expect(last((d) => [d.sell('A', 3, 1_000), d.sell('B', 50, 1_101), forMoney(d, 10_000)])).toEqual([
    'N accepted, 0 rest',
    'trade 1: 3 @ 1000, N takes A (7 and 0 left)',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 7000 cents left',
  ]);
  expect(last((d) => [forMoney(d, 10_000)])).toEqual([
    'N accepted, 0 rest',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 10000 cents left',
  ]);
});

test('the whole is lots, over all that stand at a price: an odd rest that is sold is a part of one', () => {
  expect(last((d) => [d.sell('A', 50, 1_000), forMoney(d, 27_000)], { lotShares: 10 })).toEqual([
    'N accepted, 0 rest',
    'trade 1: 20 @ 1000, N takes A (0 and 30 left)',
  ]);
  expect(
    last((d) => [d.sell('A', 7, 1_000), d.sell('B', 50, 1_000), forMoney(d, 27_000)], { lotShares: 10 }),
  ).toEqual([
    'N accepted, 0 rest',
    'trade 1: 7 @ 1000, N takes A (13 and 0 left)',
    'trade 2: 13 @ 1000, N takes B (0 and 37 left)',
  ]);
});

test('an odd rest that the money cannot complete to a lot at the next price stays one, and the order is done', () => {
  expect(
    last((d) => [d.sell('A', 17, 1_000), d.sell('B', 50, 1_090), forMoney(d, 20_100)], { lotShares: 10 }),
  ).toEqual([
    'N accepted, 0 rest',
    'trade 1: 17 @ 1000, N takes A (3 and 0 left)',
    'N completed, 3100 cents left',
  ]);
});

test('the largest order size ends it as filled, in whole lots', () => {
  expect(
    last((d) => [d.sell('A', 7, 1_000), d.sell('B', 35, 1_000), forMoney(d, 900_000)], {
      lotShares: 10,
      orderSharesMax: 35,
    }).slice(1),
  ).toEqual([
    'trade 1: 7 @ 1000, N takes A (23 and 0 left)',
    'trade 2: 23 @ 1000, N takes B (0 and 12 left)',
  ]);
});

test('no more is bought than an order may be for', () => {
  expect(
    last((d) => [d.sell('A', 50, 1_000), d.sell('B', 50, 1_000), forMoney(d, 900_000)], {
      orderSharesMax: 60,
    }),
  ).toEqual([
    'N accepted, 0 rest',
    'trade 1: 50 @ 1000, N takes A (10 and 0 left)',
    'trade 2: 10 @ 1000, N takes B (0 and 40 left)',
  ]);
});

test('its trades trigger stops, and it goes through the peaks of an iceberg', () => {
  expect(
    last((d) => [
      d.sell('I', 20, 1_010, { displayQuantity: 5 }),
      d.buy('S', 1, 1_020, { type: 'stop', stopTicks: 1_010 }),
      forMoney(d, 10_100),
    ]),
  ).toEqual([
    'N accepted, 0 rest',
    'trade 1: 5 @ 1010, N takes I (5 and 15 left), next peak 5',
    'trade 2: 5 @ 1010, N takes I (0 and 10 left), next peak 5',
    'S triggered: 1010 by 1010, 0 rest',
    'trade 3: 1 @ 1010, S takes I (0 and 9 left)',
  ]);
});

test('self-trade prevention ends it with its money, or takes the other one off', () => {
  const meets = (selfTrade: 'cancel_newest' | 'cancel_oldest') =>
    last((d) => [
      d.sell('A', 3, 1_000, { accountId: BOB }),
      d.sell('B', 5, 1_000),
      d.sell('C', 5, 1_010, { accountId: BOB }),
      forMoney(d, 4_005, { selfTrade }),
    ]).slice(2);
  expect(meets('cancel_newest')).toEqual([
    'prevented (cancel_newest): 1 @ 1000, N met B (1 and 5 left)',
    'N expired: 0, SELF_TRADE_PREVENTED, 1005 cents left',
  ]);
  expect(meets('cancel_oldest')).toEqual([
    'prevented (cancel_oldest): 1 @ 1000, N met B (1 and 5 left)',
    'B expired: 5 resting, SELF_TRADE_PREVENTED',
    'N completed, 1005 cents left',
  ]);
});

// Rows are in order of precedence.
test.for([
  ['PRICE_TICK', { tickCents: 5 }, {}],
  ['MIN_NOTIONAL', { notionalCents: 1_099 }, {}],
  ['MIN_NOTIONAL', {}, { notionalMinCents: 10_001 }],
  ['MAX_NOTIONAL', {}, { notionalMaxCents: 9_999 }],
  ['ORDER_TYPE', { type: 'limit' }, {}],
  ['ORDER_TYPE', { side: 'sell' }, {}],
  ['ORDER_TYPE', { selfTrade: 'decrement' }, {}],
  ['ORDER_TYPE', { minQuantity: 1 }, {}],
  ['ORDER_TYPE', { quantity: 5 }, {}],
  ['TIME_IN_FORCE', { timeInForce: 'fok' }, {}],
] as const)('it is refused: %s', ([code, terms, rules]) => {
  expect(last((d) => [forMoney(d, 10_000, terms)], rules)).toEqual([`N rejected: ${code}`]);
});

test('a halt and older rules refuse it', () => {
  expect(last((d) => [d.halt(), forMoney(d, 10_000)])).toEqual(['N rejected: SYMBOL_HALTED']);
  expect(last((d) => [forMoney(d, 10_000)], {}, 2)).toEqual(['N rejected: MATCHING_RULES']);
});
