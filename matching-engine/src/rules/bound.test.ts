import type { BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, type Engine, newEngine, type PlacedInput } from './engine.ts';
import { OUTPUTS_MAX } from './state.ts';

type Desk = ReturnType<typeof desk>;
/** An input has room for twenty outputs here: four, and the sixteen that one more step may have. */
const NEAR = 20;
function begun(inputs: (d: Desk) => PlacedInput[], { rules = {}, outputsMax = NEAR } = {}) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  engine.outputsMax = outputsMax;
  let facts: BookFact[] = [];
  for (const input of [d.list({ orderSharesMax: 1_000_000, ...rules }, 4), ...inputs(d)])
    facts = apply(engine, input);
  return { d, engine, facts, told: told(facts) };
}
const bob = { accountId: '0000acc0-0000-4000-8000-000000000002' };
const sellers = (d: Desk, count: number, ticks = 1_000) =>
  Array.from({ length: count }, (_, n) => d.sell(`${n}S`, 1, ticks, { ...bob, timeInForce: 'gtc' }));
const market = { type: 'market', timeInForce: 'ioc' } as const;

test('an order through more orders than one input may tell of stops there, and its rest expires', () => {
  const { engine, facts } = begun((d) => [...sellers(d, 20_100), d.buy('B', 20_100, 1_100, market)], {
    outputsMax: OUTPUTS_MAX,
  });
  expect(facts.length).toBeLessThanOrEqual(OUTPUTS_MAX);
  expect(facts.length).toBeGreaterThan(OUTPUTS_MAX - 20);
  const trades = facts.filter(({ type }) => type === 'TradeExecuted.v1').length;
  expect(facts.at(-1)).toMatchObject({
    type: 'OrderExpired.v1',
    data: { quantity: 20_100 - trades, resting: false, reason: 'EXECUTION_BOUND' },
  });
  expect(engine.book.orders.size).toBe(20_100 - trades);
});

const expired = 'B expired: 96, EXECUTION_BOUND';
test.for<[what: string, bound: string, buy: (d: Desk) => PlacedInput]>([
  ['a market order', expired, (d) => d.buy('B', 100, 1_100, market)],
  ['a limit order that would rest', expired, (d) => d.buy('B', 100, 1_100, { timeInForce: 'gtc' })],
  ['an ioc order', expired, (d) => d.buy('B', 100, 1_100, { timeInForce: 'ioc' })],
  ['an iceberg', expired, (d) => d.buy('B', 100, 1_100, { displayQuantity: 10 })],
  [
    'an amount of money',
    'B expired: 0, EXECUTION_BOUND, 96000 cents left',
    (d) => d.buy('B', 0, 1_100, { ...market, notionalCents: 100_000 }),
  ],
])('the rest of %s expires where there is no more room', ([, bound, buy]) => {
  const { told, engine } = begun((d) => [...sellers(d, 9), buy(d)]);
  expect(told.filter((line) => line.startsWith('trade'))).toHaveLength(4);
  expect(told.at(-1)).toBe(bound);
  expect(engine.book.orders.size).toBe(5);
});

test('a fill-or-kill order that would need more room is not begun; a minimum quantity within it is filled', () => {
  const reach = (NEAR - 16) / 2;
  const fok = (quantity: number) =>
    begun((d) => [...sellers(d, 9), d.buy('B', quantity, 1_100, { timeInForce: 'fok' })]).told;
  expect(fok(reach).slice(1)).toHaveLength(reach);
  expect(fok(reach + 1)).toEqual(['B accepted, 0 rest', `B expired: ${reach + 1}, EXECUTION_BOUND`]);
  const least = (minQuantity: number) =>
    begun((d) => [...sellers(d, 9), d.buy('B', 9, 1_100, { minQuantity })]).told;
  expect(least(reach).at(-1)).toBe('B expired: 5, EXECUTION_BOUND');
  expect(least(reach + 1).slice(1)).toEqual(['B expired: 9, EXECUTION_BOUND']);
  // One maker of many shares is one match.
  expect(
    begun((d) => [d.sell('A', 500, 1_000, bob), d.buy('B', 500, 1_100, { timeInForce: 'fok' })]).told.slice(
      1,
    ),
  ).toEqual(['trade 1: 500 @ 1000, B takes A (0 and 0 left)']);
});

test('an order that a change sends through the book stops there, too', () => {
  const { told, engine } = begun((d) => [
    d.buy('B', 9, 990, { timeInForce: 'gtc' }),
    ...sellers(d, 9),
    d.amend('B', 9, { limitTicks: 1_000 }),
  ]);
  expect(told).toHaveLength(6);
  expect(told[0]).toBe('B replaced: 9, 9 to 9 left, anew @ 1000, 0 rest');
  expect(told.at(-1)).toBe('B expired: 5, EXECUTION_BOUND');
  expect(engine.book.orders.size).toBe(5);
});

