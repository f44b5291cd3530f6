import { expect, test } from 'vitest';
import { ACCOUNT, desk, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

/** The outputs of the last of these inputs, in words. The reference and first last price are 1,000. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[], rules = {}, version = 4) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list(rules, version), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}) => run(inputs, rules).told;
const BOB = '0000acc0-0000-4000-8000-000000000002';
const bob = { accountId: BOB };
/** Sells 10: a limit P at 1,020 and a stop L at 980. */
const sells = (d: Desk, terms = {}) => d.sellOco(['P', 'L'], 10, [1_020, 980], terms);
/** A trade at this price, between others. */
const tradeAt = (d: Desk, name: string, price: number, quantity = 1) => [
  d.buy(`${name}1`, quantity, price, bob),
  d.sell(`${name}2`, quantity, price, bob),
];

test('the stop waits and the limit rests; both are one input', () => {
  const { engine, told } = run((d) => [sells(d)]);
  expect(told).toEqual(['L accepted, held', 'P accepted, 10 rest']);
  expect([engine.book.orders.size, engine.stops.book.orders.size]).toEqual([1, 1]);
});

test('what the limit fills, the stop has less; its last share ends the stop', () => {
  expect(last((d) => [sells(d), d.buy('B', 4, 1_020, bob)])).toEqual([
    'B accepted, 0 rest',
    'trade 1: 4 @ 1020, B takes P (0 and 6 left)',
    'L reduced by 4 to 6 held',
  ]);
  const { engine, told } = run((d) => [sells(d), d.buy('B', 15, 1_020, bob)]);
  expect(told).toEqual([
    'B accepted, 5 rest',
    'trade 1: 10 @ 1020, B takes P (5 and 0 left)',
    'L expired: 10, OCO_TRIGGER',
  ]);
  expect([engine.lists.size, engine.stops.book.orders.size]).toEqual([0, 0]);
});

test('a triggered stop takes what it fills off the limit', () => {
  expect(
    last((d) => [sells(d), d.buy('B', 4, 960, bob), d.buy('C', 1, 980, bob), d.sell('D', 1, 980, bob)]),
  ).toEqual([
    'D accepted, 0 rest',
    'trade 1: 1 @ 980, D takes C (0 and 0 left)',
    'L triggered: 980 by 980, 0 rest',
    'trade 2: 4 @ 960, L takes B (6 and 0 left)',
    'P reduced by 4 to 6',
    'L expired: 6, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('a stop-limit rests beside the limit: together they sell no more than the quantity', () => {
  const rests = (d: Desk) => [sells(d, { stopLimit: 1_020 }), ...tradeAt(d, 'T', 980)];
  expect(last((d) => [...rests(d), d.buy('B', 4, 1_020, bob)])).toEqual([
    'B accepted, 0 rest',
    'trade 2: 4 @ 1020, B takes P (0 and 6 left)',
    'L reduced by 4 to 6',
  ]);
  expect(last((d) => [...rests(d), d.buy('B', 15, 1_020, bob)])).toEqual([
    'B accepted, 5 rest',
    'trade 2: 10 @ 1020, B takes P (5 and 0 left)',
    'L expired: 10 resting, OCO_TRIGGER',
  ]);
  const fok = (quantity: number) =>
    last((d) => [...rests(d), d.buy('B', quantity, 1_020, { ...bob, timeInForce: 'fok' })]).at(-1);
  expect([fok(10), fok(11)]).toEqual([
    'L expired: 10 resting, OCO_TRIGGER',
    'B expired: 11, UNFILLED_FOK_ORDER_EXPIRED',
  ]);
});

test('a fill takes off the sibling before any trigger is looked at', () => {
  // The sweep takes all of P and triggers a stop that sells down to where L would have been triggered.
  expect(
    last((d) => [
      sells(d),
      d.buy('X', 5, 970, bob),
      d.sell('Y', 5, 960, { ...bob, type: 'stop', stopTicks: 990 }),
      d.buy('B', 10, 1_020, bob),
      ...tradeAt(d, 'T', 990),
    ]),
  ).toEqual([
    'T2 accepted, 0 rest',
    'trade 2: 1 @ 990, T2 takes T1 (0 and 0 left)',
    'Y triggered: 990 by 990, 0 rest',
    'trade 3: 5 @ 970, Y takes X (0 and 0 left)',
  ]);
});

test('a triggered stop may fill an order of another list', () => {
  expect(
    last((d) => [
      d.sellOco(['P', 'L'], 10, [1_000, 980]),
      d.buyOco(['Q', 'S'], 4, [900, 1_005], bob),
      d.buy('K', 1, 980, bob),
      d.sell('M', 1, 980, bob),
    ]),
  ).toEqual([
    'M accepted, 0 rest',
    'trade 1: 1 @ 980, M takes K (0 and 0 left)',
    'L triggered: 980 by 980, 0 rest',
    'trade 2: 4 @ 900, L takes Q (6 and 0 left)',
    'S expired: 4, OCO_TRIGGER',
    'P reduced by 4 to 6',
    'L expired: 6, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('both sides of a trade may be of lists', () => {
  expect(last((d) => [sells(d), d.buyOco(['Q', 'S'], 6, [1_020, 1_050], bob)])).toEqual([
    'S accepted, held',
    'Q accepted, 0 rest',
    'trade 1: 6 @ 1020, Q takes P (0 and 4 left)',
    'L reduced by 6 to 4 held',
    'S expired: 6, OCO_TRIGGER',
  ]);
});

test('to cancel one is to cancel both, in a halt too; another account cancels nothing', () => {
  expect(last((d) => [sells(d), d.cancel('P')])).toEqual([
    'P canceled: 10 @ 1020',
    'L canceled: 10 @ 980 held',
  ]);
  expect(last((d) => [sells(d), d.halt(), d.cancel('L')])).toEqual([
    'L canceled: 10 @ 980 held',
    'P canceled: 10 @ 1020',
  ]);
  expect(last((d) => [sells(d), d.cancel('L'), d.cancel('P')])).toEqual([
    'cancel of P rejected: ORDER_NOT_OPEN',
  ]);
  expect(last((d) => [sells(d), d.cancel('L', BOB)])).toEqual(['cancel of L rejected: ORDER_NOT_OPEN']);
});

test('both end with their day or their time', () => {
  expect(last((d) => [sells(d, { timeInForce: 'day' }), d.endDay(1_000)])).toEqual([
    'P expired: 10 resting, DAY_ENDED',
    'L expired: 10, DAY_ENDED',
  ]);
  const ends = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' } as const;
  const { engine, told } = run((d) => [sells(d, ends), d.reach('15:00:00')]);
  expect(told).toEqual([
    'L expired: 10, EXPIRES_AT_REACHED',
    'P expired: 10 resting, EXPIRES_AT_REACHED',
    'time 15:00:00, next none',
  ]);
  expect(engine.lists.size).toBe(0);
});

test('a leg that self-trade prevention ends leaves its sibling', () => {
  const { engine, told } = run((d) => [sells(d), d.buy('B', 4, 1_020, { selfTrade: 'cancel_oldest' })]);
  expect(told).toEqual([
    'B accepted, 4 rest',
    'prevented (cancel_oldest): 4 @ 1020, B met P (4 and 10 left)',
    'P expired: 10 resting, SELF_TRADE_PREVENTED',
  ]);
  expect([...engine.stops.book.orders.values()].map(({ leaves }) => leaves)).toEqual([10]);
});

test('what prevention takes off one of them is no fill: the other keeps its quantity', () => {
  const meets = (d: Desk) => [sells(d), d.buy('B', 4, 1_020, { selfTrade: 'decrement' })];
  expect(last(meets)).toEqual([
    'B accepted, 0 rest',
    'prevented (decrement): 4 @ 1020, B met P (0 and 6 left)',
    'B expired: 0, SELF_TRADE_PREVENTED',
  ]);
  expect(last((d) => [...meets(d), d.buy('C', 6, 1_020, bob)]).at(-1)).toBe('L reduced by 6 to 4 held');
});

test('the limit of either can be changed; the quantity stays that of the list', () => {
  expect(last((d) => [sells(d), d.amend('P', 3, { limitTicks: 1_030 })])).toEqual([
    'P replaced: 10, 10 to 10 left, anew @ 1030, 10 rest',
  ]);
  expect(last((d) => [sells(d), d.amend('P', 3)])).toEqual(['amend of P rejected: AMEND_NO_CHANGE']);
  expect(last((d) => [sells(d, { stopLimit: 975 }), d.amend('L', 3, { limitTicks: 970 })])).toEqual([
    'L replaced: 10, 10 to 10 left',
  ]);
  expect(last((d) => [sells(d), d.buy('B', 5, 1_000, bob), d.amend('P', 10, { limitTicks: 1_000 })])).toEqual(
    [
      'P replaced: 10, 10 to 10 left, anew @ 1000, 5 rest',
      'trade 1: 5 @ 1000, P takes B (5 and 0 left)',
      'L reduced by 5 to 5 held',
    ],
  );
});

test.for([
  ['ORDER_LIST', [980, 980], {}, {}],
  ['ORDER_SIZE', [1_020, 980], { orderSharesMax: 9 }, {}],
  ['PRICE_BAND', [1_101, 980], {}, {}],
  ['WOULD_TRIGGER_IMMEDIATELY', [1_020, 1_000], {}, {}],
  ['EXPIRES_AT', [1_020, 980], {}, { timeInForce: 'gtd', expiresAt: '' }],
] as const)('all are refused where one is: %s', ([code, prices, rules, terms]) => {
  expect(last((d) => [d.sellOco(['P', 'L'], 10, prices, terms)], rules)).toEqual([
    `P rejected: ${code}`,
    `L rejected: ${code}`,
  ]);
});

test('in an auction two resting orders of a list count once, and fill once', () => {
  const call = (d: Desk) => [
    sells(d, { stopLimit: 1_010 }),
    ...tradeAt(d, 'T', 980),
    d.phase('closing_auction'),
    d.buy('B', 15, 1_030, bob),
  ];
  expect(last(call).at(-1)).toBe('would be 10 @ 1030, 5 more to buy');
  expect(last((d) => [...call(d), d.endCall()])).toEqual([
    'closing_auction: 10 @ 1030, 5 more to buy',
    'trade 2: 10 @ 1030, L sells to B (0 and 5 left)',
    'P expired: 10 resting, OCO_TRIGGER',
    'B expired: 5 resting, DAY_ENDED',
    'closed',
  ]);
});

test('an auction fills a limit, and its stop has less before it is looked at', () => {
  expect(last((d) => [sells(d), d.phase('closing_auction'), d.buy('B', 4, 1_020, bob), d.endCall()])).toEqual(
    [
      'closing_auction: 4 @ 1020, 6 more to sell',
      'trade 1: 4 @ 1020, P sells to B (6 and 0 left)',
      'L reduced by 4 to 6 held',
      'closed',
    ],
  );
});

test('a halt and older rules refuse it', () => {
  const halted = last((d) => [d.halt(), sells(d)]);
  expect(halted).toEqual(['P rejected: SYMBOL_HALTED', 'L rejected: SYMBOL_HALTED']);
  expect(run((d) => [sells(d)], {}, 2).told).toEqual([
    'P rejected: MATCHING_RULES',
    'L rejected: MATCHING_RULES',
  ]);
});

test('a restored engine still knows what belongs together', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list({}, 4), sells(d), d.buy('B', 4, 1_020, { accountId: ACCOUNT })])
    apply(engine, input);
  const again = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  expect(snapshot(again)).toEqual(snapshot(engine));
  expect(told(apply(again, d.buy('C', 6, 1_020))).at(-1)).toBe('L expired: 6, OCO_TRIGGER');
});
