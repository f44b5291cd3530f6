import { expect, test } from 'vitest';
import { equilibriumOf } from '../../../sim/modelEquilibrium.ts';
import { mulberry32 } from '../../../sim/random.ts';
import { desk, idOf, SYMBOL, told } from '../../../test/desk.ts';
import { emptyBook, rest } from '../../book/book.ts';
import { restore, snapshot } from '../../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from '../engine.ts';
import { equilibrium } from './equilibrium.ts';

/** The outputs of the last of these inputs, in words; the reference is 1,000. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[]) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list({}, 4), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[]) => run(inputs).told;
/** The inputs from continuous trading through the night. */
const preOpen = (d: Desk) => [d.phase('closed'), d.phase('pre_open')];
const opening = (d: Desk) => [...preOpen(d), d.phase('opening_auction')];
const closing = (d: Desk) => [d.phase('closing_auction')];

type Level = readonly [price: number, quantity: number];
function priced(buys: readonly Level[], sells: readonly Level[], reference: number) {
  const book = emptyBook();
  const add =
    (side: 'buy' | 'sell') =>
    ([priceTicks, quantity]: Level, n: number) =>
      rest(book, {
        id: `${side}${n}`,
        accountId: 'a',
        revision: 1,
        side,
        priceTicks,
        flags: 0,
        quantity,
        leaves: quantity,
      });
  buys.forEach(add('buy'));
  sells.forEach(add('sell'));
  const { priceTicks, quantity, surplus, surplusSide } = equilibrium(
    { book, icebergs: new Map() },
    reference,
  );
  return [priceTicks, quantity, surplus, surplusSide];
}

test.for<[why: string, buys: Level[], sells: Level[], reference: number, expected: unknown[]]>([
  [
    'most is executed at one price',
    [
      [202, 200],
      [201, 200],
      [200, 300],
    ],
    [
      [200, 100],
      [198, 200],
      [197, 400],
    ],
    250,
    [200, 700, 0, null],
  ],
  [
    'buyers are left at all of them: the highest',
    [
      [202, 400],
      [201, 200],
    ],
    [
      [199, 300],
      [198, 200],
    ],
    100,
    [201, 500, 100, 'buy'],
  ],
  [
    'sellers are left at all of them: the lowest',
    [
      [202, 300],
      [201, 200],
    ],
    [
      [199, 400],
      [198, 200],
    ],
    300,
    [199, 500, 100, 'sell'],
  ],
  [
    'nobody is left between two limits: the reference',
    [
      [202, 500],
      [201, 100],
    ],
    [[199, 600]],
    200,
    [200, 600, 0, null],
  ],
  ['the reference above them: the highest of them', [[202, 300]], [[199, 300]], 300, [202, 300, 0, null]],
  ['the reference below them: the lowest of them', [[202, 300]], [[199, 300]], 100, [199, 300, 0, null]],
  [
    'buyers are left at one, sellers at the other: the reference',
    [
      [200, 400],
      [199, 200],
    ],
    [
      [200, 200],
      [199, 400],
    ],
    300,
    [200, 400, 200, 'sell'],
  ],
  [
    'the least surplus before anything else',
    [
      [202, 300],
      [200, 50],
    ],
    [
      [199, 300],
      [198, 40],
    ],
    300,
    [200, 340, 10, 'buy'],
  ],
  ['limits that do not meet', [[198, 100]], [[199, 100]], 198, [null, 0, 0, null]],
  ['one side alone', [[198, 100]], [], 198, [null, 0, 0, null]],
])('the auction price: %s', ([, buys, sells, reference, expected]) => {
  expect(priced(buys, sells, reference)).toEqual(expected);
});

