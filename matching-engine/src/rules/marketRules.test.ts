import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../test/desk.ts';
import { restore, snapshot } from '../snapshot/snapshot.ts';
import { apply, newEngine, type PlacedInput } from './engine.ts';

type Desk = ReturnType<typeof desk>;
/** The outputs of the last input, in words, under version 4 of the matching rules or an older one. The reference is 1,000. */
function run(inputs: (d: Desk) => PlacedInput[], rules = {}, version = 4) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const facts = [d.list(rules, version), ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}) => run(inputs, rules).told;
const bob = { accountId: '0000acc0-0000-4000-8000-000000000002' };
const carol = { accountId: '0000acc0-0000-4000-8000-000000000003' };
const gtc = { timeInForce: 'gtc' } as const;
const opening = (d: Desk) => [d.phase('closed'), d.phase('pre_open'), d.phase('opening_auction')];
const stop = (stopTicks: number) => ({ type: 'stop', stopTicks, ...gtc }) as const;

test('a bracket that arms triggers its own stop alone: no trade has reached those of others', () => {
  const inputs = (d: Desk) => [
    d.sell('A', 7, 900, { ...stop(995), ...bob }),
    d.bracket(['E', 'P', 'L'], 9, [1_000, 1_009, 992]),
    d.sell('S', 5, 1_000, bob),
    d.phase('closing_auction'),
    d.cancel('E'),
    d.buy('F', 1, 990, carol),
    d.sell('G', 1, 990, bob),
    d.endCall(),
    d.phase('pre_open'),
    d.phase('opening_auction'),
    d.buy('B', 20, 998, carol),
    d.endCall(),
  ];
  const { engine, told } = run(inputs);
  expect(told).toEqual([
    'opening_auction: no price',
    'continuous',
    'L activated: 5, held',
    'P activated: 5, 5 rest',
    'L triggered: 992 by 990, 0 rest',
    'trade 3: 5 @ 998, L takes B (0 and 15 left)',
    'P expired: 5 resting, OCO_TRIGGER',
  ]);
  expect([...engine.stops.terms.keys()]).toHaveLength(1);
  expect(last((d) => [...inputs(d), d.cancel('A', bob.accountId)])).toEqual(['A canceled: 7 @ 995 held']);
});

test('brackets wait out a call that the cascade began, and a stop that was reached triggers when trading goes on', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.bracket(['E', 'P', 'L'], 10, [1_000, 1_010, 995]),
    d.sell('S', 10, 1_000, bob),
    d.sell('T', 5, 960, { ...stop(1_000), ...carol }),
    d.buy('X', 1, 994, bob),
    d.buy('Y', 1, 950, bob),
    d.buy('Z', 1, 970, bob),
    d.endCall(),
    d.cancel('Z', bob.accountId),
    d.endCall(),
  ];
  const band = { bandPpm: 8_000 };
  expect(last((d) => inputs(d).slice(0, -2), band)).toEqual([
    'opening_auction: 10 @ 1000',
    'trade 1: 10 @ 1000, S sells to E (0 and 0 left)',
    'continuous',
    'T triggered: 1000 by 1000, 4 rest',
    'trade 2: 1 @ 994, T takes X (4 and 0 left)',
    'volatility_auction',
    'would be 1 @ 960, 3 more to sell',
  ]);
  expect(last(inputs, band)).toEqual([
    'volatility_auction: no price',
    'T expired: 4 resting, AUCTION_ENDED',
    'continuous',
    'L activated: 10, held',
    'P activated: 10, 10 rest',
    'L triggered: 995 by 994, 10 rest',
    'volatility_auction',
    'would be 1 @ 800, 9 more to sell',
  ]);
});

test('a print between the first fill and the arming triggers a child, though the price has come back since', () => {
  expect(
    last((d) => [
      d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 992]),
      d.sell('S', 4, 1_000, bob),
      d.sell('H', 1, 1_000, bob),
      d.halt(),
      d.cancel('E'),
      d.resume(),
      d.buy('B', 1, 990, bob),
      d.sell('C', 1, 990, bob),
      d.endCall(),
    ]).slice(-5),
  ).toEqual(
    [
      'volatility_auction: 1 @ 990',
      'trade 3: 1 @ 990, C sells to B (0 and 0 left)',
      'continuous',
      'L activated: 5, held',
      'P activated: 5, 5 rest',
      'L triggered: 992 by 990, 0 rest',
      'L expired: 5, INSUFFICIENT_LIQUIDITY',
    ].slice(-5),
  );
});

