import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../../test/desk.ts';
import { restore, snapshot } from '../../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from '../engine.ts';

/** The outputs of the last of these inputs, in words. The reference and first last price are 1,000. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[]) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list({}, 2), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[]) => run(inputs).told;
const stop = (stopTicks: number) => ({ type: 'stop', stopTicks }) as const;
const limited = (stopTicks: number) => ({ type: 'stop_limit', stopTicks }) as const;
const trailing = (stopTicks: number, trail: object) =>
  ({ type: 'trailing_stop', stopTicks, ...trail }) as const;
/** A trade at this price, between others. */
const tradeAt = (d: Desk, name: string, price: number) => [
  d.sell(`${name}1`, 1, price),
  d.buy(`${name}2`, 1, price),
];

test('a stop waits outside the book', () => {
  const { engine, told } = run((d) => [d.buy('S', 5, 1_100, stop(1_010))]);
  expect(told).toEqual(['S accepted, held']);
  expect(engine.book.orders.size).toBe(0);
});

test('only trades trigger: a bid at the stop price does not', () => {
  expect(last((d) => [d.buy('S', 5, 1_100, stop(1_010)), d.buy('B', 1, 1_010)])).toEqual([
    'B accepted, 1 rest',
  ]);
});

test('a triggered stop is a market order within its protection; what it does not get expires', () => {
  expect(
    last((d) => [
      d.buy('S', 5, 1_020, stop(1_010)),
      d.sell('A', 1, 1_010),
      d.sell('B', 2, 1_020),
      d.sell('C', 9, 1_021),
      d.buy('T', 1, 1_010),
    ]),
  ).toEqual([
    'T accepted, 0 rest',
    'trade 1: 1 @ 1010, T takes A (0 and 0 left)',
    'S triggered: 1010 by 1010, 0 rest',
    'trade 2: 2 @ 1020, S takes B (3 and 0 left)',
    'S expired: 3, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('a triggered stop-limit rests at its limit', () => {
  expect(last((d) => [d.sell('S', 5, 985, limited(990)), ...tradeAt(d, 'x', 990)]).at(-1)).toBe(
    'S triggered: 990 by 990, 5 rest',
  );
});

test('stops are carried out the nearest to the price before first, then by arrival', () => {
  const triggered = (facts: string[]) => facts.filter((fact) => fact.includes('triggered'));
  expect(
    triggered(
      last((d) => [
        d.buy('F', 1, 1_005, limited(1_008)),
        d.buy('N', 1, 1_005, limited(1_002)),
        d.buy('M', 1, 1_005, limited(1_002)),
        ...tradeAt(d, 'x', 1_010),
      ]),
    ),
  ).toEqual([
    'N triggered: 1002 by 1010, 1 rest',
    'M triggered: 1002 by 1010, 1 rest',
    'F triggered: 1008 by 1010, 1 rest',
  ]);
});

test('each runs to its end before the next, and what its trades reach joins behind', () => {
  expect(
    last((d) => [
      d.buy('P', 2, 1_030, stop(1_010)),
      d.buy('Q', 1, 1_030, stop(1_020)),
      d.buy('R', 1, 1_001, limited(1_010)),
      d.sell('A', 1, 1_010),
      d.sell('B', 2, 1_020),
      d.sell('C', 9, 1_030),
      d.buy('T', 1, 1_010),
    ]),
  ).toEqual([
    'T accepted, 0 rest',
    'trade 1: 1 @ 1010, T takes A (0 and 0 left)',
    'P triggered: 1010 by 1010, 0 rest',
    'trade 2: 2 @ 1020, P takes B (0 and 0 left)',
    'R triggered: 1010 by 1020, 1 rest',
    'Q triggered: 1020 by 1020, 0 rest',
    'trade 3: 1 @ 1030, Q takes C (0 and 8 left)',
  ]);
});

test('a stop that the last price has reached is refused, at first against the reference', () => {
  expect(last((d) => [d.buy('S', 5, 1_100, stop(1_000))])).toEqual(['S rejected: WOULD_TRIGGER_IMMEDIATELY']);
  expect(last((d) => [d.sell('S', 5, 900, stop(1_000))])).toEqual(['S rejected: WOULD_TRIGGER_IMMEDIATELY']);
  expect(last((d) => [...tradeAt(d, 'x', 1_020), d.buy('S', 5, 1_100, stop(1_010))])).toEqual([
    'S rejected: WOULD_TRIGGER_IMMEDIATELY',
  ]);
});

test('a trailing sell follows the market up, never down, and is triggered at its distance', () => {
  const inputs = (d: Desk) => [
    d.sell('S', 5, 900, trailing(990, { trailTicks: 10 })),
    ...tradeAt(d, 'a', 1_040),
    ...tradeAt(d, 'b', 1_031),
  ];
  expect(run(inputs).engine.stops.book.orders.size).toBe(1);
  expect(last((d) => [...inputs(d), ...tradeAt(d, 'c', 1_030)]).slice(-2)).toEqual([
    'S triggered: 1030 by 1030, 0 rest',
    'S expired: 5, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('trailing by a rate: sell stops round down, buy stops up', () => {
  const stopsAt = (inputs: (d: Desk) => PlacedInput[]) =>
    snapshot(run(inputs).engine).stops.map(([, , , , price]) => price);
  const rate = { trailPpm: 1_500 };
  expect(stopsAt((d) => [d.sell('S', 5, 900, trailing(1, rate)), ...tradeAt(d, 'a', 1_001)])).toEqual([999]);
  expect(stopsAt((d) => [d.buy('S', 5, 1_099, trailing(1_099, rate)), ...tradeAt(d, 'a', 999)])).toEqual([
    1_001,
  ]);
});

test('a stop that waits is canceled, and ends with the day', () => {
  const held = (d: Desk) => d.buy('S', 5, 1_100, stop(1_010));
  expect(last((d) => [held(d), d.cancel('S')])).toEqual(['S canceled: 5 @ 1010 held']);
  expect(last((d) => [held(d), d.endDay(1_000)])).toEqual(['S expired: 5, DAY_ENDED']);
});

test('a stop that waits is changed: less keeps its arrival, anything else makes it the last to have come', () => {
  const held = (d: Desk) => [d.buy('S', 5, 1_005, limited(1_010)), d.buy('R', 5, 1_005, limited(1_010))];
  const order = (amend: (d: Desk) => PlacedInput) =>
    last((d) => [...held(d), amend(d), ...tradeAt(d, 'x', 1_010)])
      .filter((fact) => fact.includes('triggered'))
      .map((fact) => fact[0]);
  expect(last((d) => [...held(d), d.amend('S', 4)])).toEqual(['S replaced: 4, 5 to 4 left']);
  expect(order((d) => d.amend('S', 4))).toEqual(['S', 'R']);
  expect(order((d) => d.amend('S', 6))).toEqual(['R', 'S']);
  expect(order((d) => d.amend('S', 5, { limitTicks: 1_004 }))).toEqual(['R', 'S']);
  expect(
    last((d) => [...held(d), d.amend('S', 6, { limitTicks: 1_003 }), ...tradeAt(d, 'x', 1_010)]).at(-1),
  ).toBe('S triggered: 1010 by 1010, 6 rest');
});

test('a change of a stop is rejected where it changes nothing, or a limit that it does not have', () => {
  const held = (d: Desk) => d.buy('S', 5, 1_100, stop(1_010));
  expect(last((d) => [held(d), d.amend('S', 5)])).toEqual(['amend of S rejected: AMEND_NO_CHANGE']);
  expect(last((d) => [held(d), d.amend('S', 5, { limitTicks: 1_050 })])).toEqual([
    'amend of S rejected: ORDER_TYPE',
  ]);
  expect(last((d) => [held(d), d.halt(), d.amend('S', 4)])).toEqual(['amend of S rejected: SYMBOL_HALTED']);
});

test('an order ends at its time: the earliest first, then by arrival; a fill before stands', () => {
  const until = (time: string) => ({ timeInForce: 'gtd', expiresAt: `2026-01-05T${time}.000Z` }) as const;
  const inputs = (d: Desk) => [
    d.buy('A', 5, 990, until('16:00:00')),
    d.buy('B', 5, 1_100, { ...stop(1_010), ...until('15:00:00') }),
    d.buy('C', 5, 990, until('15:00:00')),
    d.buy('D', 5, 990, until('17:00:00')),
    d.sell('x', 2, 990),
  ];
  expect(last((d) => [...inputs(d), d.reach('14:59:59')])).toEqual(['time 14:59:59, next 15:00:00']);
  expect(last((d) => [...inputs(d), d.reach('16:00:00')])).toEqual([
    'B expired: 5, EXPIRES_AT_REACHED',
    'C expired: 5 resting, EXPIRES_AT_REACHED',
    'A expired: 3 resting, EXPIRES_AT_REACHED',
    'time 16:00:00, next 17:00:00',
  ]);
  expect(last((d) => [...inputs(d), d.reach('16:00:00'), d.reach('15:00:00')])).toEqual([
    'time 16:00:00, next 17:00:00',
  ]);
  expect(last((d) => [d.reach('16:00:00'), d.buy('E', 5, 990, until('16:00:00'))])).toEqual([
    'E rejected: EXPIRES_AT',
  ]);
});

test('a restored engine goes on as the one before', () => {
  const { engine } = run((d) => [
    d.sell('S', 5, 900, trailing(990, { trailTicks: 10 })),
    d.buy('L', 5, 1_011, { ...limited(1_010), timeInForce: 'gtd', expiresAt: '2026-01-05T16:00:00.000Z' }),
    ...tradeAt(d, 'a', 1_005),
  ]);
  const state = JSON.parse(JSON.stringify(snapshot(engine)));
  expect(snapshot(restore(state))).toEqual(state);
  expect(state.stops).toHaveLength(2);
});