test('in books of every shape the price is the one that trying all of them finds', () => {
  const random = mulberry32(2026);
  for (let round = 0; round < 3_000; round++) {
    const prices = 1 + random(12);
    const side = (): Level[] =>
      Array.from({ length: random(7) }, () => [100 + random(prices), 1 + random(random(2) === 0 ? 3 : 50)]);
    const [buys, sells, reference] = [side(), side(), 95 + random(prices + 10)];
    const order =
      (of: 'buy' | 'sell') =>
      ([price, quantity]: Level) => ({
        id: '',
        accountId: '',
        revision: 0,
        side: of,
        price,
        day: false,
        postOnly: false,
        endsWithCall: false,
        unpriced: false,
        exempt: false,
        selfTrade: 'none' as const,
        quantity,
        done: 0,
        arrival: 0,
        peak: null,
        shown: 0,
      });
    const must = equilibriumOf([...buys.map(order('buy')), ...sells.map(order('sell'))], reference);
    const { priceTicks, quantity, surplus, surplusSide } = must;
    expect(priced(buys, sells, reference), JSON.stringify({ round, buys, sells, reference })).toEqual([
      priceTicks,
      quantity,
      surplus,
      surplusSide,
    ]);
  }
});

test('a call gathers orders, tells what it would bring, and is executed at one price in price and time', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.buy('A', 5, 1_000),
    d.buy('B', 5, 1_002),
    d.buy('C', 5, 1_000),
    d.sell('D', 8, 998),
  ];
  expect(last(inputs)).toEqual(['D accepted, 8 rest', 'would be 8 @ 1000, 7 more to buy']);
  expect(last((d) => [...inputs(d), d.endCall()])).toEqual([
    'opening_auction: 8 @ 1000, 7 more to buy',
    'trade 1: 5 @ 1000, D sells to B (3 and 0 left)',
    'trade 2: 3 @ 1000, D sells to A (0 and 2 left)',
    'continuous',
  ]);
});

test('what it would bring is told once, until it is something else', () => {
  expect(last((d) => [...opening(d), d.buy('A', 5, 990)])).toEqual(['A accepted, 5 rest']);
  const crossed = (d: Desk) => [...opening(d), d.buy('A', 5, 1_000), d.sell('B', 5, 1_000)];
  expect(last((d) => [...crossed(d), d.buy('C', 5, 990)])).toEqual(['C accepted, 5 rest']);
  expect(last((d) => [...crossed(d), d.cancel('A')])).toEqual(['A canceled: 5 @ 1000', 'would be no price']);
  expect(last((d) => [...crossed(d), d.amend('A', 3)])).toEqual([
    'A replaced: 3, 5 to 3 left',
    'would be 3 @ 1000, 2 more to sell',
  ]);
});

test('before the call orders gather in silence; where it is left out, continuous trading begins with its price', () => {
  const inputs = (d: Desk) => [...preOpen(d), d.buy('A', 5, 1_001), d.sell('B', 5, 999)];
  expect(last(inputs)).toEqual(['B accepted, 5 rest']);
  expect(last((d) => [...inputs(d), d.phase('opening_auction')])).toEqual([
    'opening_auction',
    'would be 5 @ 1000',
  ]);
  expect(last((d) => [...inputs(d), d.phase('continuous')])).toEqual([
    'opening_auction: 5 @ 1000',
    'trade 1: 5 @ 1000, B sells to A (0 and 0 left)',
    'continuous',
  ]);
});

test('a market order is a limit at its protection; what was meant for the auction expires with it', () => {
  const forOpening = { timeInForce: 'opg' } as const;
  expect(
    last((d) => [
      ...opening(d),
      d.buy('M', 5, 1_100, { type: 'market' }),
      d.buy('O', 5, 1_000, forOpening),
      d.buy('L', 5, 1_000),
      d.sell('S', 7, 1_000),
      d.endCall(),
    ]),
  ).toEqual([
    'opening_auction: 7 @ 1000, 8 more to buy',
    'trade 1: 5 @ 1000, S sells to M (2 and 0 left)',
    'trade 2: 2 @ 1000, S sells to O (0 and 3 left)',
    'O expired: 3 resting, AUCTION_ENDED',
    'continuous',
  ]);
});

