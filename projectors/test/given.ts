import {
  type AccountFact,
  accountStream,
  type BookFact,
  bookStream,
  deriveId,
  type Event,
  type Fact,
  type MarketFact,
  marketStream,
  seal,
} from '@brokerx/contracts';
import { orderPlaced } from '@brokerx/contracts/testing/facts.ts';
import type { Recorded } from '@brokerx/infra';

/** Facts as they are read from the store: each at the next position, a second after the one before it. */
export function story() {
  let position = 0;
  const revisions = new Map<string, number>();
  const at = (stream: string, fact: Fact, time?: string): Recorded<Event> => {
    position += 1;
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const commitId = deriveId(NAMESPACE, `commit ${position}`);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const cause = {
      time: time ?? second(position),
      actor: 'system:test',
      correlationId: commitId,
      causationId: commitId,
      traceparent,
    };
    const [event] = seal(commitId, cause, [fact]) as Event[];
    return { event: event as Event, stream, revision, position, commitId, symbol: null };
  };
  return {
    account: (accountId: string, fact: AccountFact, time?: string) =>
      at(accountStream(accountId), fact, time),
    book: (symbol: string, fact: BookFact, time?: string) => at(bookStream(symbol), fact, time),
    market: (fact: MarketFact, time?: string) => at(marketStream(fact.data.symbol), fact, time),
  };
}

/** The time of the event at a position. */
export const second = (position: number): string =>
  new Date(Date.UTC(2026, 0, 5, 14, 30, position)).toISOString();

const NAMESPACE = '0b3c2f4e-8a51-4c0e-8f4b-1d2a6f0e7c11';
export const id = (name: string): string => deriveId(NAMESPACE, name);
export const ALICE = id('Alice');
export const BOB = id('Bob');
export const ORDER = id('an order');
export const OTHER = id('another order');

/** 100 shares of AAPL at $150.00 or better, ticks of a cent, 0.05 % fees: $15,007.50 are held. */
export const aliceBuys = (change: Parameters<typeof orderPlaced>[0] = {}): AccountFact =>
  orderPlaced({
    orderId: ORDER,
    accountId: ALICE,
    clientOrderId: 'mine-1',
    symbol: 'AAPL',
    quantity: 100,
    limitTicks: 15_000,
    referenceTicks: 15_000,
    feePpm: 500,
    holdCents: 1_500_750,
    ...change,
  });
export const aliceIsRefused = (change: object = {}): AccountFact => ({
  type: 'OrderRefused.v1',
  data: {
    orderId: ORDER,
    accountId: ALICE,
    clientOrderId: null,
    symbol: 'AAPL',
    side: 'buy',
    type: 'limit',
    timeInForce: 'gtd',
    quantity: 100,
    limitCents: 15_000,
    code: 'EXPIRES_AT',
    detail: 'the time is over',
    ...change,
  },
});
export const bobSells = (): AccountFact =>
  aliceBuys({
    orderId: OTHER,
    accountId: BOB,
    clientOrderId: null,
    side: 'sell',
    limitTicks: 14_990,
    holdCents: 0,
    holdShares: 100,
  });

/** 40 shares at $149.90: $5,996.00 and $3.00 of fees, of $6,003.00 that were held for them. */
export const aliceGets40 = (change: object = {}): AccountFact => ({
  type: 'OrderFilled.v1',
  data: {
    orderId: ORDER,
    symbol: 'AAPL',
    side: 'buy',
    sequence: 3,
    releasedCents: 400,
    releasedShares: 0,
    tradeId: 'AAPL-1',
    liquidity: 'taker',
    priceTicks: 14_990,
    tickCents: 1,
    quantity: 40,
    valueCents: 599_600,
    feeCents: 300,
    filledQuantity: 40,
    filledValueCents: 599_600,
    feesCents: 300,
    leavesQuantity: 60,
    closes: false,
    tradedAt: second(9),
    ...change,
  },
});
export const bobGives40 = (): AccountFact =>
  aliceGets40({ orderId: OTHER, side: 'sell', liquidity: 'maker', releasedCents: 0 });

export const settled = {
  orderId: ORDER,
  symbol: 'AAPL',
  side: 'buy',
  sequence: 9,
  releasedCents: 0,
  releasedShares: 0,
} as const;
export const ref = (orderId: string = ORDER) => ({
  orderId,
  accountId: orderId === ORDER ? ALICE : BOB,
  revision: 1,
});

export const RULES = {
  tickCents: 1,
  listingTicks: 15_000,
  collarPpm: 100_000,
  feePpm: 500,
  orderSharesMax: 10_000,
  dailyClose: '21:00',
};
export const listed = (symbol = 'AAPL'): MarketFact => ({
  type: 'SymbolListed.v1',
  data: {
    symbol,
    name: 'Apple',
    rules: RULES,
    matchingRules: 1,
  },
});
export const accepted = (change: object = {}): BookFact => ({
  type: 'OrderAccepted.v1',
  data: {
    order: ref(),
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity: 100,
    limitTicks: 15_000,
    restingQuantity: 100,
    ...change,
  },
});
export const traded = (change: object = {}): BookFact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 1,
    priceTicks: 14_990,
    tickCents: 1,
    quantity: 40,
    takerSide: 'buy',
    maker: { ...ref(OTHER), leaves: 60 },
    taker: { ...ref(), leaves: 60 },
    ...change,
  },
});
