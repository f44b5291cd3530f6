import type { AccountFact, BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { auctionOf } from '../src/audit/book/auction.ts';
import { auditedBook } from '../src/audit/book/book.ts';
import { newFindings } from '../src/audit/findings.ts';
import { type AuditedOrder, orderFrom } from '../src/audit/order.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';

/** A written auction that the audit must accept, and changes of it that it must find. */
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];
const placed = (n: number, terms: Partial<Placed>): AuditedOrder =>
  orderFrom({
    orderId: id(n),
    accountId: id(1),
    clientOrderId: null,
    symbol: 'ACME',
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
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
const orderRef = (n: number) => ({ orderId: id(n), accountId: id(1), revision: 1 });

const RULES = { tickCents: 1, listingTicks: 1_000, bandPpm: 20_000 };
const BUY = placed(11, { limitTicks: 1_002 });
const FOR_CLOSING = placed(12, { timeInForce: 'cls', limitTicks: 1_001 });
const SELL = placed(13, { side: 'sell', limitTicks: 998, quantity: 8 });

const accepted = (
  { id: orderId, side, type, timeInForce, quantity, limitTicks }: AuditedOrder,
  more: object,
) => {
  const order = { orderId, accountId: id(1), revision: 1 };
  const data = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: quantity, ...more };
  return { type: 'OrderAccepted.v1', data } satisfies BookFact;
};
const trade = (
  n: number,
  buyer: number,
  more: Partial<Extract<BookFact, { type: 'TradeExecuted.v1' }>['data']>,
) =>
  ({
    type: 'TradeExecuted.v1',
    data: {
      trade: n,
      priceTicks: 1_000,
      tickCents: 1,
      quantity: 5,
      takerSide: 'sell',
      maker: { ...orderRef(buyer), leaves: 0 },
      taker: { ...orderRef(13), leaves: 3 },
      auction: { buyTicks: 1_002, sellTicks: 998 },
      ...more,
    },
  }) satisfies BookFact;

/** A bid and an offer gather, and a bid for the closing auction enters. 8 are executed at the lower limit of the bids. */
const auctionFacts: BookFact[] = [
  accepted(FOR_CLOSING, { restingQuantity: 0, held: true }),
  { type: 'MarketStateChanged.v1', data: { state: 'closing_auction' } },
  { type: 'OrderEntered.v1', data: { order: orderRef(12), side: 'buy', limitTicks: 1_001, quantity: 5 } },
  accepted(BUY, {}),
  accepted(SELL, {}),
  {
    type: 'AuctionUncrossed.v1',
    data: { auction: 'closing_auction', priceTicks: 1_001, quantity: 8, surplus: 2, surplusSide: 'buy' },
  },
  trade(1, 11, { priceTicks: 1_001 }),
  trade(2, 12, {
    priceTicks: 1_001,
    quantity: 3,
    maker: { ...orderRef(12), leaves: 2 },
    taker: { ...orderRef(13), leaves: 0 },
    auction: { buyTicks: 1_001, sellTicks: 998 },
  }),
  {
    type: 'OrderExpired.v1',
    data: {
      order: orderRef(12),
      side: 'buy',
      priceTicks: 1_001,
      quantity: 2,
      resting: true,
      reason: 'AUCTION_ENDED',
    },
  },
  { type: 'MarketStateChanged.v1', data: { state: 'closed' } },
];

function audited(facts: readonly BookFact[]): string[] {
  const findings = newFindings();
  const orders = new Map([BUY, FOR_CLOSING, SELL].map((order) => [order.id, { ...order }]));
  const book = auditedBook('ACME', orders, findings);
  book.market({ type: 'SymbolListed.v1', data: { rules: RULES, matchingRules: 3 } } as unknown as RawEvent);
  facts.forEach((fact, revision) => {
    book.apply({ ...fact, revision } as unknown as RawEvent);
    const next = facts[revision + 1]?.type;
    if (fact.type === 'OrderAccepted.v1' || next === 'AuctionUncrossed.v1') book.inputDone();
  });
  book.inputDone();
  return findings.list.map(({ what }) => what);
}

test('an auction that goes by the rules passes', () => {
  expect(audited(auctionFacts)).toEqual([]);
});

const changed = (index: number, data: object) =>
  auctionFacts.map((fact, n) =>
    n === index ? ({ ...fact, data: { ...fact.data, ...data } } as BookFact) : fact,
  );
test.for<[what: string, facts: BookFact[], finding: RegExp]>([
  ['another price', changed(5, { priceTicks: 1_000 }), /priceTicks is 1000, should be 1001/],
  ['less than could be executed', changed(5, { quantity: 5 }), /quantity is 5, should be 8/],
  ['a trade that is missing', auctionFacts.toSpliced(7, 2), /3 shares of the auction were not traded/],
  ['a trade at its own price', changed(6, { priceTicks: 1_002 }), /is not of the auction/],
  [
    'the later bid before the better one',
    changed(6, { maker: { ...orderRef(12), leaves: 0 }, auction: { buyTicks: 1_001, sellTicks: 998 } }),
    /had priority/,
  ],
  [
    'a hidden order that enters before its call',
    auctionFacts.toSpliced(1, 1),
    /enters while the market is in continuous/,
  ],
  ['a trade while orders gather', auctionFacts.toSpliced(5, 1), /is not of the auction/],
])('the audit finds %s', ([, facts, finding]) => {
  expect(audited(facts)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
});

test.for([
  ['the reference between two prices', [1_010, 990], 1_000, 1_000],
  ['a reference above both', [1_010, 990], 1_100, 1_010],
  ['a reference below both', [1_010, 990], 900, 990],
] as const)(
  'of equally good prices, the one nearest the reference: %s',
  ([, [bid, ask], reference, price]) => {
    const standing = [
      { side: 'buy' as const, ticks: bid, shares: 5 },
      { side: 'sell' as const, ticks: ask, shares: 5 },
    ];
    expect(auctionOf(standing, reference)).toEqual({
      priceTicks: price,
      quantity: 5,
      surplus: 0,
      surplusSide: null,
    });
  },
);

const findingsOfTrade = (priceTicks: number, bandExempt: boolean): string[] => {
  const findings = newFindings();
  const buy = placed(21, { limitTicks: 1_100, quantity: 1, bandExempt });
  const sell = placed(22, { side: 'sell', limitTicks: priceTicks, quantity: 1 });
  const book = auditedBook('ACME', new Map([buy, sell].map((order) => [order.id, order])), findings);
  book.market({ type: 'SymbolListed.v1', data: { rules: RULES, matchingRules: 3 } } as unknown as RawEvent);
  const met = { trade: 1, priceTicks, tickCents: 1, quantity: 1, takerSide: 'buy' };
  const legs = { maker: { ...orderRef(22), leaves: 0 }, taker: { ...orderRef(21), leaves: 0 } };
  for (const fact of [accepted(sell, {}), accepted(buy, { restingQuantity: 0 })]) {
    book.inputDone();
    book.apply({ ...fact, revision: 1 } as unknown as RawEvent);
  }
  book.apply({ type: 'TradeExecuted.v1', revision: 2, data: { ...met, ...legs } } as unknown as RawEvent);
  book.inputDone();
  return findings.list.map(({ what }) => what);
};

test('the audit finds a trade outside the band, but for who is exempt', () => {
  expect(findingsOfTrade(1_020, false)).toEqual([]);
  expect(findingsOfTrade(1_021, false)).toEqual([expect.stringMatching(/at 1021 is outside 980 to 1020/)]);
  expect(findingsOfTrade(1_021, true)).toEqual([]);
});