test('a print before the first fill triggers no child', () => {
  expect(
    last((d) => [
      d.buy('B', 1, 980, bob),
      d.sell('C', 1, 980, bob),
      d.bracket(['E', 'P', 'L'], 5, [1_000, 1_020, 990]),
      d.sell('S', 5, 1_000, bob),
    ]).slice(-2),
  ).toEqual(['L activated: 5, held', 'P activated: 5, 5 rest']);
});

test('several brackets arm in the order in which they were placed, whichever entry ended first', () => {
  expect(
    last((d) => [
      d.bracket(['E', 'P', 'L'], 5, [990, 1_020, 980]),
      d.bracket(['F', 'Q', 'M'], 5, [995, 1_020, 980]),
      d.sell('S', 10, 990, bob),
    ]).filter((line) => line.includes('activated')),
  ).toEqual([
    'L activated: 5, held',
    'P activated: 5, 5 rest',
    'M activated: 5, held',
    'Q activated: 5, 5 rest',
  ]);
});

test('those that wait for continuous trading keep the order of their placement over a restart', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [
    d.list({}, 4),
    ...opening(d),
    d.bracket(['E', 'P', 'L'], 5, [990, 1_020, 980]),
    d.bracket(['F', 'Q', 'M'], 5, [995, 1_020, 980]),
    d.phase('closing_auction'),
    d.sell('S', 10, 990, bob),
    d.endCall(),
    d.phase('opening_auction'),
  ];
  for (const input of inputs) apply(engine, input);
  const again = restore(JSON.parse(JSON.stringify(snapshot(engine))));
  const opens = d.endCall();
  const facts = told(apply(again, opens));
  expect(facts).toEqual(told(apply(engine, opens)));
  expect(facts.filter((line) => line.includes('activated'))).toEqual([
    'L activated: 5, held',
    'P activated: 5, 5 rest',
    'M activated: 5, held',
    'Q activated: 5, 5 rest',
  ]);
});

test('the children of an entry that bought nothing end with it, whatever ended it', () => {
  const unfilled = ['P expired: 5, ENTRY_NOT_FILLED', 'L expired: 5, ENTRY_NOT_FILLED'];
  const day = (d: Desk) => d.bracket(['E', 'P', 'L'], 5, [990, 1_020, 980], { timeInForce: 'day' });
  expect(last((d) => [day(d), d.endDay(1_000)])).toEqual(['E expired: 5 resting, DAY_ENDED', ...unfilled]);
  expect(last((d) => [day(d), d.phase('closed')])).toEqual([
    'E expired: 5 resting, DAY_ENDED',
    ...unfilled,
    'closed',
  ]);
  const gtd = (d: Desk) =>
    d.bracket(['E', 'P', 'L'], 5, [990, 1_020, 980], {
      timeInForce: 'gtd',
      expiresAt: '2026-01-05T15:00:00.000Z',
    });
  const ends = ['E expired: 5 resting, EXPIRES_AT_REACHED', ...unfilled, 'time 15:00:00, next none'];
  expect(last((d) => [gtd(d), d.reach('15:00:00')])).toEqual(ends);
  // A change gives the entry a new place among what ends then, behind its children.
  expect(last((d) => [gtd(d), d.amend('E', 5, { limitTicks: 991 }), d.reach('15:00:00')]).toSorted()).toEqual(
    ends.toSorted(),
  );
});

test('a closing print moves trailing stops', () => {
  const inputs = (d: Desk) => [
    d.sell('S', 5, 900, { type: 'trailing_stop', stopTicks: 990, trailTicks: 10, ...gtc }),
    d.phase('closing_auction'),
    d.buy('A', 5, 1_050, bob),
    d.sell('B', 5, 1_050, bob),
    d.endCall(),
  ];
  expect(run(inputs).engine.stops.book.sells.sorted.map(({ priceTicks }) => priceTicks)).toEqual([1_040]);
  const morning = (d: Desk) => [...inputs(d), d.phase('continuous'), d.buy('C', 5, 1_040, bob)];
  expect(last((d) => [...morning(d), d.sell('D', 1, 1_040, bob)]).slice(2, 3)).toEqual([
    'S triggered: 1040 by 1040, 0 rest',
  ]);
});

