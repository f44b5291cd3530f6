import { expect, test } from 'vitest';
import { desk, RULES, ref, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, outputTime, type PlacedInput, UnknownMatchingRules } from './engine.ts';

/** The outputs of the last of these inputs, in words. */
function last(inputs: readonly PlacedInput[]): string[] {
  const engine = newEngine(SYMBOL);
  return inputs.map((input) => told(apply(engine, input))).at(-1) ?? [];
}

test('a listed symbol trades continuously', () => {
  const engine = newEngine(SYMBOL);
  expect(apply(engine, desk().list())).toEqual([
    { type: 'MarketStateChanged.v1', data: { state: 'continuous' } },
  ]);
});

test('an order that meets nobody rests; one that meets it trades at its price', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  apply(engine, d.list());
  expect(apply(engine, d.sell('A', 100, 1_000))).toEqual([
    {
      type: 'OrderAccepted.v1',
      data: {
        order: ref('A', 1),
        side: 'sell',
        type: 'limit',
        timeInForce: 'day',
        quantity: 100,
        limitTicks: 1_000,
        restingQuantity: 100,
      },
    },
  ]);
  expect(apply(engine, d.buy('B', 150, 1_010))).toEqual([
    {
      type: 'OrderAccepted.v1',
      data: {
        order: ref('B', 2),
        side: 'buy',
        type: 'limit',
        timeInForce: 'day',
        quantity: 150,
        limitTicks: 1_010,
        restingQuantity: 50,
      },
    },
    {
      type: 'TradeExecuted.v1',
      data: {
        trade: 1,
        priceTicks: 1_000,
        tickCents: 1,
        quantity: 100,
        takerSide: 'buy',
        maker: { ...ref('A', 1), leaves: 0 },
        taker: { ...ref('B', 2), leaves: 50 },
      },
    },
  ]);
});

test('the best price goes first, and at one price the oldest order', () => {
  const d = desk();
  const before = [d.list(), d.sell('A', 10, 1_002), d.sell('B', 10, 1_001), d.sell('C', 10, 1_001)];
  expect(last([...before, d.buy('T', 25, 1_005)])).toEqual([
    'T accepted, 0 rest',
    'trade 1: 10 @ 1001, T takes B (15 and 0 left)',
    'trade 2: 10 @ 1001, T takes C (5 and 0 left)',
    'trade 3: 5 @ 1002, T takes A (0 and 5 left)',
  ]);
});

test('an order trades with others of its own account', () => {
  const d = desk();
  expect(last([d.list(), d.buy('A', 10, 1_000), d.sell('B', 10, 1_000)])).toEqual([
    'B accepted, 0 rest',
    'trade 1: 10 @ 1000, B takes A (0 and 0 left)',
  ]);
});

const TRADED = 'trade 1: 60 @ 1000, T takes A (40 and 0 left)';
// The fate of an order for 100 shares, if 60 are offered within its limit and 100 beyond it.
test.for([
  ['limit', 'day', ['T accepted, 40 rest', TRADED]],
  ['limit', 'gtc', ['T accepted, 40 rest', TRADED]],
  ['limit', 'ioc', ['T accepted, 0 rest', TRADED, 'T expired: 40, UNFILLED_IOC_QUANTITY_EXPIRED']],
  ['limit', 'fok', ['T accepted, 0 rest', 'T expired: 100, UNFILLED_FOK_ORDER_EXPIRED']],
  ['market', 'day', ['T accepted, 0 rest', TRADED, 'T expired: 40, INSUFFICIENT_LIQUIDITY']],
  ['market', 'ioc', ['T accepted, 0 rest', TRADED, 'T expired: 40, INSUFFICIENT_LIQUIDITY']],
  ['market', 'fok', ['T accepted, 0 rest', 'T expired: 100, UNFILLED_FOK_ORDER_EXPIRED']],
] as const)('a %s %s order that finds too little', ([type, timeInForce, expected]) => {
  const d = desk();
  const book = [d.list(), d.sell('A', 60, 1_000), d.sell('Z', 100, 1_020)];
  expect(last([...book, d.buy('T', 100, 1_010, { type, timeInForce })])).toEqual(expected);
});

test('a fill-or-kill order that can be filled is, over several levels', () => {
  const d = desk();
  const book = [d.list(), d.sell('A', 60, 1_000), d.sell('B', 60, 1_005)];
  expect(last([...book, d.buy('T', 100, 1_010, { timeInForce: 'fok' })])).toEqual([
    'T accepted, 0 rest',
    'trade 1: 60 @ 1000, T takes A (40 and 0 left)',
    'trade 2: 40 @ 1005, T takes B (0 and 20 left)',
  ]);
});

test('a fill-or-kill order that fails changes nothing', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list(), d.sell('A', 60, 1_000)]) apply(engine, input);
  const before = snapshot(engine);
  apply(engine, d.buy('T', 61, 1_010, { timeInForce: 'fok' }));
  expect(snapshot(engine)).toEqual(before);
});

