import type { BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accepted, id, OTHER, ref, second, story, traded } from '../../test/given.ts';
import {
  depthView,
  evolveMarket,
  hotValues,
  openMarket,
  restoreMarket,
  type SymbolMarket,
  storeMarket,
  tickerView,
} from './symbolMarket.ts';
import { spanOf } from './ticker.ts';

const NOW = spanOf(Date.UTC(2026, 0, 5, 14, 30));

function after(...facts: BookFact[]): SymbolMarket {
  const { book } = story();
  const market = openMarket('AAPL', 1);
  for (const fact of facts) evolveMarket(market, book('AAPL', fact));
  return market;
}
const sell = (ticks: number, quantity: number) =>
  accepted({ order: ref(OTHER), side: 'sell', limitTicks: ticks, quantity, restingQuantity: quantity });
const buy = (ticks: number, quantity: number, restingQuantity = quantity) =>
  accepted({ limitTicks: ticks, quantity, restingQuantity });
/** An order of its own that rests whole. */
const rests = (side: 'buy' | 'sell', ticks: number, quantity: number) =>
  accepted({
    order: ref(id(`${side} ${quantity} at ${ticks}`)),
    side,
    limitTicks: ticks,
    quantity,
    restingQuantity: quantity,
  });
const levels = (market: SymbolMarket) => {
  const { bids, asks } = depthView(market);
  return { bids, asks };
};

test('resting orders are shown by price, best first', () => {
  expect(
    depthView(
      after(
        rests('sell', 15_010, 5),
        rests('sell', 15_000, 7),
        rests('sell', 15_010, 1),
        rests('buy', 14_990, 3),
        rests('buy', 14_995, 2),
      ),
    ),
  ).toEqual({
    symbol: 'AAPL',
    sequence: 4,
    last_update_id: 4,
    crossed: false,
    bids: [
      ['149.95', '2'],
      ['149.90', '3'],
    ],
    asks: [
      ['150.00', '7'],
      ['150.10', '6'],
    ],
  });
});