const stops = (d: Desk, count: number) =>
  Array.from({ length: count }, (_, n) =>
    d.sell(`${n}T`, 1, 900, { type: 'stop', stopTicks: 995, timeInForce: 'gtc', ...bob }),
  );
/** Eight stops that one print reaches, and a bid for all of them. */
const cascade = (d: Desk) => [
  ...stops(d, 8),
  d.buy('A', 1, 995),
  d.buy('Z', 50, 990, { timeInForce: 'gtc' }),
  d.sell('B', 1, 995),
];
const triggeredIn = (facts: readonly BookFact[]) =>
  told(facts).flatMap((line) => line.match(/^(\d)T triggered/)?.[1] ?? []);

test('stops whose turn does not come have it with the next inputs, in their order, and none is lost', () => {
  const { d, engine, facts } = begun(cascade);
  const turns = [triggeredIn(facts)];
  expect(engine.stops.terms.size).toBeGreaterThan(0);
  for (let n = 0; n < 8; n++) turns.push(triggeredIn(apply(engine, d.reach('15:00:00'))));
  expect(turns.flat()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  expect(Math.max(...turns.map((some) => some.length))).toBeLessThan(4);
  expect(engine.stops.terms.size).toBe(0);
  expect(engine.lastTicks).toBe(990);
});

test('meanwhile they can be canceled, outlive a restart, and wait out a halt', () => {
  const { d, engine } = begun(cascade);
  const left = () => engine.stops.terms.size;
  const waiting = left();
  expect(triggeredIn(apply(engine, d.halt()))).toEqual([]);
  expect(left()).toBe(waiting);
  const again: Engine = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  again.outputsMax = NEAR;
  expect(snapshot(again)).toEqual(snapshot(engine));
  const canceled = d.cancel('7T', bob.accountId);
  expect(told(apply(again, canceled))[0]).toBe('7T canceled: 1 @ 995 held');
  apply(again, d.resume());
  const turns = Array.from({ length: 8 }, () => triggeredIn(apply(again, d.endCall()))).flat();
  expect(turns.at(-1)).toBe('6');
  expect(turns).toHaveLength(waiting - 1);
});

test('a triggered stop that finds more than there is room for expires its rest', () => {
  const { told } = begun((d) => [
    d.buy('T', 50, 1_100, { type: 'stop', stopTicks: 1_001 }),
    ...sellers(d, 9, 1_005),
    d.sell('A', 1, 1_001),
    d.buy('B', 1, 1_001, bob),
  ]);
  expect(told.at(-1)).toMatch(/^T expired: 4\d, EXECUTION_BOUND$/);
});

test('brackets whose turn does not come arm with the next inputs', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const { d, engine, facts } = begun((d) => [
    d.phase('closed'),
    d.phase('opening_auction'),
    ...names.map((name) => d.bracket([`${name}E`, `${name}P`, `${name}L`], 1, [1_000, 1_020, 980])),
    d.sell('S', 5, 1_000, bob),
    d.endCall(),
  ]);
  const armed = (some: readonly BookFact[]) =>
    told(some).flatMap((line) => line.match(/^(.)L activated/)?.[1] ?? []);
  const turns = [armed(facts)];
  for (let n = 0; n < 5; n++) turns.push(armed(apply(engine, d.reach('15:00:00'))));
  expect(turns.flat()).toEqual(names);
  expect(Math.max(...turns.map((some) => some.length))).toBeLessThan(5);
});

test('an uncross is done whole, and what it brings about is counted from its end', () => {
  const { facts, engine } = begun((d) => [
    d.phase('closed'),
    d.phase('opening_auction'),
    ...sellers(d, 60),
    d.buy('T', 1, 1_100, { type: 'stop', stopTicks: 1_000 }),
    d.buy('B', 50, 1_000, bob),
    d.endCall(),
  ]);
  expect(facts.filter(({ type }) => type === 'TradeExecuted.v1')).toHaveLength(51);
  expect(told(facts).at(-1)).toMatch(/T takes/);
  expect(engine.book.orders.size).toBe(9);
});

test('orders that end at one time are ended as many at a time as there is room for; the next time is told', () => {
  const at = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' } as const;
  const {
    d,
    engine,
    told: first,
  } = begun((d) => [
    ...Array.from({ length: 12 }, (_, n) => d.buy(`${n}A`, 1, 990, at)),
    d.reach('15:00:00'),
  ]);
  expect(first).toHaveLength(6);
  expect(first.at(-1)).toBe('time 15:00:00, next 15:00:00');
  const rest = [told(apply(engine, d.reach('15:00:00'))), told(apply(engine, d.reach('15:00:00')))];
  expect(rest.at(-1)).toEqual([
    '10A expired: 1 resting, EXPIRES_AT_REACHED',
    '11A expired: 1 resting, EXPIRES_AT_REACHED',
    'time 15:00:00, next none',
  ]);
});