test('an order for the closing auction is hidden until its call, and stands behind what is there then', () => {
  const cls = { timeInForce: 'cls' } as const;
  const inputs = (d: Desk) => [d.buy('C', 5, 990, cls), d.buy('A', 5, 990), ...closing(d)];
  expect(last((d) => [d.buy('C', 5, 990, cls)])).toEqual(['C accepted, held']);
  expect(run((d) => [d.buy('C', 5, 990, cls)]).engine.book.orders.size).toBe(0);
  expect(last((d) => [d.buy('C', 5, 990, cls), d.sell('B', 5, 990)])).toEqual(['B accepted, 5 rest']);
  expect(last(inputs)).toEqual(['closing_auction', 'C enters: 5 @ 990']);
  expect(last((d) => [...inputs(d), d.sell('B', 7, 990), d.endCall()])).toEqual([
    'closing_auction: 7 @ 990, 3 more to buy',
    'trade 1: 5 @ 990, B sells to A (2 and 0 left)',
    'trade 2: 2 @ 990, B sells to C (0 and 3 left)',
    'C expired: 3 resting, AUCTION_ENDED',
    'closed',
  ]);
});

test('an order for the closing auction is changed and canceled while it waits', () => {
  const cls = { timeInForce: 'cls' } as const;
  const two = (d: Desk) => [d.buy('C', 5, 990, cls), d.buy('D', 5, 990, cls)];
  const entering = (amend: (d: Desk) => PlacedInput) =>
    last((d) => [...two(d), amend(d), ...closing(d)]).slice(1);
  expect(last((d) => [...two(d), d.amend('C', 4)])).toEqual(['C replaced: 4, 5 to 4 left']);
  expect(entering((d) => d.amend('C', 4))).toEqual(['C enters: 4 @ 990', 'D enters: 5 @ 990']);
  expect(entering((d) => d.amend('C', 6))).toEqual(['D enters: 5 @ 990', 'C enters: 6 @ 990']);
  expect(entering((d) => d.amend('C', 5, { limitTicks: 991 }))).toEqual([
    'D enters: 5 @ 990',
    'C enters: 5 @ 991',
  ]);
  expect(last((d) => [...two(d), d.amend('C', 5)])).toEqual(['amend of C rejected: AMEND_NO_CHANGE']);
  expect(last((d) => [...two(d), d.cancel('C')])).toEqual(['C canceled: 5 @ 990 held']);
});

test('DAY orders expire after the closing uncross, others stay', () => {
  expect(
    last((d) => [
      d.buy('A', 5, 990),
      d.buy('B', 5, 989, { timeInForce: 'gtc' }),
      d.buy('S', 5, 1_100, { type: 'stop', stopTicks: 1_050 }),
      ...closing(d),
      d.sell('C', 2, 990),
      d.endCall(),
    ]),
  ).toEqual([
    'closing_auction: 2 @ 990, 3 more to buy',
    'trade 1: 2 @ 990, C sells to A (0 and 3 left)',
    'A expired: 3 resting, DAY_ENDED',
    'S expired: 5, DAY_ENDED',
    'closed',
  ]);
});

test('an auction’s price is the static reference from then on', () => {
  const { engine } = run((d) => [...opening(d), d.buy('A', 5, 1_040), d.sell('B', 5, 1_040), d.endCall()]);
  expect(engine.listing).toMatchObject({
    referenceTicks: 1_040,
    collar: { lowTicks: 936, highTicks: 1_144 },
  });
  const none = run((d) => [...opening(d), d.buy('A', 5, 1_040), d.endCall()]);
  expect(none.told).toEqual(['opening_auction: no price', 'continuous']);
  expect(none.engine.listing?.referenceTicks).toBe(1_000);
});

test('nothing triggers during a call; its trades do, after the uncross', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.buy('S', 1, 1_100, { type: 'stop', stopTicks: 1_000 }),
    d.buy('A', 5, 1_010),
    d.sell('B', 5, 1_010),
    d.sell('C', 1, 1_020),
  ];
  expect(run(inputs).engine.stops.terms.size).toBe(1);
  expect(last((d) => [...inputs(d), d.endCall()])).toEqual([
    'opening_auction: 5 @ 1010',
    'trade 1: 5 @ 1010, B sells to A (0 and 0 left)',
    'continuous',
    'S triggered: 1000 by 1010, 0 rest',
    'trade 2: 1 @ 1020, S takes C (0 and 0 left)',
  ]);
});