const anew = (entry: { priceTicks: number; restingQuantity: number; entersAfter: number }): BookFact => ({
  type: 'OrderReplaced.v1',
  data: {
    order: STANDING,
    amendment: 1,
    side: 'buy',
    priceTicks: 14_900,
    quantity: 102,
    leavesBefore: 10,
    leaves: 102,
    entry,
  },
});
const prevented = (mode: 'decrement' | 'cancel_oldest'): BookFact => ({
  type: 'TradePrevented.v1',
  data: {
    mode,
    priceTicks: 14_990,
    quantity: 100,
    takerSide: 'buy',
    maker: { ...ref(OTHER), leaves: mode === 'decrement' ? 0 : 100 },
    taker: { ...ref(), leaves: mode === 'decrement' ? 30 : 130 },
  },
});
const expired = (quantity: number): BookFact => ({
  type: 'OrderExpired.v1',
  data: {
    order: ref(OTHER),
    side: 'sell',
    priceTicks: 14_990,
    quantity,
    resting: true,
    reason: 'SELF_TRADE_PREVENTED',
  },
});
const STANDING = ref(id('buy 10 at 14900'));
const standing = [sell(14_990, 100), rests('buy', 14_900, 10)];
test.for<[what: string, facts: BookFact[], bids: [string, string][], asks: [string, string][]]>([
  [
    'a trade takes from the level of the maker',
    [buy(14_990, 40, 0), traded()],
    [['149.00', '10']],
    [['149.90', '60']],
  ],
  [
    'what a taker leaves enters its own side after its last trade',
    [buy(14_995, 130, 30), traded({ quantity: 100, taker: { ...ref(), leaves: 30 } })],
    [
      ['149.95', '30'],
      ['149.00', '10'],
    ],
    [],
  ],
  [
    'a cancel takes the rest out',
    [
      {
        type: 'OrderCanceled.v1',
        data: { order: ref(OTHER), side: 'sell', priceTicks: 14_990, quantity: 100 },
      },
    ],
    [['149.00', '10']],
    [],
  ],
  [
    'a reduction takes the difference out',
    [
      {
        type: 'OrderReplaced.v1',
        data: {
          order: STANDING,
          amendment: 1,
          side: 'buy',
          priceTicks: 14_900,
          quantity: 4,
          leavesBefore: 10,
          leaves: 4,
        },
      },
    ],
    [['149.00', '4']],
    [['149.90', '100']],
  ],
  [
    'an order that expires leaves the book',
    [
      {
        type: 'OrderExpired.v1',
        data: {
          order: STANDING,
          side: 'buy',
          priceTicks: 14_900,
          quantity: 10,
          resting: true,
          reason: 'DAY_ENDED',
        },
      },
    ],
    [],
    [['149.90', '100']],
  ],
  [
    'an order with a new priority leaves its place and enters anew, after what it trades',
    [
      anew({ priceTicks: 14_990, restingQuantity: 2, entersAfter: 1 }),
      traded({ quantity: 100, taker: { ...STANDING, leaves: 2 } }),
    ],
    [['149.90', '2']],
    [],
  ],
  [
    'an order with a new priority that meets nobody is at its new price at once',
    [anew({ priceTicks: 14_950, restingQuantity: 102, entersAfter: 0 })],
    [['149.50', '102']],
    [['149.90', '100']],
  ],
  [
    'a prevented match that takes off both takes from the level of the maker, and the rest enters after it',
    [
      accepted({ limitTicks: 14_995, quantity: 130, restingQuantity: 30, entersAfter: 2 }),
      prevented('decrement'),
      expired(0),
    ],
    [
      ['149.95', '30'],
      ['149.00', '10'],
    ],
    [],
  ],
  [
    'where the resting order gives way, the other enters once it is gone',
    [
      accepted({ limitTicks: 14_995, quantity: 130, restingQuantity: 130, entersAfter: 2 }),
      prevented('cancel_oldest'),
      expired(100),
    ],
    [
      ['149.95', '130'],
      ['149.00', '10'],
    ],
    [],
  ],
  [
    'of an iceberg only its peak is shown',
    [accepted({ limitTicks: 14_950, quantity: 100, restingQuantity: 100, shownQuantity: 10 })],
    [
      ['149.50', '10'],
      ['149.00', '10'],
    ],
    [['149.90', '100']],
  ],
  [
    'an arriving iceberg trades in full, and its rest shows a peak',
    [
      accepted({ limitTicks: 14_990, quantity: 130, restingQuantity: 30, shownQuantity: 10 }),
      traded({ quantity: 100, taker: { ...ref(), leaves: 30 } }),
    ],
    [
      ['149.90', '10'],
      ['149.00', '10'],
    ],
    [],
  ],
  [
    'a peak that is used up is followed by the next one',
    [buy(14_990, 100, 0), traded({ quantity: 100, maker: { ...ref(OTHER), leaves: 25 }, makerPeak: 20 })],
    [['149.00', '10']],
    [['149.90', '20']],
  ],
  [
    'an iceberg leaves with what it showed',
    [
      accepted({ limitTicks: 14_950, quantity: 100, restingQuantity: 100, shownQuantity: 10 }),
      {
        type: 'OrderCanceled.v1',
        data: { order: ref(), side: 'buy', priceTicks: 14_950, quantity: 100, shownQuantity: 10 },
      },
    ],
    [['149.00', '10']],
    [['149.90', '100']],
  ],
  [
    'a reduction of what an iceberg hides shows nothing, one of what it shows does',
    [
      accepted({ limitTicks: 14_950, quantity: 100, restingQuantity: 100, shownQuantity: 10 }),
      ...[50, 4].map((leaves, index): BookFact => {
        const leavesBefore = index === 0 ? 100 : 50;
        const amendment = { order: ref(), amendment: 1 + index, side: 'buy', priceTicks: 14_950 } as const;
        const shown = { shownBefore: 10, shown: Math.min(10, leaves) };
        return {
          type: 'OrderReplaced.v1',
          data: { ...amendment, quantity: leaves, leavesBefore, leaves, ...shown },
        };
      }),
    ],
    [
      ['149.50', '4'],
      ['149.00', '10'],
    ],
    [['149.90', '100']],
  ],
  [
    'an order for an amount of money never rests',
    [
      accepted({
        type: 'market',
        limitTicks: 15_000,
        quantity: 0,
        restingQuantity: 0,
        notionalCents: 600_000,
      }),
      traded({ taker: { ...ref(), leaves: 0 } }),
    ],
    [['149.00', '10']],
    [['149.90', '60']],
  ],
  [
    'a stop changes nothing while it is held, nor when it is canceled then',
    [
      accepted({ type: 'stop', limitTicks: 15_000, restingQuantity: 0, held: true }),
      {
        type: 'OrderCanceled.v1',
        data: { order: ref(), side: 'buy', priceTicks: 14_900, quantity: 100, held: true },
      },
    ],
    [['149.00', '10']],
    [['149.90', '100']],
  ],
  [
    'the rest of a triggered stop-limit enters after what it trades',
    [
      {
        type: 'OrderTriggered.v1',
        data: {
          order: ref(),
          side: 'buy',
          stopTicks: 14_980,
          lastTicks: 14_985,
          limitTicks: 14_990,
          quantity: 130,
          restingQuantity: 30,
          entersAfter: 1,
        },
      },
      traded({ quantity: 100, taker: { ...ref(), leaves: 30 } }),
    ],
    [
      ['149.90', '30'],
      ['149.00', '10'],
    ],
    [],
  ],
  [
    'a rest that never entered the book changes nothing there',
    [
      {
        type: 'OrderExpired.v1',
        data: {
          order: ref(),
          side: 'buy',
          priceTicks: 14_900,
          quantity: 10,
          resting: false,
          reason: 'UNFILLED_IOC_QUANTITY_EXPIRED',
        },
      },
    ],
    [['149.00', '10']],
    [['149.90', '100']],
  ],
])('%s', ([, facts, bids, asks]) => {
  expect(levels(after(...standing, ...facts))).toEqual({ bids, asks });
});

