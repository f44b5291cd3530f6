import { expect, test } from 'vitest';
import { desk, idOf, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** The outputs of the last of these inputs, in words. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[], rules = {}, version = 4) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list(rules, version), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}) => run(inputs, rules).told;
const peak = (displayQuantity: number) => ({ displayQuantity });
const BOB = '0000acc0-0000-4000-8000-000000000002';

test('an iceberg shows its peak, and what it hides is not in the depth of its level', () => {
  const { engine, told } = run((d) => [d.sell('I', 100, 1_000, peak(10))]);
  expect(told).toEqual(['I accepted, 100 rest (10 shown)']);
  expect(engine.book.sells.sorted.map(({ shares }) => shares)).toEqual([10]);
});

test('an arriving iceberg trades in full; its rest shows a peak', () => {
  expect(last((d) => [d.sell('A', 70, 1_000), d.buy('I', 100, 1_000, peak(10))])).toEqual([
    'I accepted, 30 rest (10 shown)',
    'trade 1: 70 @ 1000, I takes A (30 and 0 left)',
  ]);
});

test('a rest below the peak is shown whole', () => {
  expect(last((d) => [d.sell('A', 95, 1_000), d.buy('I', 100, 1_000, peak(10))]).at(0)).toBe(
    'I accepted, 5 rest (5 shown)',
  );
});

test('a refreshed peak goes behind its level within the same sweep', () => {
  expect(
    last((d) => [d.sell('I', 25, 1_000, peak(10)), d.sell('A', 10, 1_000), d.buy('B', 40, 1_000)]),
  ).toEqual([
    'B accepted, 5 rest',
    'trade 1: 10 @ 1000, B takes I (30 and 15 left), next peak 10',
    'trade 2: 10 @ 1000, B takes A (20 and 0 left)',
    'trade 3: 10 @ 1000, B takes I (10 and 5 left), next peak 5',
    'trade 4: 5 @ 1000, B takes I (5 and 0 left)',
  ]);
});

test('a part of a peak keeps its place', () => {
  expect(
    last((d) => [
      d.sell('I', 25, 1_000, peak(10)),
      d.sell('A', 10, 1_000),
      d.buy('B', 4, 1_000),
      d.buy('C', 6, 1_000),
    ]),
  ).toEqual(['C accepted, 0 rest', 'trade 2: 6 @ 1000, C takes I (0 and 15 left), next peak 10']);
});

test.for([
  ['fok', { timeInForce: 'fok' }],
  ['a minimum quantity', { minQuantity: 100 }],
] as const)('%s counts what is hidden', ([, terms]) => {
  const sweep = (quantity: number) =>
    last((d) => [
      d.sell('I', 90, 1_000, peak(10)),
      d.sell('A', 10, 1_000),
      d.buy('F', quantity, 1_000, { ...terms, ...('minQuantity' in terms ? { minQuantity: quantity } : {}) }),
    ]).at(-1);
  expect(sweep(100)).toMatch(/^trade 1\d: 10 @ 1000, F takes I \(0 and 0 left\)$/);
  expect(sweep(101)).toMatch(/^F expired: 101, UNFILLED_/);
});

test('looking ahead meets an order of its own between two peaks', () => {
  const meets = (selfTrade: 'cancel_newest' | 'cancel_oldest') =>
    last((d) => [
      d.sell('I', 90, 1_000, { ...peak(10), accountId: BOB }),
      d.sell('A', 10, 1_000),
      d.buy('F', 20, 1_000, { timeInForce: 'fok', selfTrade }),
    ]).slice(1);
  expect(meets('cancel_newest')).toEqual(['F expired: 20, UNFILLED_FOK_ORDER_EXPIRED']);
  expect(meets('cancel_oldest')).toEqual([
    'trade 1: 10 @ 1000, F takes I (10 and 80 left), next peak 10',
    'prevented (cancel_oldest): 10 @ 1000, F met A (10 and 10 left)',
    'A expired: 10 resting, SELF_TRADE_PREVENTED',
    'trade 2: 10 @ 1000, F takes I (0 and 70 left), next peak 10',
  ]);
});

test('self-trade prevention takes an iceberg off whole, or peak by peak', () => {
  const meets = (selfTrade: 'cancel_oldest' | 'decrement') =>
    last((d) => [d.sell('I', 25, 1_000, peak(10)), d.buy('B', 20, 1_000, { selfTrade })]);
  expect(meets('cancel_oldest')).toEqual([
    'B accepted, 20 rest',
    'prevented (cancel_oldest): 10 @ 1000, B met I (20 and 25 left)',
    'I expired: 25 resting (10 shown), SELF_TRADE_PREVENTED',
  ]);
  expect(meets('decrement')).toEqual([
    'B accepted, 0 rest',
    'prevented (decrement): 10 @ 1000, B met I (10 and 15 left), next peak 10',
    'prevented (decrement): 10 @ 1000, B met I (0 and 5 left), next peak 5',
    'B expired: 0, SELF_TRADE_PREVENTED',
  ]);
});