test.for([
  ['the opening call', (d: Desk) => opening(d)],
  ['a volatility call', (d: Desk) => [d.halt(), d.resume()]],
] as const)('any uncross that ends closed moves trailing stops: %s', ([, begins]) => {
  const { engine } = run((d) => [
    d.sell('S', 5, 900, { type: 'trailing_stop', stopTicks: 990, trailTicks: 10, ...gtc }),
    ...begins(d),
    d.buy('A', 5, 1_050, bob),
    d.sell('B', 5, 1_050, bob),
    d.phase('closed'),
  ]);
  expect(engine.stops.book.sells.sorted.map(({ priceTicks }) => priceTicks)).toEqual([1_040]);
});

test('a trailing stop that is taken in a call has the mark of its order; only prints move it', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.sell('S', 5, 900, { type: 'trailing_stop', stopTicks: 980, trailTicks: 10, ...gtc }),
    d.sell('R', 5, 900, { type: 'trailing_stop', stopTicks: 980, trailPpm: 10_000, ...gtc }),
  ];
  const stopsOf = (engine: ReturnType<typeof run>['engine']) =>
    engine.stops.book.sells.sorted.map(({ priceTicks }) => priceTicks);
  expect(stopsOf(run(inputs).engine)).toEqual([980]);
  const printed = (d: Desk) => [
    ...inputs(d),
    d.buy('A', 5, 1_000, bob),
    d.sell('B', 5, 1_000, bob),
    d.endCall(),
  ];
  expect(stopsOf(run(printed).engine)).toEqual([990]);
});

test('the surplus is that at the price, also strictly inside of what is equally good', () => {
  const inputs = (d: Desk) => [
    ...opening(d),
    d.buy('A', 25, 100),
    d.buy('B', 25, 97),
    d.sell('C', 25, 98),
    d.sell('D', 25, 95),
    d.endCall(),
  ];
  expect(last(inputs, { listingTicks: 99 })[0]).toBe('opening_auction: 25 @ 99, 25 more to sell');
});

const market = { type: 'market' } as const;
test.for<[why: string, inputs: (d: Desk) => PlacedInput[], expected: string]>([
  [
    'buyers are left',
    (d) => [d.buy('A', 10, 1_100, market), d.sell('B', 5, 900, market)],
    '5 @ 1000, 5 more to buy',
  ],
  [
    'sellers are left',
    (d) => [d.buy('A', 5, 1_100, market), d.sell('B', 10, 900, market)],
    '5 @ 1000, 5 more to sell',
  ],
  [
    'a limit order that would not trade changes nothing',
    (d) => [
      d.buy('A', 10, 1_100, market),
      d.sell('B', 5, 900, market),
      d.buy('C', 5, 950),
      d.sell('D', 5, 1_100),
    ],
    '10 @ 1100',
  ],
  [
    'limit orders behind them that get nothing',
    (d) => [
      d.buy('A', 5, 1_100, market),
      d.sell('B', 10, 900, market),
      d.sell('C', 5, 980),
      d.buy('D', 5, 890),
    ],
    '5 @ 1000, 10 more to sell',
  ],
  [
    'a limit order that trades has its say',
    (d) => [d.buy('A', 10, 1_100, market), d.sell('B', 5, 900, market), d.sell('C', 3, 1_050)],
    '8 @ 1100, 2 more to buy',
  ],
  ['never beyond a protection', (d) => [d.buy('A', 5, 990, market), d.sell('B', 5, 900, market)], '5 @ 990'],
])('where only market orders meet, the price is the static reference: %s', ([, inputs, expected]) => {
  expect(last((d) => [...opening(d), ...inputs(d), d.endCall()])[0]).toBe(`opening_auction: ${expected}`);
});