const days = (d: Desk, count: number, terms = {}) =>
  Array.from({ length: count }, (_, n) => d.sell(`${n}D`, 1, 1_050, { ...bob, ...terms }));
const endsIn = (facts: readonly BookFact[]) => facts.filter(({ type }) => type === 'OrderExpired.v1').length;
const gtd = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' } as const;
const called = (d: Desk) => [d.phase('closed'), d.phase('opening_auction')];

test.for<[what: string, first: number, inputs: (d: Desk) => PlacedInput[]]>([
  ['the end of a day', 5, (d) => [...days(d, 30), d.endDay(1_000)]],
  ['a close', 5, (d) => [...days(d, 30), d.phase('closed')]],
  ['a close while halted', 5, (d) => [...days(d, 30), d.halt(), d.phase('closed')]],
  [
    'a resumption after the close',
    5,
    (d) => [...days(d, 30), d.halt(), d.phase('closing_auction'), d.resume()],
  ],
  [
    'a close of stops',
    5,
    (d) => [...days(d, 30, { type: 'stop', stopTicks: 950, timeInForce: 'day' }), d.phase('closed')],
  ],
  [
    'a call and what was meant for it',
    5,
    (d) => [...called(d), ...days(d, 30, { timeInForce: 'opg' }), d.endCall()],
  ],
  [
    'a call and what is over by its end',
    5,
    (d) => [...called(d), ...days(d, 30, gtd), d.endCall('15:00:00')],
  ],
  [
    'a close by its phase and what is over by then',
    5,
    (d) => [...called(d), ...days(d, 30, gtd), d.phase('closed', '15:00:00')],
  ],
  [
    'the beginning of trading and what is over by then',
    5,
    (d) => [...called(d), ...days(d, 30, gtd), d.phase('continuous', '15:00:00')],
  ],
])(
  '%s with more ends than one input may tell: the next inputs tell them, none twice',
  ([, first, inputs]) => {
    const { d, engine, facts } = begun(inputs);
    expect(facts.length).toBeLessThanOrEqual(NEAR);
    expect(endsIn(facts)).toBe(first);
    const again: Engine = restore(JSON.parse(JSON.stringify(snapshot(engine))));
    again.outputsMax = NEAR;
    expect(snapshot(again)).toEqual(snapshot(engine));
    const ends = [...facts];
    let last = facts;
    for (let turn = 0; turn < 10; turn++) {
      last = apply(again, d.reach('16:00:00'));
      expect(last.length).toBeLessThanOrEqual(NEAR);
      ends.push(...last);
    }
    expect(endsIn(ends)).toBe(30);
    const ids = ends.flatMap(({ type, data }) =>
      type === 'OrderExpired.v1' && 'order' in data ? [data.order.orderId] : [],
    );
    expect(new Set(ids).size).toBe(30);
    expect(told(last).at(-1)).toMatch(/next none$/);
  },
);

test('whoever keeps the time is told that more is due, and no order of the day that has ended trades meanwhile', () => {
  const { d, engine, facts } = begun((d) => [...days(d, 30), d.endDay(1_000)]);
  expect(told(facts).at(-1)).toBe('time 21:00:00, next 21:00:00');
  const arrives = told(apply(engine, d.buy('B', 5, 1_050, market)));
  expect(arrives.filter((line) => line.startsWith('trade'))).toEqual([]);
  expect(arrives.slice(5, 7)).toEqual(['B accepted, 0 rest', 'B expired: 5, EXECUTION_BOUND']);
  expect(told(apply(engine, d.cancel('29D', bob.accountId))).slice(5, 6)).toEqual([
    'cancel of 29D rejected: ORDER_NOT_OPEN',
  ]);
});

test('orders for the closing call enter as there is room, all before it is executed', () => {
  const { d, engine, facts } = begun((d) => [
    ...days(d, 12, { timeInForce: 'cls' }),
    d.phase('closing_auction'),
  ]);
  const entered = (some: readonly BookFact[]) => some.filter(({ type }) => type === 'OrderEntered.v1').length;
  expect(facts.length).toBeLessThanOrEqual(NEAR);
  expect(entered(facts)).toBe(4);
  expect(told(facts).at(-1)).toBe('time 14:00:00, next 14:00:00');
  expect(entered(apply(engine, d.reach('14:00:01')))).toBe(5);
  const close = told(apply(engine, d.endCall()));
  expect(close.findIndex((line) => line.startsWith('closing_auction'))).toBe(3);
});