test('between an acceptance and its trades the book is not crossed', () => {
  expect(levels(after(...standing, buy(14_995, 130, 30)))).toEqual({
    bids: [['149.00', '10']],
    asks: [['149.90', '100']],
  });
});

const result = { priceTicks: 14_995, quantity: 30, surplus: 100, surplusSide: 'buy' } as const;
const call: BookFact[] = [
  { type: 'MarketStateChanged.v1', data: { state: 'opening_auction' } },
  { type: 'OrderEntered.v1', data: { order: ref(), side: 'buy', limitTicks: 15_000, quantity: 130 } },
  { type: 'IndicativePriceChanged.v1', data: result },
];

test('while a call runs the book may be crossed, and what it would bring is shown', () => {
  const market = after(...standing, ...call);
  expect(depthView(market)).toMatchObject({
    crossed: true,
    bids: [
      ['150.00', '130'],
      ['149.00', '10'],
    ],
  });
  expect(tickerView(market, NOW)).toMatchObject({
    state: 'opening_auction',
    indicative_price: '149.95',
    indicative_qty: '30',
    surplus_side: 'buy',
    surplus_qty: '100',
  });
});

test('the trades of an auction take from both sides, where their orders stood', () => {
  const trade: BookFact = {
    type: 'TradeExecuted.v1',
    data: {
      trade: 1,
      priceTicks: 14_995,
      tickCents: 1,
      quantity: 30,
      takerSide: 'sell',
      maker: { ...ref(), leaves: 100 },
      taker: { ...ref(OTHER), leaves: 70 },
      auction: { buyTicks: 15_000, sellTicks: 14_990 },
    },
  };
  const market = after(
    ...standing,
    ...call,
    { type: 'AuctionUncrossed.v1', data: { auction: 'opening_auction', ...result } },
    trade,
    { type: 'MarketStateChanged.v1', data: { state: 'continuous' } },
  );
  expect(levels(market)).toEqual({
    bids: [
      ['150.00', '100'],
      ['149.00', '10'],
    ],
    asks: [['149.90', '70']],
  });
  expect(JSON.parse(market.trades[0] ?? '')).toMatchObject({ price: '149.95', taker_side: null });
  expect(tickerView(market, NOW)).toMatchObject({ indicative_price: null, last_price: '149.95' });
  expect(restoreMarket(storeMarket(market))).toEqual(market);
});

