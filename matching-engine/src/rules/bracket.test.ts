import { expect, test } from 'vitest';
import { desk, idOf, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** The outputs of the last of these inputs, in words. The reference and first last price are 1,000. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[], rules = {}) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list(rules, 4), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}) => run(inputs, rules).told;
const bob = { accountId: '0000acc0-0000-4000-8000-000000000002' };
/** Buys 10 at 1,000 (E); then a limit P at 1,020 and a stop L at 980. */
const bracket = (d: Desk, terms = {}) => d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 980], terms);
const fills = (d: Desk, quantity: number, name = 'S') => d.sell(name, quantity, 1_000, bob);

test('the two that will sell are dormant until the entry has ended', () => {
  const { engine, told } = run((d) => [bracket(d)]);
  expect(told).toEqual(['P accepted, dormant', 'L accepted, dormant', 'E accepted, 10 rest']);
  expect([engine.book.orders.size, engine.stops.book.orders.size]).toEqual([1, 0]);
});

test('a filled entry activates them once, for what it has bought', () => {
  expect(last((d) => [bracket(d), fills(d, 4)])).toEqual([
    'S accepted, 0 rest',
    'trade 1: 4 @ 1000, S takes E (0 and 6 left)',
  ]);
  expect(last((d) => [bracket(d), fills(d, 4), fills(d, 6, 'T')])).toEqual([
    'T accepted, 0 rest',
    'trade 2: 6 @ 1000, T takes E (0 and 0 left)',
    'L activated: 10, held',
    'P activated: 10, 10 rest',
  ]);
});

test('an entry that is canceled or reduced activates them for what it has', () => {
  const part = (d: Desk) => [bracket(d), fills(d, 4)];
  const active = ['L activated: 4, held', 'P activated: 4, 4 rest'];
  expect(last((d) => [...part(d), d.cancel('E')])).toEqual(['E canceled: 6 @ 1000', ...active]);
  expect(last((d) => [...part(d), d.amend('E', 4)])).toEqual(['E replaced: 4, 6 to 0 left', ...active]);
  expect(last((d) => [...part(d), d.cancel('E'), d.buy('B', 4, 1_020, bob)])).toEqual([
    'B accepted, 0 rest',
    'trade 2: 4 @ 1020, B takes P (0 and 0 left)',
    'L expired: 4, OCO_TRIGGER',
  ]);
});

test('an entry that bought nothing takes them with it', () => {
  const { engine, told } = run((d) => [bracket(d), d.cancel('E')]);
  expect(told).toEqual([
    'E canceled: 10 @ 1000',
    'P expired: 10, ENTRY_NOT_FILLED',
    'L expired: 10, ENTRY_NOT_FILLED',
  ]);
  expect(engine.lists.size).toBe(0);
});

test('a market entry activates them in the same input', () => {
  expect(last((d) => [d.sell('A', 4, 1_000, bob), bracket(d, { market: true })])).toEqual([
    'P accepted, dormant',
    'L accepted, dormant',
    'E accepted, 0 rest',
    'trade 1: 4 @ 1000, E takes A (6 and 0 left)',
    'E expired: 6, INSUFFICIENT_LIQUIDITY',
    'L activated: 4, held',
    'P activated: 4, 4 rest',
  ]);
});

test('a stop that a print has reached already triggers at once by it, after the limit has arrived', () => {
  expect(
    last((d) => [
      d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 995], {}),
      d.buy('B', 1, 994, bob),
      d.buy('C', 3, 990, bob),
      d.sell('S', 11, 990, bob),
    ]),
  ).toEqual([
    'S accepted, 0 rest',
    'trade 1: 10 @ 1000, S takes E (1 and 0 left)',
    'trade 2: 1 @ 994, S takes B (0 and 0 left)',
    'L activated: 10, held',
    'P activated: 10, 10 rest',
    'L triggered: 995 by 994, 0 rest',
    'trade 3: 3 @ 990, L takes C (7 and 0 left)',
    'P reduced by 3 to 7',
    'L expired: 7, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('what an entry pays on its way reaches no stop of its own, whoever takes, and in an auction neither', () => {
  const armed = ['L activated: 10, held', 'P activated: 10, 10 rest'];
  expect(
    last((d) => [
      d.sell('A', 5, 980, bob),
      d.sell('B', 5, 1_000, bob),
      d.bracket(['E', 'P', 'L'], 10, [1_100, 1_020, 990], { market: true }),
    ]).slice(-2),
  ).toEqual(armed);
  const above = (d: Desk) => d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 1_005]);
  expect(last((d) => [above(d), fills(d, 10)]).slice(-2)).toEqual(armed);
  expect(last((d) => [above(d), fills(d, 4), fills(d, 6, 'T')]).slice(-2)).toEqual(armed);
  const call = (d: Desk) => [d.phase('closed'), d.phase('opening_auction')];
  expect(
    last((d) => [...call(d), above(d), d.buy('X', 1, 1_000, bob), fills(d, 11), d.endCall()]).slice(-2),
  ).toEqual(armed);
});

