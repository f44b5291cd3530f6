import { expect, test } from 'vitest';
import { auditedBook } from '../src/audit/book/book.ts';
import { newFindings } from '../src/audit/findings.ts';
import { orderFrom } from '../src/audit/order.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { id } from './writtenHistory.ts';

/** Buys for an amount of money, with lots of ten: the ends that the audit accepts, and those that it finds. */
const [ANN, BOB] = [id(1), id(2)];
const MONEY = id(99);

type Sell = readonly [shares: number, ticks: number];
type Trade = readonly [sell: number, quantity: number, left: number];
type End = 'filled' | 'completed' | 'EXECUTION_BOUND' | 'INSUFFICIENT_LIQUIDITY';

/** The findings where Ann sells and Bob spends `cents`. */
function findingsOf(sells: readonly Sell[], cents: number, trades: readonly Trade[], end: End) {
  const findings = newFindings();
  const terms = { clientOrderId: null, symbol: 'ACME', tickCents: 1, referenceTicks: 100, bandExempt: false };
  const orders = new Map(
    [...sells, null].map((sell, n) => {
      const common = { ...terms, feePpm: 0, holdCents: 0, holdShares: 0 };
      const placed = sell
        ? ({ orderId: id(n), accountId: ANN, side: 'sell', type: 'limit', timeInForce: 'day' } as const)
        : ({ orderId: MONEY, accountId: BOB, side: 'buy', type: 'market', timeInForce: 'ioc' } as const);
      const [quantity, limitTicks] = sell ?? [0, 110];
      const money = sell ? {} : { notionalCents: cents };
      return [placed.orderId, orderFrom({ ...placed, ...common, quantity, limitTicks, ...money })] as const;
    }),
  );
  const book = auditedBook('ACME', orders, findings);
  book.rules.lotShares = 10;
  book.market({
    type: 'SymbolListed.v1',
    data: { rules: { listingTicks: 100 }, matchingRules: 4 },
  } as RawEvent);
  const apply = (type: RawEvent['type'], data: object) => book.apply({ type, data } as RawEvent);
  const accept = (orderId: string, restingQuantity: number) => {
    const { side, quantity, limitTicks } = orders.get(orderId) as ReturnType<typeof orderFrom>;
    apply('OrderAccepted.v1', { order: { orderId }, side, quantity, limitTicks, restingQuantity });
  };
  for (const [n, [shares]] of sells.entries()) {
    accept(id(n), shares);
    book.inputDone();
  }
  accept(MONEY, 0);
  const open = sells.map(([shares]) => shares);
  let leftCents = cents;
  for (const [index, [n, quantity, leaves]] of trades.entries()) {
    const priceTicks = sells[n]?.[1] ?? 0;
    open[n] = (open[n] ?? 0) - quantity;
    leftCents -= quantity * priceTicks;
    const maker = { orderId: id(n), accountId: ANN, leaves: open[n] };
    const taker = { orderId: MONEY, accountId: BOB, leaves };
    const said = { trade: index + 1, priceTicks, tickCents: 1, quantity, takerSide: 'buy' };
    apply('TradeExecuted.v1', { ...said, maker, taker });
  }
  const order = { orderId: MONEY, accountId: BOB };
  if (end === 'completed') apply('OrderCompleted.v1', { order, side: 'buy', leftCents });
  else if (end !== 'filled')
    apply('OrderExpired.v1', { order, side: 'buy', quantity: 0, resting: false, leftCents, reason: end });
  book.inputDone();
  return findings.list.map(({ what }) => what.replace(MONEY, 'it'));
}

const odd: Sell[] = [
  [13, 100],
  [40, 110],
];

test.for<[what: string, ...Parameters<typeof findingsOf>]>([
  ['lots at one price', odd, 1_000, [[0, 10, 0]], 'filled'],
  [
    'a lot over two prices',
    odd,
    2_100,
    [
      [0, 13, 7],
      [1, 7, 0],
    ],
    'filled',
  ],
  ['a lot that the next price leaves alone', odd, 2_000, [[0, 10, 10]], 'completed'],
  ['a lot where nobody has another', odd.slice(0, 1), 2_000, [[0, 10, 10]], 'INSUFFICIENT_LIQUIDITY'],
  ['nothing where nobody has a lot', [[7, 100]], 2_000, [], 'INSUFFICIENT_LIQUIDITY'],
])('the audit lets pass %s', ([, ...args]) => {
  expect(findingsOf(...args)).toEqual([]);
});

test.for<[what: string, says: string, ...Parameters<typeof findingsOf>]>([
  ['a whole that is no lots', 'it bought 13, which is no whole lots', odd, 2_000, [[0, 13, 7]], 'completed'],
  [
    'the same beyond its bound',
    'it bought 13, which is no whole lots',
    odd,
    9_000,
    [[0, 13, 67]],
    'EXECUTION_BOUND',
  ],
  ['money that buys another lot', 'it could still buy', odd, 4_000, [[0, 10, 30]], 'completed'],
  [
    'money that expires and is spent',
    'it could still buy',
    odd,
    2_000,
    [[0, 10, 10]],
    'INSUFFICIENT_LIQUIDITY',
  ],
  [
    'money that is called spent where nobody sells',
    'it could still buy',
    [[10, 100]],
    2_000,
    [[0, 10, 10]],
    'completed',
  ],
])('the audit finds %s', ([, says, ...args]) => {
  expect(findingsOf(...args).join()).toContain(says);
});