// In order of precedence: where two apply, the upper one is the answer. The collar of 10 % is 900 to 1,100.
test.for([
  ['UNKNOWN_SYMBOL', [], { quantity: 0, limitTicks: 0 }],
  ['SYMBOL_HALTED', ['list', 'halt'], { quantity: 0, limitTicks: 0 }],
  ['ORDER_SIZE', ['list'], { quantity: 0, limitTicks: 0 }],
  ['ORDER_SIZE', ['list'], { quantity: 10_001, limitTicks: 1_000 }],
  ['PRICE_TICK', ['list'], { quantity: 1, limitTicks: 0 }],
  ['PRICE_TICK', ['list'], { quantity: 1, limitTicks: 2_000, tickCents: 5 }],
  ['PRICE_BAND', ['list'], { quantity: 1, limitTicks: 1_101 }],
  ['PRICE_BAND', ['list'], { quantity: 1, limitTicks: 899 }],
] as const)('an order is rejected: %s', ([code, market, { quantity, limitTicks, ...terms }]) => {
  const d = desk();
  const before = market.map((what) => d[what]());
  expect(last([...before, d.buy('T', quantity, limitTicks, terms)])).toEqual([`T rejected: ${code}`]);
});

test.for([
  ['at the upper end of the collar', (d: ReturnType<typeof desk>) => [d.sell('T', 1, 1_100)]],
  ['at the lower end of the collar', (d) => [d.sell('T', 1, 900)]],
  ['of an exempt account', (d) => [d.sell('T', 1, 5_000, { bandExempt: true })]],
  ['of a symbol without bands', (d) => [d.exempt(true), d.sell('T', 1, 5_000)]],
  ['around the last close', (d) => [d.endDay(4_800), d.sell('T', 1, 5_000)]],
] as const satisfies [string, (d: ReturnType<typeof desk>) => PlacedInput[]][])(
  'the collar lets an order pass: %s',
  ([, inputs]) => {
    const d = desk();
    expect(last([d.list(), ...inputs(d)])).toEqual(['T accepted, 1 rest']);
  },
);

test('bands can be switched on again', () => {
  const d = desk();
  expect(last([d.list(), d.exempt(true), d.exempt(false), d.buy('T', 1, 5_000)])).toEqual([
    'T rejected: PRICE_BAND',
  ]);
});

test('a market order is not held to the collar, but never trades beyond its protection price', () => {
  const d = desk();
  const book = [d.list(), d.sell('A', 5, 1_050), d.sell('B', 5, 1_051), d.endDay(800), d.sell('C', 5, 850)];
  expect(last([...book, d.buy('T', 9, 1_100, { type: 'market', timeInForce: 'ioc' })])).toEqual([
    'T accepted, 0 rest',
    'trade 1: 5 @ 850, T takes C (4 and 0 left)',
    'T expired: 4, INSUFFICIENT_LIQUIDITY',
  ]);
});

test('a cancel takes out what is left', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list(), d.sell('A', 100, 1_000), d.buy('B', 30, 1_000)]) apply(engine, input);
  expect(apply(engine, d.cancel('A'))).toEqual([
    { type: 'OrderCanceled.v1', data: { order: ref('A', 3), side: 'sell', priceTicks: 1_000, quantity: 70 } },
  ]);
  expect(apply(engine, d.cancel('A'))).toEqual([
    { type: 'OrderCancelRejected.v1', data: { order: ref('A', 4), code: 'ORDER_NOT_OPEN' } },
  ]);
});

test("nobody cancels another account's order", () => {
  const d = desk();
  const stranger = '0000acc0-0000-4000-8000-000000000002';
  expect(last([d.list(), d.sell('A', 100, 1_000), d.cancel('A', stranger)])).toEqual([
    'cancel of A rejected: ORDER_NOT_OPEN',
  ]);
});

test('a reduced order keeps its place', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  for (const input of [d.list(), d.sell('A', 100, 1_000), d.sell('B', 100, 1_000)]) apply(engine, input);
  expect(apply(engine, d.amend('A', 40))).toEqual([
    {
      type: 'OrderReplaced.v1',
      data: {
        order: ref('A', 3),
        amendment: 1,
        side: 'sell',
        priceTicks: 1_000,
        quantity: 40,
        leavesBefore: 100,
        leaves: 40,
      },
    },
  ]);
  expect(told(apply(engine, d.buy('T', 50, 1_000)))).toEqual([
    'T accepted, 0 rest',
    'trade 1: 40 @ 1000, T takes A (10 and 0 left)',
    'trade 2: 10 @ 1000, T takes B (0 and 90 left)',
  ]);
});

