import { expect, test } from 'vitest';
import { desk, SYMBOL, told } from '../../../test/desk.ts';
import { apply, newEngine, type PlacedInput } from '../engine.ts';

/** The outputs of the last of these inputs, in words. The reference is 1,000: trades happen from 990 to 1,010. */
type Desk = ReturnType<typeof desk>;
function run(inputs: (d: Desk) => PlacedInput[], rules = {}) {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const listed = d.list({ bandPpm: 10_000, ...rules }, 4);
  const facts = [listed, ...inputs(d)].map((input) => apply(engine, input)).at(-1) ?? [];
  return { engine, told: told(facts) };
}
const last = (inputs: (d: Desk) => PlacedInput[], rules = {}) => run(inputs, rules).told;
const market = { type: 'market' } as const;
const stop = (stopTicks: number) => ({ type: 'stop', stopTicks }) as const;
/** 5 at 1,010, the end of the band, and 5 beyond. */
const asks = (d: Desk) => [d.sell('A', 5, 1_010), d.sell('B', 5, 1_011)];

test('the first match outside the band does not happen, and starts a volatility auction', () => {
  expect(last((d) => [...asks(d), d.buy('C', 8, 1_020)])).toEqual([
    'C accepted, 3 rest',
    'trade 1: 5 @ 1010, C takes A (3 and 0 left)',
    'volatility_auction',
    'would be 3 @ 1011, 2 more to sell',
  ]);
  expect(last((d) => [d.sell('B', 5, 1_011), d.buy('C', 8, 1_020)])).toEqual([
    'C accepted, 8 rest',
    'volatility_auction',
    'would be 5 @ 1020, 3 more to buy',
  ]);
});

test('below the band it is the same', () => {
  expect(last((d) => [d.buy('B', 5, 989), d.sell('C', 5, 980)])[1]).toBe('volatility_auction');
});

test('what is left of a market order joins the call, and expires with it', () => {
  const inputs = (d: Desk) => [...asks(d), d.buy('M', 12, 1_100, market)];
  expect(last(inputs)).toEqual([
    'M accepted, 7 rest',
    'trade 1: 5 @ 1010, M takes A (7 and 0 left)',
    'volatility_auction',
    'would be 5 @ 1100, 2 more to buy',
  ]);
  expect(last((d) => [...inputs(d), d.phase('continuous')])).toEqual([
    'volatility_auction: 5 @ 1100, 2 more to buy',
    'trade 2: 5 @ 1100, B sells to M (0 and 2 left)',
    'M expired: 2 resting, AUCTION_ENDED',
    'continuous',
  ]);
});

test.for([
  ['ioc', { timeInForce: 'ioc' }, 8, 'C expired: 3, EXECUTION_RULE_PRICE_RANGE_EXCEEDED'],
  [
    'a market order that is ioc',
    { ...market, timeInForce: 'ioc' },
    8,
    'C expired: 3, EXECUTION_RULE_PRICE_RANGE_EXCEEDED',
  ],
  [
    'an amount of money',
    { ...market, timeInForce: 'ioc', notionalCents: 8_100 },
    0,
    'C expired: 0, EXECUTION_RULE_PRICE_RANGE_EXCEEDED, 3050 cents left',
  ],
] as const)(
  'what wants trades at once expires, and the auction starts: %s',
  ([, terms, quantity, expired]) => {
    expect(last((d) => [...asks(d), d.buy('C', quantity, 1_020, terms)]).slice(2)).toEqual([
      expired,
      'volatility_auction',
    ]);
  },
);

test('fill-or-kill counts what is inside the band, and starts no auction', () => {
  const fok = (quantity: number) =>
    last((d) => [...asks(d), d.buy('F', quantity, 1_020, { timeInForce: 'fok' })]).slice(1);
  expect(fok(5)).toEqual(['trade 1: 5 @ 1010, F takes A (0 and 0 left)']);
  expect(fok(6)).toEqual(['F expired: 6, UNFILLED_FOK_ORDER_EXPIRED']);
});

test('a minimum quantity counts what is inside the band', () => {
  const least = (minQuantity: number) =>
    last((d) => [...asks(d), d.buy('F', 8, 1_020, { minQuantity })]).slice(1);
  expect(least(6)).toEqual(['F expired: 8, UNFILLED_MIN_QTY_ORDER_EXPIRED']);
  expect(least(5)[1]).toBe('volatility_auction');
});

test('a match that prevention stops does not start an auction', () => {
  expect(last((d) => [d.sell('B', 5, 1_011), d.buy('C', 5, 1_020, { selfTrade: 'cancel_oldest' })])).toEqual([
    'C accepted, 5 rest',
    'prevented (cancel_oldest): 5 @ 1011, C met B (5 and 5 left)',
    'B expired: 5 resting, SELF_TRADE_PREVENTED',
  ]);
});

test('the band follows the last trade, and is frozen for the whole input', () => {
  const moved = (d: Desk) => [d.sell('A', 1, 1_010), d.buy('B', 1, 1_010)];
  expect(last((d) => [...moved(d), d.sell('C', 1, 1_020), d.buy('D', 1, 1_020)])).toEqual([
    'D accepted, 0 rest',
    'trade 2: 1 @ 1020, D takes C (0 and 0 left)',
  ]);
  // Each step is within the band of the trade before, but not within that of the input.
  expect(
    last((d) => [
      d.buy('S', 1, 1_050, stop(1_005)),
      d.sell('A', 1, 1_009),
      d.sell('C', 1, 1_018),
      d.buy('B', 1, 1_009),
    ]).slice(2),
  ).toEqual(['S triggered: 1005 by 1009, 1 rest', 'volatility_auction', 'would be 1 @ 1018']);
});