test('after the closing uncross the market is closed, and nothing is triggered', () => {
  expect(
    last((d) => [
      d.buy('S', 1, 1_100, { type: 'stop', stopTicks: 1_010, timeInForce: 'gtc' }),
      ...closing(d),
      d.buy('A', 5, 1_010),
      d.sell('B', 5, 1_010),
      d.endCall(),
    ]),
  ).toEqual(['closing_auction: 5 @ 1010', 'trade 1: 5 @ 1010, B sells to A (0 and 0 left)', 'closed']);
});

test('self-trade prevention is off in the uncross, and post-only is ignored until continuous trading', () => {
  const own = { selfTrade: 'cancel_newest' } as const;
  expect(
    last((d) => [
      ...opening(d),
      d.sell('B', 5, 1_000),
      d.buy('A', 5, 1_000, { ...own, postOnly: true }),
      d.endCall(),
    ]),
  ).toEqual(['opening_auction: 5 @ 1000', 'trade 1: 5 @ 1000, B sells to A (0 and 0 left)', 'continuous']);
  const rests = (d: Desk) => [...opening(d), d.buy('A', 5, 1_000, { postOnly: true }), d.endCall()];
  expect(last((d) => [...rests(d), d.sell('B', 5, 1_005), d.amend('A', 5, { limitTicks: 1_005 })])).toEqual([
    'amend of A rejected: WOULD_TAKE',
  ]);
});

test('a change of price in a call takes a new place and trades nothing', () => {
  expect(
    last((d) => [
      ...opening(d),
      d.sell('B', 5, 1_000),
      d.buy('A', 5, 990),
      d.amend('A', 5, { limitTicks: 1_000 }),
    ]),
  ).toEqual(['A replaced: 5, 5 to 5 left, anew @ 1000, 5 rest', 'would be 5 @ 1000']);
});

test('a halt ends with an auction: a volatility auction once the day is open, the opening one before', () => {
  expect(last((d) => [d.halt(), d.resume()])).toEqual(['volatility_auction']);
  expect(last((d) => [d.halt(), d.resume(), d.endCall()])).toEqual([
    'volatility_auction: no price',
    'continuous',
  ]);
  expect(last((d) => [...opening(d), d.halt(), d.resume()])).toEqual(['opening_auction']);
  expect(last((d) => [...preOpen(d), d.halt(), d.resume()])).toEqual(['pre_open']);
  expect(last((d) => [...preOpen(d), d.halt(), d.phase('continuous'), d.resume()])).toEqual([
    'opening_auction',
  ]);
});

test('the orders that stood when a call was halted are in the call that follows', () => {
  const inputs = (d: Desk) => [...opening(d), d.buy('A', 5, 1_000), d.sell('B', 5, 1_000), d.halt()];
  expect(last((d) => [...inputs(d), d.endCall()])).toEqual(['noted']);
  expect(last((d) => [...inputs(d), d.buy('C', 5, 1_000)])).toEqual(['C rejected: SYMBOL_HALTED']);
  expect(last((d) => [...inputs(d), d.cancel('A')])).toEqual(['A canceled: 5 @ 1000']);
  expect(last((d) => [...inputs(d), d.resume()])).toEqual(['opening_auction', 'would be 5 @ 1000']);
});

test('halted at the close there is no closing auction: the day ends, and the market comes back closed', () => {
  const inputs = (d: Desk) => [
    d.buy('A', 5, 990),
    d.buy('C', 5, 990, { timeInForce: 'cls' }),
    d.halt(),
    d.phase('closing_auction'),
  ];
  expect(last(inputs)).toEqual(['noted']);
  expect(last((d) => [...inputs(d), d.resume()])).toEqual([
    'A expired: 5 resting, DAY_ENDED',
    'C expired: 5, DAY_ENDED',
    'closed',
  ]);
  expect(last((d) => [...inputs(d), d.phase('closed')])).toEqual([
    'A expired: 5 resting, DAY_ENDED',
    'C expired: 5, DAY_ENDED',
  ]);
  expect(last((d) => [...inputs(d), d.phase('closed'), d.resume()])).toEqual(['closed']);
});

