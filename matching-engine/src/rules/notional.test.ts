import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** The outputs of the last of these inputs, in words. */
type Desk = ReturnType<typeof desk>;
function last(inputs: (d: Desk) => PlacedInput[], rules = {}, version = 4): string[] {
  const d = desk();
  const engine = newEngine(SYMBOL);
  return told([d.list(rules, version), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? []);
}
const market = { type: 'market', timeInForce: 'ioc' } as const;
const forMoney = (d: Desk, notionalCents: number, terms = {}) =>
  d.buy('N', 0, 1_100, { ...market, notionalCents, ...terms });
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

const lots = { lotShares: 10 };

test('an odd rest that the money cannot complete to a lot at the next price is not begun, and the order is done', () => {
  expect(last((d) => [d.sell('A', 17, 1_000), d.sell('B', 50, 1_090), forMoney(d, 20_100)], lots)).toEqual([
    'N accepted, 0 rest',
    'trade 1: 10 @ 1000, N takes A (10 and 7 left)',
    'N completed, 10100 cents left',
  ]);
  const cheap = (d: Desk) => [d.sell('A', 13, 100), d.sell('B', 40, 110)];
  expect(
    last((d) => [...cheap(d), d.buy('N', 0, 110, { ...market, notionalCents: 2_000 })], {
      ...lots,
      listingTicks: 100,
    }),
  ).toEqual([
    'N accepted, 0 rest',
    'trade 1: 10 @ 100, N takes A (10 and 3 left)',
    'N completed, 1000 cents left',
  ]);
});

test('an odd rest that the next price does complete is a part of the lot', () => {
  expect(last((d) => [d.sell('A', 13, 1_000), d.sell('B', 40, 1_010), forMoney(d, 20_100)], lots)).toEqual([
    'N accepted, 0 rest',
    'trade 1: 13 @ 1000, N takes A (7 and 0 left)',
    'trade 2: 7 @ 1010, N takes B (0 and 33 left)',
  ]);
});

test('odd rests of sellers that are no lot together are left to others, and what money is left expires', () => {
  expect(last((d) => [d.sell('A', 13, 1_000), d.sell('B', 4, 1_010), forMoney(d, 50_000)], lots)).toEqual([
    'N accepted, 0 rest',
    'trade 1: 10 @ 1000, N takes A (40 and 3 left)',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 40000 cents left',
  ]);
  expect(last((d) => [d.sell('A', 3, 1_000), d.sell('B', 4, 1_010), forMoney(d, 50_000)], lots)).toEqual([
    'N accepted, 0 rest',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 50000 cents left',
  ]);
});

test('what the lots end with is what would have stopped the rest: the band, which starts no auction, or its own account', () => {
  expect(
    last((d) => [d.sell('A', 13, 1_000), d.sell('B', 40, 1_011), forMoney(d, 50_000)], {
      ...lots,
      bandPpm: 10_000,
    }).slice(1),
  ).toEqual([
    'trade 1: 10 @ 1000, N takes A (40 and 3 left)',
    'N expired: 0, EXECUTION_RULE_PRICE_RANGE_EXCEEDED, 40000 cents left',
  ]);
  const own = (selfTrade: 'cancel_newest' | 'cancel_oldest') =>
    last(
      (d) => [
        d.sell('A', 13, 1_000, { accountId: BOB }),
        d.sell('B', 40, 1_000),
        d.sell('C', 4, 1_010, { accountId: BOB }),
        forMoney(d, 50_000, { selfTrade }),
      ],
      lots,
    ).slice(1);
  expect(own('cancel_newest')).toEqual([
    'trade 1: 10 @ 1000, N takes A (40 and 3 left)',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 40000 cents left',
  ]);
  expect(own('cancel_oldest')).toEqual(own('cancel_newest'));
});

test('hidden peaks count, and shares that two orders of a list have in common count once', () => {
  expect(
    last(
      (d) => [
        d.sell('I', 20, 1_000, { displayQuantity: 10 }),
        d.sell('A', 5, 1_000),
        d.sell('B', 50, 1_090),
        forMoney(d, 28_000),
      ],
      lots,
    ).slice(1),
  ).toEqual([
    'trade 1: 10 @ 1000, N takes I (10 and 10 left), next peak 10',
    'trade 2: 5 @ 1000, N takes A (5 and 0 left)',
    'trade 3: 5 @ 1000, N takes I (0 and 5 left)',
  ]);
  // The limit and the triggered stop-limit are one sale of 7; with A they are 12.
  expect(
    last(
      (d) => [
        d.sellOco(['P', 'L'], 7, [1_020, 990], { stopLimit: 1_010 }),
        d.buy('X', 10, 990),
        d.sell('Y', 1, 990),
        d.sell('A', 5, 1_030),
        forMoney(d, 50_000),
      ],
      lots,
    ).slice(1),
  ).toEqual([
    'trade 2: 7 @ 1010, N takes L (33 and 0 left)',
    'P expired: 7 resting, OCO_TRIGGER',
    'trade 3: 3 @ 1030, N takes A (30 and 2 left)',
    'N expired: 0, INSUFFICIENT_LIQUIDITY, 39840 cents left',
  ]);
});

test('so far as one input may go, in lots', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  engine.outputsMax = 20;
  const sells = Array.from({ length: 9 }, (_, n) => d.sell(`${n}S`, 7, 1_000));
  const all = [d.list(lots, 4), ...sells, forMoney(d, 50_000)].map((input) => apply(engine, input));
  // Two matches are looked ahead over: 14, of which 10.
  expect(told(all.at(-1) ?? []).slice(1)).toEqual([
    'trade 1: 7 @ 1000, N takes 0S (43 and 0 left)',
    'trade 2: 3 @ 1000, N takes 1S (40 and 4 left)',
    'N expired: 0, EXECUTION_BOUND, 40000 cents left',
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
