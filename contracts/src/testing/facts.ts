import type { AccountFact, BookFact, ClientFact, MarketFact, OrderRef, SymbolRules } from '../index.ts';

/**
 * Facts for tests, one vocabulary for all rooms. Each is a plain example that holds by itself; a test names only what it is
 * about: `orderPlaced({ side: 'sell', holdCents: 0, holdShares: 10 })`. The example is a buy of 10 ACME at 10.00, ticks of a
 * cent, fee 0.1 %, by account 1.
 */
const SYMBOL = 'ACME';

/** A UUID for each small number: accounts, orders and commits are told apart at a glance. */
export const uuidOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** What the envelope of an event needs besides its fact. */
export const CAUSE = {
  time: '2026-03-02T14:30:00.000Z',
  actor: 'client:test',
  correlationId: uuidOf(0),
  causationId: uuidOf(0),
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
} as const;

export const symbolRules = (change: Partial<SymbolRules> = {}): SymbolRules => ({
  tickCents: 1,
  listingTicks: 1_000,
  collarPpm: 100_000,
  feePpm: 1_000,
  orderSharesMax: 5_000,
  dailyClose: '21:00',
  ...change,
});

type Listed = Extract<MarketFact, { type: 'SymbolListed.v1' }>;
export const symbolListed = (change: Partial<Listed['data']> = {}): Listed => ({
  type: 'SymbolListed.v1',
  data: { symbol: SYMBOL, name: 'Acme Inc.', rules: symbolRules(), matchingRules: 2, ...change },
});

type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>;
export const orderPlaced = (change: Partial<Placed['data']> = {}): Placed => ({
  type: 'OrderPlaced.v1',
  data: {
    orderId: uuidOf(5),
    accountId: uuidOf(1),
    clientOrderId: null,
    symbol: SYMBOL,
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity: 10,
    limitTicks: 1_000,
    tickCents: 1,
    referenceTicks: 1_000,
    bandExempt: false,
    feePpm: 1_000,
    holdCents: 10_010,
    holdShares: 0,
    ...change,
  },
});

/** The order as the book names it. */
export const orderRef = (change: Partial<OrderRef> = {}): OrderRef => ({
  orderId: uuidOf(5),
  accountId: uuidOf(1),
  revision: 1,
  ...change,
});

type Accepted = Extract<BookFact, { type: 'OrderAccepted.v1' }>;
/** It rests in full unless `restingQuantity` says less. */
export function orderAccepted(change: Partial<Accepted['data']> = {}): Accepted {
  const { quantity = 10 } = change;
  const terms = { side: 'buy', type: 'limit', timeInForce: 'day', limitTicks: 1_000 } as const;
  return {
    type: 'OrderAccepted.v1',
    data: { order: orderRef(), ...terms, quantity, restingQuantity: quantity, ...change },
  };
}

type Traded = Extract<BookFact, { type: 'TradeExecuted.v1' }>;
/** Both orders are filled by it. */
export const tradeExecuted = (change: Partial<Traded['data']> = {}): Traded => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 1,
    priceTicks: 1_000,
    tickCents: 1,
    quantity: 10,
    takerSide: 'sell',
    maker: { ...orderRef(), leaves: 0 },
    taker: { ...orderRef({ orderId: uuidOf(6), accountId: uuidOf(2) }), leaves: 0 },
    ...change,
  },
});

type Registered = Extract<ClientFact, { type: 'ClientRegistered.v1' }>;
/** Its personal fields only look sealed: for decisions, which never open them. */
export const clientRegistered = (change: Partial<Registered['data']> = {}): Registered => ({
  type: 'ClientRegistered.v1',
  data: {
    clientId: '0198c0de-0000-7000-8000-00000000000a',
    accountId: '0198c0de-0000-5000-8000-00000000000b',
    roles: ['trader'],
    name: 'sealed name',
    address: 'sealed address',
    birthDate: 'sealed date',
    email: 'sealed e-mail',
    phone: 'sealed phone',
    passwordHash: 'sealed hash',
    emailHmac: 'e',
    phoneHmac: 'p',
    ...change,
  },
});