test('what expires by the time of the call’s end is not in the uncross, nor are stops that were over by then', () => {
  const gtd = (time: string) => ({ timeInForce: 'gtd', expiresAt: `2026-01-05T${time}.000Z` }) as const;
  const inputs = (d: Desk) => [
    ...opening(d),
    d.buy('A', 5, 1_000, gtd('14:30:00')),
    d.buy('B', 5, 1_000, gtd('14:30:01')),
    d.sell('S', 1, 900, { type: 'stop', stopTicks: 1_000, ...gtd('14:30:00') }),
    d.sell('C', 8, 1_000, bob),
  ];
  const ends = ['A expired: 5 resting, EXPIRES_AT_REACHED', 'S expired: 1, EXPIRES_AT_REACHED'];
  const uncrossed = [
    'opening_auction: 5 @ 1000, 3 more to sell',
    'trade 1: 5 @ 1000, C sells to B (3 and 0 left)',
    'continuous',
  ];
  expect(last((d) => [...inputs(d), d.endCall('14:30:00')])).toEqual([...ends, ...uncrossed]);
  expect(last((d) => [...inputs(d), d.phase('continuous', '14:30:00')])).toEqual([...ends, ...uncrossed]);
});

test('an order without a limit of its own takes none, wherever it stands', () => {
  const moves = (d: Desk, name: string) => d.amend(name, 5, { limitTicks: 1_050 });
  const refused = (name: string) => [`amend of ${name} rejected: ORDER_TYPE`];
  const inCall = (d: Desk) => [...opening(d), d.buy('M', 5, 1_100, market)];
  expect(last((d) => [...inCall(d), moves(d, 'M')])).toEqual(refused('M'));
  expect(last((d) => [...inCall(d), d.amend('M', 4)])).toEqual(['M replaced: 4, 5 to 4 left']);
  const forClose = (d: Desk) => [d.buy('W', 5, 1_100, { ...market, timeInForce: 'cls' })];
  expect(last((d) => [...forClose(d), moves(d, 'W')])).toEqual(refused('W'));
  expect(last((d) => [...forClose(d), d.phase('closing_auction'), moves(d, 'W')])).toEqual(refused('W'));
  const triggered = (d: Desk) => [
    d.sell('S', 5, 900, stop(995)),
    d.buy('X', 1, 994, bob),
    d.buy('Y', 9, 980, bob),
    d.sell('Z', 1, 994, bob),
  ];
  expect(last((d) => [...triggered(d), d.amend('S', 5, { limitTicks: 990 })], { bandPpm: 8_000 })).toEqual(
    refused('S'),
  );
});

test('that a limit is the protection price already is not told either', () => {
  const refused = (name: string) => [`amend of ${name} rejected: ORDER_TYPE`];
  const inCall = (d: Desk) => [...opening(d), d.buy('M', 5, 1_100, market)];
  for (const quantity of [3, 5, 6])
    expect(last((d) => [...inCall(d), d.amend('M', quantity, { limitTicks: 1_100 })])).toEqual(refused('M'));
  const forClose = (d: Desk) => [d.buy('W', 5, 1_100, { ...market, timeInForce: 'cls' })];
  expect(last((d) => [...forClose(d), d.amend('W', 5, { limitTicks: 1_100 })])).toEqual(refused('W'));
  for (const quantity of [5, 6])
    expect(
      last((d) => [d.sell('S', 5, 900, stop(950)), d.amend('S', quantity, { limitTicks: 900 })]),
    ).toEqual(refused('S'));
});

test('a triggered stop that waits for a call ends with the day, like any market order', () => {
  const inputs = (d: Desk) => [
    d.sell('S', 5, 900, { ...stop(995), ...gtc }),
    d.sell('L', 5, 960, { type: 'stop_limit', stopTicks: 995, ...gtc }),
    d.buy('X', 1, 994, bob),
    d.buy('Y', 1, 950, { ...bob, ...gtc }),
    d.sell('Z', 1, 994, bob),
  ];
  const ends = (d: Desk) => [...inputs(d), d.halt(), d.phase('closing_auction'), d.phase('closed')];
  expect(last(ends, { bandPpm: 8_000 })).toEqual(['S expired: 5 resting, DAY_ENDED']);
  expect(last((d) => [...inputs(d), d.endDay(1_000)], { bandPpm: 8_000 })[0]).toBe(
    'S expired: 5 resting, DAY_ENDED',
  );
});