test('a print of others between two fills of an entry counts, and is what triggered its stop', () => {
  const inputs = (d: Desk) => [
    d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 990]),
    fills(d, 4),
    d.amend('E', 10, { limitTicks: 980 }),
    d.buy('B', 1, 985, bob),
    d.buy('C', 9, 970, bob),
    d.sell('T', 7, 980, bob),
  ];
  expect(last(inputs).slice(1, 6)).toEqual([
    'trade 2: 1 @ 985, T takes B (6 and 0 left)',
    'trade 3: 6 @ 980, T takes E (0 and 0 left)',
    'L activated: 10, held',
    'P activated: 10, 10 rest',
    'L triggered: 990 by 985, 0 rest',
  ]);
});

test('to cancel one of the two before is to cancel both, and the entry goes on alone', () => {
  const canceled = (d: Desk) => [bracket(d), d.cancel('L')];
  expect(last(canceled)).toEqual(['L canceled: 10 @ 800 held', 'P canceled: 10 @ 1020 held']);
  expect(last((d) => [...canceled(d), fills(d, 10)])).toEqual([
    'S accepted, 0 rest',
    'trade 1: 10 @ 1000, S takes E (0 and 0 left)',
  ]);
});

test('all end with their day or their time, whatever was bought', () => {
  expect(last((d) => [bracket(d, { timeInForce: 'day' }), fills(d, 4), d.endDay(1_000)])).toEqual([
    'E expired: 6 resting, DAY_ENDED',
    'P expired: 10, DAY_ENDED',
    'L expired: 10, DAY_ENDED',
  ]);
  const ends = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' };
  const { engine, told } = run((d) => [bracket(d, ends), fills(d, 4), d.reach('15:00:00')]);
  expect(told.filter((line) => line.includes('expired')).toSorted()).toEqual([
    'E expired: 6 resting, EXPIRES_AT_REACHED',
    'L expired: 10, EXPIRES_AT_REACHED',
    'P expired: 10, EXPIRES_AT_REACHED',
  ]);
  expect(engine.lists.size).toBe(0);
});

test('in a halt they wait: continuous trading activates them', () => {
  const halted = (d: Desk) => [bracket(d), fills(d, 4), d.halt(), d.cancel('E')];
  expect(last(halted)).toEqual(['E canceled: 6 @ 1000']);
  expect(last((d) => [...halted(d), d.resume()])).toEqual(['volatility_auction']);
  expect(last((d) => [...halted(d), d.resume(), d.endCall()])).toEqual([
    'volatility_auction: no price',
    'continuous',
    'L activated: 4, held',
    'P activated: 4, 4 rest',
  ]);
});

test('self-trade prevention ends an entry like any other end', () => {
  expect(
    last((d) => [bracket(d), fills(d, 4), d.sell('X', 2, 1_000, { selfTrade: 'cancel_oldest' })]),
  ).toEqual([
    'X accepted, 2 rest',
    'prevented (cancel_oldest): 2 @ 1000, X met E (2 and 6 left)',
    'E expired: 6 resting, SELF_TRADE_PREVENTED',
    'L activated: 4, held',
    'P activated: 4, 4 rest',
  ]);
});

test('dormant orders cannot be changed', () => {
  expect(last((d) => [bracket(d), d.amend('P', 5)])).toEqual(['amend of P rejected: ORDER_LIST']);
});

test.for([
  ['ORDER_LIST', [1_000, 980, 980], {}],
  ['PRICE_BAND', [1_000, 1_101, 980], {}],
  ['ORDER_SIZE', [1_000, 1_020, 980], { orderSharesMax: 9 }],
] as const)('all are refused where one is: %s', ([code, prices, rules]) => {
  expect(last((d) => [d.bracket(['E', 'P', 'L'], 10, prices, {})], rules)).toEqual(
    ['E', 'P', 'L'].map((name) => `${name} rejected: ${code}`),
  );
});

test('a restored engine activates what was dormant', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list({}, 4), bracket(d), fills(d, 4)]) apply(engine, input);
  const again = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  expect(snapshot(again)).toEqual(snapshot(engine));
  expect(snapshot(again).lists[0]?.entry).toMatchObject({ orderId: idOf('E'), filled: 4 });
  expect(told(apply(again, fills(d, 6, 'T'))).slice(2)).toEqual([
    'L activated: 10, held',
    'P activated: 10, 10 rest',
  ]);
});
