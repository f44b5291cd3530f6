import type { AccountFact, BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { auctionOf } from '../src/audit/book/auction.ts';
import { auditedBook } from '../src/audit/book/book.ts';
import { newFindings } from '../src/audit/findings.ts';
import { type AuditedOrder, orderFrom } from '../src/audit/order.ts';
import { listFrom } from '../src/audit/orderList.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';

/** Histories that are right by one version of the matching rules and wrong by another: the audit follows the market's version. */
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];
const placed = (n: number, terms: Partial<Placed> = {}): Placed => ({
  orderId: id(n),
  accountId: id(1),
  clientOrderId: null,
  symbol: 'ACME',
  side: 'sell',
  type: 'limit',
  timeInForce: 'gtc',
  quantity: 5,
  limitTicks: 1_000,
  tickCents: 1,
  referenceTicks: 1_000,
  bandExempt: false,
  feePpm: 0,
  holdCents: 0,
  holdShares: 0,
  ...terms,
});
const ref = (n: number) => ({ orderId: id(n), accountId: id(1), revision: 1 });
const accepted = (
  { orderId, side, type, timeInForce, quantity, limitTicks }: Placed,
  more: object = {},
): BookFact => {
  const order = { orderId, accountId: id(1), revision: 1 };
  const data = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: quantity };
  return { type: 'OrderAccepted.v1', data: { ...data, ...more } };
};
const becomes = (state: 'opening_auction' | 'volatility_auction' | 'continuous'): BookFact => ({
  type: 'MarketStateChanged.v1',
  data: { state },
});

/** The findings by a version of the rules. Each list of facts is the output of one input. */
function audited(
  version: number,
  orders: readonly AuditedOrder[],
  inputs: readonly (readonly BookFact[])[],
  marketSays?: { before: number; event: object },
): string[] {
  const findings = newFindings();
  const book = auditedBook('ACME', new Map(orders.map((order) => [order.id, { ...order }])), findings);
  const listed = { rules: { tickCents: 1, listingTicks: 1_000 }, matchingRules: version };
  book.market({ type: 'SymbolListed.v1', data: listed } as unknown as RawEvent);
  for (const [n, facts] of inputs.entries()) {
    if (marketSays?.before === n) book.market(marketSays.event as RawEvent);
    for (const fact of facts) book.apply({ ...fact, revision: n } as unknown as RawEvent);
    book.inputDone();
  }
  return findings.list.map(({ what }) => what);
}

test('the surplus strictly inside of what is equally good was told as none by version 3', () => {
  const standing = [
    { side: 'buy' as const, ticks: 100, shares: 25 },
    { side: 'buy' as const, ticks: 97, shares: 25 },
    { side: 'sell' as const, ticks: 95, shares: 25 },
    { side: 'sell' as const, ticks: 98, shares: 25 },
  ];
  expect(auctionOf(standing, 99)).toMatchObject({ priceTicks: 99, surplus: 25, surplusSide: 'sell' });
  expect(auctionOf(standing, 99, 3)).toMatchObject({ priceTicks: 99, surplus: 0, surplusSide: null });
});

test('where only market orders meet, the price is the reference from version 4 on', () => {
  const standing = [
    { side: 'buy' as const, ticks: 1_100, shares: 10, unpriced: true },
    { side: 'sell' as const, ticks: 900, shares: 5, unpriced: true },
  ];
  expect(auctionOf(standing, 1_000)).toMatchObject({ priceTicks: 1_000, surplus: 5, surplusSide: 'buy' });
  expect(auctionOf(standing, 1_000, 3)).toMatchObject({ priceTicks: 1_100 });
  const limited = [...standing, { side: 'sell' as const, ticks: 1_050, shares: 3 }];
  expect(auctionOf(limited, 1_000)).toMatchObject({ priceTicks: 1_100, quantity: 8 });
});

test.for([
  [3, []],
  [4, [expect.stringMatching(/is in the uncross, and over by/)]],
] as const)('what is over is in an uncross by version %i alone', ([version, expected]) => {
  const over = placed(11, { timeInForce: 'gtd', expiresAt: '2026-01-05T14:30:00.000Z' });
  const result = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const inputs: BookFact[][] = [
    [becomes('opening_auction')],
    [accepted(over)],
    [{ type: 'AuctionUncrossed.v1', data: { auction: 'opening_auction', ...result } }, becomes('continuous')],
  ];
  const ends = { type: 'AuctionCallEnded.v1', data: { symbol: 'ACME', at: '2026-01-05T14:30:00.000Z' } };
  expect(audited(version, [orderFrom(over)], inputs, { before: 2, event: ends })).toEqual(expected);
});