test('an exemption from the band is asked for anew by each change', () => {
  const band = { bandPpm: 8_000 };
  const inputs = (d: Desk) => [
    d.buy('A', 5, 990, { bandExempt: true, ...gtc }),
    d.sell('B', 5, 1_020, bob),
    d.sell('C', 5, 1_030, bob),
  ];
  expect(last((d) => [...inputs(d), d.amend('A', 5, { limitTicks: 1_020 })], band)).toEqual([
    'A replaced: 5, 5 to 5 left, anew @ 1020, 5 rest',
    'volatility_auction',
    'would be 5 @ 1020',
  ]);
  expect(last((d) => [...inputs(d), d.amend('A', 5, { limitTicks: 1_020, bandExempt: true })], band)[1]).toBe(
    'trade 1: 5 @ 1020, A takes B (0 and 0 left)',
  );
  const held = (d: Desk) => [d.buy('S', 5, 1_100, { ...stop(1_001), bandExempt: true }), ...inputs(d)];
  const reached = (d: Desk) => [d.sell('D', 1, 1_001, bob), d.buy('E', 1, 1_001, bob)];
  const fate = (amend: (d: Desk) => PlacedInput[]) =>
    last((d) => [...held(d), ...amend(d), ...reached(d)], band).find((line) => line.includes('S triggered'));
  expect(fate(() => [])).toBe('S triggered: 1001 by 1001, 0 rest');
  for (const quantity of [4, 6])
    expect(fate((d) => [d.amend('S', quantity)])).toBe(`S triggered: 1001 by 1001, ${quantity} rest`);
  expect(fate((d) => [d.amend('S', 4, { bandExempt: true })])).toBe('S triggered: 1001 by 1001, 0 rest');
});

test('of those that end at one time a changed order is the last, unless it kept its place', () => {
  const at = { timeInForce: 'gtd', expiresAt: '2026-01-05T15:00:00.000Z' } as const;
  const ends = (amend: (d: Desk) => PlacedInput) =>
    last((d) => [
      d.buy('A', 5, 990, at),
      d.buy('S', 5, 1_100, { type: 'stop', stopTicks: 1_010, ...at }),
      d.buy('B', 5, 990, at),
      amend(d),
      d.reach('15:00:00'),
    ])
      .slice(0, 3)
      .map((line) => line[0]);
  expect(ends((d) => d.amend('A', 4))).toEqual(['A', 'S', 'B']);
  expect(ends((d) => d.amend('A', 6))).toEqual(['S', 'B', 'A']);
  expect(ends((d) => d.amend('S', 6))).toEqual(['A', 'B', 'S']);
});

test('a day whose opening fell into a halt is opened by the opening call, also where it had no call of its own', () => {
  expect(last((d) => [d.phase('closed'), d.halt(), d.phase('continuous'), d.resume()])).toEqual([
    'opening_auction',
  ]);
  expect(last((d) => [d.halt(), d.resume()])).toEqual(['volatility_auction']);
});

test('the entry collar reaches a tick to each side, or as many as the rules of the symbol say', () => {
  const taken = (listingTicks: number, rules = {}) => {
    const prices = [1, 2, 3, 6, 7, 8, 9, 10, 11, 12];
    return prices.filter(
      (ticks) => last((d) => [d.buy('A', 5, ticks)], { listingTicks, ...rules })[0] === 'A accepted, 5 rest',
    );
  };
  expect(taken(9)).toEqual([8, 9, 10]);
  expect(taken(1)).toEqual([1, 2]);
  expect(taken(9, { collarTicksMin: 2 })).toEqual([7, 8, 9, 10, 11]);
  expect(run((d) => [d.adopt(4)], { listingTicks: 9 }, 3).engine.listing?.collar).toEqual({
    lowTicks: 8,
    highTicks: 10,
  });
});

test('brackets that an older version followed are watched from the adoption on', () => {
  const inputs = (d: Desk) => [
    d.bracket(['E', 'P', 'L'], 10, [1_000, 1_020, 985]),
    d.sell('S', 4, 1_000, bob),
    d.adopt(4),
    d.buy('B', 1, 1_000, bob),
    d.sell('T', 7, 1_000, bob),
  ];
  expect(run(inputs, {}, 3).told.slice(-2)).toEqual(['L activated: 10, held', 'P activated: 10, 10 rest']);
});