test('the ticker has the last trade, the best prices and the figures of 24 hours', () => {
  const market = after(
    ...standing,
    buy(14_990, 40, 0),
    traded(),
    buy(14_990, 10, 0),
    traded({ trade: 2, quantity: 10 }),
  );
  const today = {
    symbol: 'AAPL',
    sequence: 5,
    state: 'continuous',
    last_price: '149.90',
    bid: '149.00',
    bid_qty: '10',
    ask: '149.90',
    ask_qty: '50',
    open: '149.90',
    high: '149.90',
    low: '149.90',
    change: '0.00',
    change_percent: '0.00',
    volume: '50',
    trades: 2,
    indicative_price: null,
    indicative_qty: null,
    surplus_side: null,
    surplus_qty: null,
  };
  expect(tickerView(market, NOW + 287)).toEqual(today);
  expect(tickerView(market, NOW + 288)).toEqual({
    ...today,
    open: null,
    high: null,
    low: null,
    change: null,
    change_percent: null,
    volume: '0',
    trades: 0,
  });
});

test('the figures of 24 hours move on in steps of five minutes', () => {
  const { book } = story();
  const market = openMarket('AAPL', 1);
  const at = (time: string, ticks: number) => {
    evolveMarket(market, book('AAPL', sell(ticks, 40), time));
    evolveMarket(market, book('AAPL', buy(ticks, 40, 0), time));
    evolveMarket(market, book('AAPL', traded({ priceTicks: ticks, takerSide: 'buy' }), time));
  };
  at('2026-01-05T23:59:59.999Z', 15_000);
  at('2026-01-06T00:00:00.000Z', 15_600);
  at('2026-01-06T23:59:59.999Z', 15_300);
  const figures = (time: string) => {
    const { open, high, low, change, change_percent, volume, trades } = tickerView(
      market,
      spanOf(Date.parse(time)),
    );
    return [open, high, low, change, change_percent, volume, trades];
  };
  expect([figures('2026-01-06T23:59:59.999Z'), figures('2026-01-07T00:00:00.000Z')]).toEqual([
    ['156.00', '156.00', '153.00', '-3.00', '-1.92', '80', 2],
    ['153.00', '153.00', '153.00', '0.00', '0.00', '40', 1],
  ]);
});

test('the values of the hot view are the JSON texts of the views, trades newest first', () => {
  const market = after(
    sell(14_990, 100),
    buy(14_990, 40, 0),
    traded(),
    buy(14_990, 60, 0),
    traded({ trade: 2, quantity: 60 }),
  );
  const values = Object.fromEntries(hotValues(market, NOW).map(([key, text]) => [key, JSON.parse(text)]));
  const trade = (n: number, sequence: number, qty: string) => ({
    id: `AAPL-${n}`,
    symbol: 'AAPL',
    sequence,
    price: '149.90',
    qty,
    taker_side: 'buy',
    executed_at: second(sequence + 1),
  });
  expect(values).toEqual({
    'depth:AAPL': depthView(market),
    'ticker:AAPL': tickerView(market, NOW),
    'trades:AAPL': [trade(2, 4, '60'), trade(1, 2, '40')],
  });
});

test('a halt shows in the ticker', () => {
  expect(tickerView(after({ type: 'MarketStateChanged.v1', data: { state: 'halt' } }), NOW).state).toBe(
    'halt',
  );
});

test('a restored market is the stored one and goes on the same', () => {
  const { book } = story();
  const market = after(...standing, buy(14_995, 130, 30));
  for (let n = 0; n < 3; n++) book('AAPL', accepted());
  const restored = restoreMarket(storeMarket(market));
  expect(restored).toEqual(market);
  const next = book('AAPL', traded({ quantity: 100, taker: { ...ref(), leaves: 30 } }));
  evolveMarket(market, next);
  evolveMarket(restored, next);
  expect(depthView(restored)).toEqual(depthView(market));
});

test('a gap in the book is a defect', () => {
  const { book } = story();
  book('AAPL', accepted());
  expect(() => evolveMarket(openMarket('AAPL', 1), book('AAPL', accepted()))).toThrow(/has a gap/);
});