test('a call whose end would tell too much before it runs on, and says so', () => {
  const { d, engine, told: first } = begun((d) => [...called(d), ...days(d, 8, gtd), d.endCall('15:00:00')]);
  expect(first.slice(5)).toEqual(['opening_auction']);
  expect(told(apply(engine, d.endCall('15:00:01'))).at(-1)).toBe('continuous');
});

test.for<[what: string, phase: 'closed' | 'continuous', before: (d: Desk) => PlacedInput[], runs: string]>([
  ['a closing call', 'closed', (d) => [d.phase('closing_auction')], 'closing_auction'],
  ['an opening call', 'continuous', called, 'opening_auction'],
  ['an opening call that the day is over in', 'closed', called, 'opening_auction'],
  [
    'a market that never opened',
    'closed',
    (d) => [d.phase('closed'), d.phase('pre_open')],
    'opening_auction',
  ],
  [
    'a market without a call',
    'continuous',
    (d) => [d.phase('closed'), d.phase('pre_open')],
    'opening_auction',
  ],
])('%s runs on where its end would tell too much, and then ends by its phase', ([, phase, before, runs]) => {
  const gtc = { ...bob, timeInForce: 'gtc' } as const;
  const { d, engine, facts } = begun((d) => [
    ...before(d),
    ...days(d, 12, gtd),
    d.sell('S', 3, 1_000, gtc),
    d.buy('B', 2, 1_000, { timeInForce: 'gtc' }),
    d.phase(phase, '15:00:00'),
  ]);
  expect(facts.length).toBeLessThanOrEqual(NEAR);
  expect(facts.filter(({ type }) => type === 'AuctionUncrossed.v1')).toEqual([]);
  expect(engine.state).toBe(runs);
  const again: Engine = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  again.outputsMax = NEAR;
  expect(endsIn([...facts, ...apply(again, d.reach('15:00:01')), ...apply(again, d.reach('15:00:02'))])).toBe(
    12,
  );
  expect(told(apply(again, d.endCall('15:00:03'))).slice(1)).toEqual([
    'trade 1: 2 @ 1000, S sells to B (1 and 0 left)',
    phase,
  ]);
});

test('entries for a closing call and the ends of what was meant for it share the room of one input', () => {
  const { d, engine, facts } = begun((d) => [
    ...days(d, 40, { timeInForce: 'cls' }),
    d.buy('B', 30, 1_050, { timeInForce: 'gtc' }),
    d.phase('closing_auction'),
  ]);
  const ends = [facts];
  const isPaired = ({ type }: BookFact) => type === 'TradeExecuted.v1' || type === 'AuctionUncrossed.v1';
  while (ends.length < 20 && engine.state !== 'closed') ends.push(apply(engine, d.endCall()));
  for (let n = 0; n < 3; n++) ends.push(apply(engine, d.reach('22:00:00')));
  for (const some of ends) expect(some.filter((fact) => !isPaired(fact)).length).toBeLessThanOrEqual(NEAR);
  const all = ends.flat();
  const count = (wanted: string) => all.filter(({ type }) => type === wanted).length;
  expect([count('OrderEntered.v1'), count('TradeExecuted.v1'), count('OrderExpired.v1')]).toEqual([
    40, 30, 10,
  ]);
});

test('older rules have no bound', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  engine.outputsMax = NEAR;
  const inputs = [d.list({}, 3), ...sellers(d, 40), d.buy('B', 40, 1_100, market)];
  const facts = inputs.map((input) => apply(engine, input)).at(-1);
  expect(facts).toHaveLength(41);
});

test('an iceberg has at most a hundred peaks, at entry and by a change', () => {
  const iceberg = (quantity: number) => (d: Desk) => d.sell('I', quantity, 1_000, { displayQuantity: 2 });
  const last = (inputs: (d: Desk) => PlacedInput[]) => begun(inputs, { outputsMax: OUTPUTS_MAX }).told;
  expect(last((d) => [iceberg(200)(d)])).toEqual(['I accepted, 200 rest (2 shown)']);
  expect(last((d) => [iceberg(201)(d)])).toEqual(['I rejected: ICEBERG_PEAKS']);
  const amended = (quantity: number) => last((d) => [iceberg(150)(d), d.amend('I', quantity)])[0];
  expect(amended(200)).toBe('I replaced: 200, 150 to 200 left, anew @ 1000, 200 rest (2 shown)');
  expect(amended(201)).toBe('amend of I rejected: ICEBERG_PEAKS');
});