// The order is for 100, of which 30 are filled.
test.for([
  ['more than is filled', 31, 'A replaced: 31, 70 to 1 left'],
  ['what is filled: it is done', 30, 'A replaced: 30, 70 to 0 left'],
  ['less than is filled: it is done with what it has', 10, 'A replaced: 30, 70 to 0 left'],
  ['the same', 100, 'amend of A rejected: AMEND_NO_CHANGE'],
  ['more', 101, 'amend of A rejected: AMEND_NOT_A_REDUCTION'],
] as const)('an amend to %s', ([, quantity, expected]) => {
  const d = desk();
  const book = [d.list(), d.sell('A', 100, 1_000), d.buy('B', 30, 1_000)];
  expect(last([...book, d.amend('A', quantity)])).toEqual([expected]);
});

test('an amend of an order that is not there is rejected', () => {
  const d = desk();
  expect(last([d.list(), d.amend('A', 10)])).toEqual(['amend of A rejected: ORDER_NOT_OPEN']);
});

test('during a halt orders and amends are rejected, cancels work, and trading goes on afterwards', () => {
  const d = desk();
  const inputs = [
    d.list(),
    d.sell('A', 10, 1_000),
    d.sell('B', 10, 1_000),
    d.halt(),
    d.halt(),
    d.buy('C', 10, 1_000),
    d.amend('A', 5),
    d.cancel('A'),
    d.resume(),
    d.resume(),
    d.buy('D', 10, 1_000),
  ];
  const engine = newEngine(SYMBOL);
  expect(inputs.flatMap((input) => told(apply(engine, input)))).toEqual([
    'continuous',
    'A accepted, 10 rest',
    'B accepted, 10 rest',
    'halt',
    'noted',
    'C rejected: SYMBOL_HALTED',
    'amend of A rejected: SYMBOL_HALTED',
    'A canceled: 10 @ 1000',
    'continuous',
    'noted',
    'D accepted, 0 rest',
    'trade 1: 10 @ 1000, D takes B (0 and 0 left)',
  ]);
});

test('at the end of the day DAY orders expire in the order of their arrival, in a halt too; GTC orders stay', () => {
  const d = desk();
  const book = [
    d.list(),
    d.sell('A', 10, 1_050),
    d.buy('B', 20, 990),
    d.sell('C', 30, 1_040, { timeInForce: 'gtc' }),
    d.sell('D', 40, 1_030),
    d.halt(),
  ];
  expect(last([...book, d.endDay(1_000)])).toEqual([
    'A expired: 10 resting, DAY_ENDED',
    'B expired: 20 resting, DAY_ENDED',
    'D expired: 40 resting, DAY_ENDED',
  ]);
  expect(last([...book, d.endDay(1_000), d.endDay(1_000)])).toEqual(['noted']);
});

test('no output carries a time before the last trade', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const at = (input: PlacedInput, time: string) => ({ ...input, event: { ...input.event, time } });
  const times = [
    d.list(),
    at(d.sell('A', 10, 1_000), '2026-01-05T15:00:00.500Z'),
    at(d.buy('B', 5, 1_000), '2026-01-05T15:00:00.400Z'),
    at(d.buy('C', 5, 1_000), '2026-01-05T15:00:00.300Z'),
    at(d.cancel('A'), '2026-01-05T15:00:00.200Z'),
    at(d.cancel('A'), '2026-01-05T15:00:00.600Z'),
  ].map((input) => {
    apply(engine, input);
    return outputTime(engine, input.event).slice(17, 23);
  });
  expect(times).toEqual(['00.000', '00.500', '00.400', '00.400', '00.400', '00.600']);
});

test('an order placed twice is a bug, and so is a symbol listed twice or matching rules unheard of', () => {
  const d = desk();
  expect(() => last([d.list(), d.sell('A', 10, 1_000), d.sell('A', 10, 1_000)])).toThrow('placed twice');
  expect(() => last([d.list(), d.list()])).toThrow('listed twice');
  expect(() => last([d.list({}, 99)])).toThrow(UnknownMatchingRules);
});

test('a restored engine has the same state, in the same order', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [
    d.list(),
    d.sell('A', 10, 1_001),
    d.sell('B', 10, 1_000),
    d.buy('C', 4, 1_000),
    d.exempt(true),
  ];
  for (const input of inputs) apply(engine, input);
  const state = snapshot(engine);
  expect(state).toEqual({
    left: [],
    symbol: SYMBOL,
    listing: { rules: RULES, matchingRules: 1, referenceTicks: 1_000 },
    state: 'continuous',
    phase: 'continuous',
    opened: true,
    call: null,
    waiting: [],
    bandsOff: true,
    trades: 1,
    lastTradeTime: '2026-01-05T14:30:03.000Z',
    lastTicks: 1_000,
    time: '',
    owed: [],
    icebergs: [],
    lists: [],
    stops: [],
    arrivals: 0,
    expiries: [],
    orders: [
      [ref('A', 1).orderId, ref('A', 1).accountId, 1, 'sell', 1_001, 1, 10, 10],
      [ref('B', 2).orderId, ref('B', 2).accountId, 2, 'sell', 1_000, 1, 10, 6],
    ],
  });
  expect(snapshot(restore(JSON.parse(JSON.stringify(state))))).toEqual(state);
});
