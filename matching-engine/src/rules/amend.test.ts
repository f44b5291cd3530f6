import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

type Desk = ReturnType<typeof desk>;
function after(inputs: (d: Desk) => PlacedInput[], rules = {}) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const all = [d.list(rules, 2), ...inputs(d)];
  const facts = all.map((input) => apply(engine, input)).at(-1) ?? [];
  return {
    told: told(facts),
    facts,
    orders: snapshot(engine).orders.map(([, , , , price, , , leaves]) => [price, leaves]),
  };
}
const other = { accountId: '0000acc0-0000-4000-8000-000000000002' };

test('less quantity keeps the place in the queue', () => {
  const { told, orders } = after((d) => [d.buy('A', 10, 1_000), d.buy('B', 10, 1_000), d.amend('A', 4)]);
  expect(told).toEqual(['A replaced: 4, 10 to 4 left']);
  expect(orders).toEqual([
    [1_000, 4],
    [1_000, 10],
  ]);
});

test('more quantity goes behind the others, under the same id', () => {
  const inputs = (d: Desk) => [d.buy('A', 10, 1_000), d.buy('B', 10, 1_000), d.amend('A', 12)];
  expect(after(inputs).told).toEqual(['A replaced: 12, 10 to 12 left, anew @ 1000, 12 rest']);
  expect(after((d) => [...inputs(d), d.sell('S', 5, 1_000)]).told.at(-1)).toBe(
    'trade 1: 5 @ 1000, S takes B (0 and 5 left)',
  );
});

test('another price may trade at once, and the rest goes into the book there', () => {
  const { told, facts, orders } = after((d) => [
    d.sell('S', 4, 1_005, other),
    d.buy('A', 10, 1_000),
    d.amend('A', 10, { limitTicks: 1_005 }),
  ]);
  expect(told).toEqual([
    'A replaced: 10, 10 to 10 left, anew @ 1005, 6 rest',
    'trade 1: 4 @ 1005, A takes S (6 and 0 left)',
  ]);
  expect(facts[0]?.data).toMatchObject({ priceTicks: 1_000, entry: { restingQuantity: 6, entersAfter: 1 } });
  expect(orders).toEqual([[1_005, 6]]);
});

test('the prevention mode stays with the order', () => {
  expect(
    after((d) => [
      d.sell('S', 4, 1_005),
      d.buy('A', 10, 1_000, { selfTrade: 'cancel_newest' }),
      d.amend('A', 10, { limitTicks: 1_005 }),
    ]).told,
  ).toEqual([
    'A replaced: 10, 10 to 10 left, anew @ 1005, 0 rest',
    'prevented (cancel_newest): 4 @ 1005, A met S (10 and 4 left)',
    'A expired: 10, SELF_TRADE_PREVENTED',
  ]);
});

test('at or below what is filled it ends: quantity is what was filled', () => {
  const inputs = (d: Desk) => [d.buy('A', 10, 1_000), d.sell('S', 4, 1_000)];
  for (const quantity of [4, 1]) {
    expect(after((d) => [...inputs(d), d.amend('A', quantity, { limitTicks: 990 })])).toMatchObject({
      told: ['A replaced: 4, 6 to 0 left'],
      orders: [],
    });
  }
});

test('a minimum quantity was for the entry alone', () => {
  expect(
    after((d) => [
      d.sell('S', 5, 1_000, other),
      d.buy('A', 10, 1_000, { minQuantity: 5 }),
      d.sell('R', 1, 1_005, other),
      d.amend('A', 10, { limitTicks: 1_005 }),
    ]).told.at(-1),
  ).toBe('trade 2: 1 @ 1005, A takes R (4 and 0 left)');
});

test.for<[code: string, amend: (d: Desk) => PlacedInput]>([
  ['AMEND_NO_CHANGE', (d) => d.amend('A', 10)],
  ['AMEND_NO_CHANGE', (d) => d.amend('A', 10, { limitTicks: 1_000 })],
  ['ORDER_NOT_OPEN', (d) => d.amend('Z', 5)],
  ['ORDER_SIZE', (d) => d.amend('A', 10_001)],
  ['LOT_STEP', (d) => d.amend('A', 13)],
  ['PRICE_TICK', (d) => d.amend('A', 10, { limitTicks: 0 })],
  ['PRICE_BAND', (d) => d.amend('A', 10, { limitTicks: 1_101 })],
  ['MIN_NOTIONAL', (d) => d.amend('A', 2)],
  ['MAX_NOTIONAL', (d) => d.amend('A', 1_000)],
  ['WOULD_TAKE', (d) => d.amend('A', 10, { limitTicks: 1_010 })],
])('a change is rejected and the order stays as it was: %s', ([code, amend]) => {
  const rules = { lotShares: 2, notionalMinCents: 5_000, notionalMaxCents: 900_000 };
  const book = (d: Desk) => [d.sell('S', 10, 1_010), d.buy('A', 10, 1_000, { postOnly: true })];
  const { told, orders } = after((d) => [...book(d), amend(d)], rules);
  expect(told).toEqual([`amend of ${code === 'ORDER_NOT_OPEN' ? 'Z' : 'A'} rejected: ${code}`]);
  expect(orders).toEqual([
    [1_010, 10],
    [1_000, 10],
  ]);
});

test('bands that are switched off let any price through', () => {
  const book = (d: Desk) => [d.buy('A', 10, 1_000)];
  expect(after((d) => [...book(d), d.amend('A', 10, { limitTicks: 500, bandExempt: true })]).orders).toEqual([
    [500, 10],
  ]);
  expect(after((d) => [...book(d), d.exempt(true), d.amend('A', 10, { limitTicks: 500 })]).orders).toEqual([
    [500, 10],
  ]);
});

test('a halt takes no changes', () => {
  expect(after((d) => [d.buy('A', 10, 1_000), d.halt(), d.amend('A', 4)]).told).toEqual([
    'amend of A rejected: SYMBOL_HALTED',
  ]);
});