test('a stop that no trade since reached is triggered by nobody, whatever arms', () => {
  const stop = placed(11, { type: 'stop', stopTicks: 995, limitTicks: 900 });
  const triggered: BookFact = {
    type: 'OrderTriggered.v1',
    data: {
      order: ref(11),
      side: 'sell',
      stopTicks: 995,
      lastTicks: 998,
      limitTicks: 900,
      quantity: 5,
      restingQuantity: 0,
      entersAfter: 0,
    },
  };
  const expired: BookFact = {
    type: 'OrderExpired.v1',
    data: {
      order: ref(11),
      side: 'sell',
      priceTicks: 900,
      quantity: 5,
      resting: false,
      reason: 'INSUFFICIENT_LIQUIDITY',
    },
  };
  const held = [accepted(stop, { restingQuantity: 0, held: true })];
  const nobody = expect.stringMatching(/which no trade has reached/);
  expect(audited(4, [orderFrom(stop)], [held, [triggered, expired]])).toEqual([nobody]);
  expect(audited(3, [orderFrom(stop)], [held, [triggered, expired]])).toEqual([nobody]);
  // By version 3 a bracket that armed triggered it.
  const [arms, orders] = bracket();
  const inputs = [held, ...arms.slice(0, -1), [...(arms.at(-1) ?? []), triggered, expired]];
  expect(audited(3, [orderFrom(stop), ...orders], inputs)).toEqual([]);
  expect(audited(4, [orderFrom(stop), ...orders], inputs)).toEqual([nobody]);
});

/** A bracket whose entry is filled at 1,000, so that it arms in the last of its inputs. */
function bracket(): [inputs: BookFact[][], orders: AuditedOrder[]] {
  const list = listFrom({ listId: id(30), kind: 'bracket', holdCents: 0, holdShares: 0 } as never);
  const entry = placed(21, { side: 'buy' });
  const profit = placed(22, { limitTicks: 1_020 });
  const loss = placed(23, { type: 'stop', stopTicks: 980, limitTicks: 800 });
  const seller = placed(24);
  const roles = { [id(21)]: 'entry', [id(22)]: 'take_profit', [id(23)]: 'stop_loss' } as const;
  const listed = [entry, profit, loss].map((one) => {
    const order = orderFrom(one, list);
    order.role = roles[one.orderId] ?? null;
    list.orders.push(order);
    return order;
  });
  list.entry = listed[0] ?? null;
  const asleep = { restingQuantity: 0, held: true, dormant: true };
  const active = (one: Placed, more: object) =>
    ({ ...accepted(one, more), type: 'OrderActivated.v1' }) as BookFact;
  const trade = { trade: 1, priceTicks: 1_000, tickCents: 1, quantity: 5, takerSide: 'sell' } as const;
  const parties = { maker: { ...ref(21), leaves: 0 }, taker: { ...ref(24), leaves: 0 } };
  return [
    [
      [accepted(profit, asleep), accepted(loss, asleep), accepted(entry)],
      [
        accepted(seller, { restingQuantity: 0 }),
        { type: 'TradeExecuted.v1', data: { ...trade, ...parties } },
        active(loss, { restingQuantity: 0, held: true }),
        active(profit, {}),
      ],
    ],
    [...listed, orderFrom(seller)],
  ];
}

test.for([
  [3, []],
  [4, [expect.stringMatching(/arms while the market is in/), expect.stringMatching(/arms while/)]],
] as const)('a bracket arms in a call by version %i alone', ([version, expected]) => {
  const [inputs, orders] = bracket();
  const [placing = [], [taken, traded, ...arming] = []] = inputs;
  const outputs = [placing, [taken, traded, becomes('volatility_auction'), ...arming]] as BookFact[][];
  expect(audited(version, orders, outputs)).toEqual(expected);
});

test('an iceberg of more peaks than there may be is a finding from version 4 on', () => {
  const iceberg = placed(11, { quantity: 201, displayQuantity: 2 });
  const inputs = [[accepted(iceberg, { shownQuantity: 2 })]];
  expect(audited(3, [orderFrom(iceberg)], inputs)).toEqual([]);
  expect(audited(4, [orderFrom(iceberg)], inputs)).toEqual([
    expect.stringMatching(/has more peaks than 100/),
  ]);
});
