import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** The outputs of the last of these inputs, in words; the first lists the symbol under version 2. */
type Desk = ReturnType<typeof desk>;
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}): string[] => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const all = [d.list(rules, 2), ...inputs(d)];
  return all.map((input) => told(apply(engine, input))).at(-1) ?? [];
};
const other = { accountId: '0000acc0-0000-4000-8000-000000000002' };

test('post-only: an order that would trade at once is rejected, and the book stays as it was', () => {
  expect(last((d) => [d.sell('A', 5, 1_000), d.buy('T', 5, 1_000, { postOnly: true })])).toEqual([
    'T rejected: WOULD_TAKE',
  ]);
  expect(last((d) => [d.sell('A', 5, 1_001), d.buy('T', 5, 1_000, { postOnly: true })])).toEqual([
    'T accepted, 5 rest',
  ]);
});

test('post-only comes first: orders of the same account count, whatever the prevention mode', () => {
  expect(
    last((d) => [
      d.sell('A', 5, 1_000),
      d.buy('T', 5, 1_000, { postOnly: true, selfTrade: 'cancel_oldest' }),
    ]),
  ).toEqual(['T rejected: WOULD_TAKE']);
});

test('minimum quantity: met on entry it trades and rests, short of it nothing happens', () => {
  const book = (d: Desk) => [d.sell('A', 3, 1_000), d.sell('B', 4, 1_001)];
  expect(last((d) => [...book(d), d.buy('T', 10, 1_001, { minQuantity: 7 })])).toEqual([
    'T accepted, 3 rest',
    'trade 1: 3 @ 1000, T takes A (7 and 0 left)',
    'trade 2: 4 @ 1001, T takes B (3 and 0 left)',
  ]);
  expect(last((d) => [...book(d), d.buy('T', 10, 1_001, { minQuantity: 8 })])).toEqual([
    'T accepted, 0 rest',
    'T expired: 10, UNFILLED_MIN_QTY_ORDER_EXPIRED',
  ]);
});

test('minimum quantity is tested once: what rests trades in any size', () => {
  expect(
    last((d) => [d.sell('A', 5, 1_000), d.buy('T', 10, 1_000, { minQuantity: 5 }), d.sell('B', 1, 1_000)]),
  ).toEqual(['B accepted, 0 rest', 'trade 2: 1 @ 1000, B takes T (0 and 4 left)']);
});

test('fill or kill and minimum quantity look ahead over the sweep with prevention', () => {
  const book = (d: Desk) => [d.sell('A', 5, 1_000), d.sell('B', 5, 1_000, other)];
  const fok = { timeInForce: 'fok' } as const;
  const killed = ['T accepted, 0 rest', 'T expired: 5, UNFILLED_FOK_ORDER_EXPIRED'];
  const fill = (selfTrade: 'none' | 'cancel_newest' | 'cancel_oldest' | 'cancel_both' | 'decrement') =>
    last((d) => [...book(d), d.buy('T', 5, 1_000, { ...fok, selfTrade })]);
  expect(fill('none')).toEqual(['T accepted, 0 rest', 'trade 1: 5 @ 1000, T takes A (0 and 0 left)']);
  expect(fill('cancel_newest')).toEqual(killed);
  expect(fill('cancel_both')).toEqual(killed);
  expect(fill('decrement')).toEqual(killed);
  expect(fill('cancel_oldest')).toEqual([
    'T accepted, 0 rest',
    'prevented (cancel_oldest): 5 @ 1000, T met A (5 and 5 left)',
    'A expired: 5 resting, SELF_TRADE_PREVENTED',
    'trade 1: 5 @ 1000, T takes B (0 and 0 left)',
  ]);
});

test('lots bind buys; price times quantity has a least (for buys) and a most', () => {
  const rules = { lotShares: 5, notionalMinCents: 10_000, notionalMaxCents: 20_000 };
  expect(last((d) => [d.buy('T', 12, 1_000)], rules)).toEqual(['T rejected: LOT_STEP']);
  expect(last((d) => [d.sell('T', 12, 1_000)], rules)).toEqual(['T accepted, 12 rest']);
  expect(last((d) => [d.buy('T', 5, 1_000)], rules)).toEqual(['T rejected: MIN_NOTIONAL']);
  expect(last((d) => [d.sell('T', 25, 1_000)], rules)).toEqual(['T rejected: MAX_NOTIONAL']);
});

test('version 1 does not have the flags of version 2, until newer rules are adopted', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [
    d.list({}, 1),
    d.buy('A', 1, 1_000, { postOnly: true }),
    d.buy('B', 1, 1_000, { minQuantity: 1 }),
    d.buy('C', 1, 1_000, { selfTrade: 'decrement' }),
    d.adopt(2),
    d.buy('D', 1, 1_000, { postOnly: true }),
  ];
  expect(inputs.flatMap((input) => told(apply(engine, input)))).toEqual([
    'continuous',
    'A rejected: MATCHING_RULES',
    'B rejected: MATCHING_RULES',
    'C rejected: MATCHING_RULES',
    'noted',
    'D accepted, 1 rest',
  ]);
});