test('closed: cancels only', () => {
  const inputs = (d: Desk) => [d.buy('A', 5, 990, { timeInForce: 'gtc' }), d.phase('closed')];
  expect(last((d) => [...inputs(d), d.buy('B', 5, 990)])).toEqual(['B rejected: MARKET_CLOSED']);
  expect(last((d) => [...inputs(d), d.amend('A', 4)])).toEqual(['amend of A rejected: MARKET_CLOSED']);
  expect(last((d) => [...inputs(d), d.cancel('A')])).toEqual(['A canceled: 5 @ 990']);
});

test('the closing call takes in the one that runs', () => {
  expect(
    last((d) => [d.halt(), d.resume(), d.buy('A', 5, 1_000), d.sell('B', 5, 1_000), ...closing(d)]),
  ).toEqual(['closing_auction']);
});

test.for<[string, (d: Desk) => PlacedInput[]]>([
  ['a call’s end without a call', (d) => [d.endCall()]],
  ['pre-open from trading', (d) => [d.phase('pre_open')]],
  ['the opening from trading', (d) => [d.phase('opening_auction')]],
  ['trading from the closing call', (d) => [...closing(d), d.phase('continuous')]],
  ['the closing call when closed', (d) => [d.phase('closed'), ...closing(d)]],
])('what does not follow is noted: %s', ([, inputs]) => {
  expect(last(inputs)).toEqual(['noted']);
});

test('under older rules there is no trading day', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list({}, 2), d.phase('closing_auction'), d.buy('A', 5, 990, { timeInForce: 'cls' })];
  expect(facts.map((input) => told(apply(engine, input))).slice(1)).toEqual([
    ['noted'],
    ['A rejected: MATCHING_RULES'],
  ]);
});

test('who asks the time is told the state and the reference of the market, too', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list({}, 4), ...opening(d), d.reach('16:00:00')]
    .map((input) => apply(engine, input))
    .at(-1);
  expect(facts).toEqual([
    {
      type: 'TimeApplied.v1',
      data: {
        at: '2026-01-05T16:00:00.000Z',
        nextExpiresAt: null,
        state: 'opening_auction',
        referenceTicks: 1_000,
      },
    },
  ]);
});

test('an engine restored within a call goes on as the one before', () => {
  const { engine } = run((d) => [
    d.buy('C', 5, 990, { timeInForce: 'cls' }),
    d.halt(),
    d.resume(),
    d.buy('A', 5, 1_001),
    d.sell('B', 5, 999),
  ]);
  const state = JSON.parse(JSON.stringify(snapshot(engine)));
  expect(snapshot(restore(state))).toEqual(state);
  expect(state).toMatchObject({
    state: 'volatility_auction',
    call: { indicative: { priceTicks: 1_000, quantity: 5 } },
    waiting: [[idOf('C'), expect.anything(), 1, 'buy', 990, 257, 5, 5]],
  });
});

test('an iceberg takes part in full in its turn, and a peak that is used up is followed by one at the back', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.buy('I', 25, 1_000, { displayQuantity: 10 }),
    d.buy('A', 5, 1_000),
    d.sell('B', 24, 1_000),
  ];
  expect(last(inputs).at(-1)).toBe('would be 24 @ 1000, 6 more to buy');
  expect(last((d) => [...inputs(d), d.endCall()])).toEqual([
    'opening_auction: 24 @ 1000, 6 more to buy',
    'trade 1: 10 @ 1000, B sells to I (14 and 15 left), next peak 10',
    'trade 2: 10 @ 1000, B sells to I (4 and 5 left), next peak 5',
    'trade 3: 4 @ 1000, B sells to I (0 and 1 left)',
    'continuous',
  ]);
  expect(last((d) => [...inputs(d), d.endCall(), d.sell('C', 2, 1_000)]).slice(1)).toEqual([
    'trade 4: 2 @ 1000, C takes A (0 and 3 left)',
  ]);
});

test.for([
  ['TIME_IN_FORCE', { displayQuantity: 2, timeInForce: 'cls' }],
  ['NOT_IN_AUCTION', { type: 'market', timeInForce: 'ioc', notionalCents: 100_000 }],
] as const)('in a call %s is the answer to what cannot be in it', ([code, terms]) => {
  const quantity = 'notionalCents' in terms ? 0 : 5;
  expect(last((d) => [...opening(d), d.buy('A', quantity, 1_000, terms)])).toEqual([`A rejected: ${code}`]);
});