test('a triggered stop joins the call, and so do those that were reached before it began', () => {
  const inputs = (d: Desk) => [
    d.buy('S', 2, 1_050, stop(1_005)),
    d.buy('L', 2, 1_008, { type: 'stop_limit', stopTicks: 1_006 }),
    d.sell('A', 1, 1_009),
    d.sell('C', 1, 1_018),
    d.buy('B', 1, 1_009),
  ];
  expect(last(inputs).slice(2)).toEqual([
    'S triggered: 1005 by 1009, 2 rest',
    'volatility_auction',
    'L triggered: 1006 by 1009, 2 rest',
    'would be 1 @ 1050, 1 more to buy',
  ]);
  expect(last((d) => [...inputs(d), d.phase('continuous')])).toEqual([
    'volatility_auction: 1 @ 1050, 1 more to buy',
    'trade 2: 1 @ 1050, C sells to S (0 and 1 left)',
    'S expired: 1 resting, AUCTION_ENDED',
    'continuous',
  ]);
});

test('an order that comes in anew by a change meets the band, too', () => {
  expect(
    last((d) => [d.sell('B', 5, 1_011), d.buy('C', 5, 990), d.amend('C', 5, { limitTicks: 1_011 })]).slice(
      0,
      2,
    ),
  ).toEqual(['C replaced: 5, 5 to 5 left, anew @ 1011, 5 rest', 'volatility_auction']);
});

test('a price further than twice the band from the last one: it runs once more, and then is executed', () => {
  const far = (d: Desk) => [d.sell('B', 5, 1_021), d.buy('C', 5, 1_021)];
  expect(last((d) => [...far(d), d.endCall()])).toEqual(['extended: 5 @ 1021']);
  expect(last((d) => [...far(d), d.endCall(), d.endCall()])).toEqual([
    'volatility_auction: 5 @ 1021',
    'trade 1: 5 @ 1021, B sells to C (0 and 0 left)',
    'continuous',
  ]);
  expect(last((d) => [d.sell('B', 5, 1_020), d.buy('C', 5, 1_020), d.endCall()])[0]).toBe(
    'volatility_auction: 5 @ 1020',
  );
});

test('without a price trading goes on, and the references stay', () => {
  const { engine, told } = run((d) => [
    d.sell('B', 5, 1_011),
    d.buy('C', 5, 1_011),
    d.cancel('B'),
    d.endCall(),
  ]);
  expect(told).toEqual(['volatility_auction: no price', 'continuous']);
  expect([engine.lastTicks, engine.listing?.referenceTicks]).toEqual([0, 1_000]);
});

test('a closing call that falls due takes it in', () => {
  const inputs = (d: Desk) => [d.sell('B', 5, 1_021), d.buy('C', 5, 1_021), d.phase('closing_auction')];
  expect(last(inputs)).toEqual(['closing_auction']);
  expect(last((d) => [...inputs(d), d.endCall()])[0]).toBe('closing_auction: 5 @ 1021');
});

test('switched off for the symbol or for the account, the band does not count', () => {
  const fills = ['C accepted, 0 rest', 'trade 1: 5 @ 1011, C takes B (0 and 0 left)'];
  expect(last((d) => [d.exempt(true), d.sell('B', 5, 1_011), d.buy('C', 5, 1_011)])).toEqual(fills);
  expect(last((d) => [d.sell('B', 5, 1_011), d.buy('C', 5, 1_011, { bandExempt: true })])).toEqual(fills);
  const exempt = { ...stop(1_005), bandExempt: true } as const;
  expect(
    last((d) => [
      d.buy('S', 1, 1_050, exempt),
      d.sell('A', 1, 1_009),
      d.sell('C', 1, 1_018),
      d.buy('B', 1, 1_009),
    ]).at(-1),
  ).toBe('trade 2: 1 @ 1018, S takes C (0 and 0 left)');
});

test('a symbol without a band, or under older rules, trades as far as limits reach', () => {
  const d = desk();
  const engine = newEngine(SYMBOL);
  const inputs = [d.list({ bandPpm: 10_000 }, 2), d.sell('B', 5, 1_050), d.buy('C', 5, 1_050)];
  expect(inputs.map((input) => told(apply(engine, input))).at(-1)).toEqual([
    'C accepted, 0 rest',
    'trade 1: 5 @ 1050, C takes B (0 and 0 left)',
  ]);
});

test('a band of less than a tick reaches a tick to each side, and twice that before a call is extended', () => {
  const cheap = { bandPpm: 50_000, listingTicks: 9, collarPpm: 900_000 };
  const trades = (ticks: number) => last((d) => [d.sell('A', 5, ticks), d.buy('B', 5, ticks)], cheap)[1];
  for (const ticks of [8, 9, 10])
    expect(trades(ticks)).toBe(`trade 1: 5 @ ${ticks}, B takes A (0 and 0 left)`);
  for (const ticks of [7, 11]) expect(trades(ticks)).toBe('volatility_auction');
  const ended = (ticks: number) =>
    last((d) => [d.sell('A', 5, ticks), d.buy('B', 5, ticks), d.endCall()], cheap)[0];
  expect(ended(11)).toBe('volatility_auction: 5 @ 11');
  expect(ended(12)).toBe('extended: 5 @ 12');
});