test('less quantity takes what is hidden first and keeps the place', () => {
  const amended = (quantity: number) =>
    last((d) => [d.sell('I', 25, 1_000, peak(10)), d.sell('A', 9, 1_000), d.amend('I', quantity)]);
  expect(amended(15)).toEqual(['I replaced: 15, 25 to 15 left, 10 to 10 shown']);
  expect(amended(4)).toEqual(['I replaced: 4, 25 to 4 left, 10 to 4 shown']);
  expect(
    last((d) => [
      d.sell('I', 25, 1_000, peak(10)),
      d.sell('A', 9, 1_000),
      d.amend('I', 4),
      d.buy('B', 5, 1_000),
    ]),
  ).toEqual([
    'B accepted, 0 rest',
    'trade 1: 4 @ 1000, B takes I (1 and 0 left)',
    'trade 2: 1 @ 1000, B takes A (0 and 8 left)',
  ]);
});

test('more quantity or another price lets it come in anew, with its peak', () => {
  expect(last((d) => [d.sell('I', 25, 1_000, peak(10)), d.amend('I', 40)])).toEqual([
    'I replaced: 40, 25 to 40 left, anew @ 1000, 40 rest (10 shown)',
  ]);
  expect(
    last((d) => [
      d.buy('B', 12, 990),
      d.sell('I', 25, 1_000, peak(10)),
      d.amend('I', 25, { limitTicks: 990 }),
    ]),
  ).toEqual([
    'I replaced: 25, 25 to 25 left, anew @ 990, 13 rest (10 shown)',
    'trade 1: 12 @ 990, I takes B (13 and 0 left)',
  ]);
});

test('at or below what is filled it is done', () => {
  expect(last((d) => [d.sell('I', 25, 1_000, peak(10)), d.buy('B', 10, 1_000), d.amend('I', 10)])).toEqual([
    'I replaced: 10, 15 to 0 left',
  ]);
});

test('a cancel, the end of the day and the end of its time take it out whole', () => {
  const iceberg = (d: Desk, terms = {}) => d.sell('I', 25, 1_000, { ...peak(10), ...terms });
  expect(last((d) => [iceberg(d), d.cancel('I')])).toEqual(['I canceled: 25 @ 1000 (10 shown)']);
  expect(last((d) => [iceberg(d), d.halt(), d.cancel('I')])).toEqual(['I canceled: 25 @ 1000 (10 shown)']);
  expect(last((d) => [iceberg(d), d.endDay(1_000)])).toEqual(['I expired: 25 resting (10 shown), DAY_ENDED']);
  const ends = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' };
  const { engine, told } = run((d) => [iceberg(d, ends), d.reach('15:00:00')]);
  expect(told[0]).toBe('I expired: 25 resting (10 shown), EXPIRES_AT_REACHED');
  expect(engine.icebergs.size).toBe(0);
});

test('post-only may be an iceberg, and triggers see the trades of its peaks', () => {
  expect(
    last((d) => [
      d.sell('I', 30, 1_010, { ...peak(10), postOnly: true }),
      d.buy('S', 5, 1_020, { type: 'stop', stopTicks: 1_010 }),
      d.buy('B', 20, 1_010),
    ]),
  ).toEqual([
    'B accepted, 0 rest',
    'trade 1: 10 @ 1010, B takes I (10 and 20 left), next peak 10',
    'trade 2: 10 @ 1010, B takes I (0 and 10 left), next peak 10',
    'S triggered: 1010 by 1010, 0 rest',
    'trade 3: 5 @ 1010, S takes I (0 and 5 left)',
  ]);
});

test.for([
  ['ORDER_TYPE', { ...peak(10), type: 'market', timeInForce: 'ioc' }, {}],
  ['TIME_IN_FORCE', { ...peak(10), timeInForce: 'fok' }, {}],
  ['ORDER_SIZE', peak(100), {}],
  ['LOT_STEP', peak(7), { lotShares: 5 }],
] as const)('what cannot be an iceberg is refused: %s', ([code, terms, rules]) => {
  expect(last((d) => [d.buy('I', 100, 1_000, terms)], rules)).toEqual([`I rejected: ${code}`]);
});

test('version 2 of the rules has no icebergs', () => {
  expect(run((d) => [d.buy('I', 100, 1_000, peak(10))], {}, 2).told).toEqual(['I rejected: MATCHING_RULES']);
});

test('a restored engine goes on with what was hidden', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list({}, 4), d.sell('I', 25, 1_000, peak(10)), d.buy('B', 4, 1_000)])
    apply(engine, input);
  const again = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  expect(snapshot(again)).toEqual(snapshot(engine));
  expect(snapshot(again).icebergs).toEqual([[idOf('I'), 10, 15]]);
  expect(told(apply(again, d.buy('C', 21, 1_000))).at(-1)).toBe(
    'trade 4: 5 @ 1000, C takes I (0 and 0 left)',
  );
});
