import type { AccountEvent, AccountFact, PlaceOrder } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, market, placed, T0 } from '../../test/facts.ts';
import type { Account } from './account.ts';
import { amendOrder, cancelOrder, OPEN_ORDERS_MAX, placeOrder, UNFILLED_ORDERS_MAX } from './orderDecider.ts';

const buy: PlaceOrder = {
  symbol: 'ACME',
  side: 'buy',
  type: 'limit',
  qty: '10',
  limit_price: '10.00',
  time_in_force: 'day',
};
const sell: PlaceOrder = { ...buy, side: 'sell' };
const marketBuy: PlaceOrder = { ...buy, type: 'market', limit_price: undefined };
const ids = { orderId: at(900), accountId: at(1), nowMs: Date.parse(T0) };
const cash = (amountCents: number): AccountFact => ({
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents },
});
const shares = (quantity: number): AccountFact => ({
  type: 'SharesTransferredIn.v1',
  data: { transferId: at(3), symbol: 'ACME', quantity },
});

test('a limit buy holds its worst case: price and fees of every share', () => {
  const account = accountWith(cash(1_000_000));
  expect(
    placeOrder(account, { ...ids, order: { ...buy, client_order_id: 'mine' }, market: market() }),
  ).toEqual({
    type: 'OrderPlaced.v1',
    data: {
      orderId: at(900),
      accountId: at(1),
      clientOrderId: 'mine',
      symbol: 'ACME',
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
    },
  });
});

// The collar is 10 % around 10.00: a market order is protected there, and `day` means `ioc` for it.
test.for([
  ['a limit sell', sell, { limitTicks: 1_000, timeInForce: 'day', holdCents: 0, holdShares: 10 }],
  ['a market buy', marketBuy, { limitTicks: 1_100, timeInForce: 'ioc', holdCents: 11_011, holdShares: 0 }],
  [
    'a market sell',
    { ...marketBuy, side: 'sell', time_in_force: 'fok' },
    { limitTicks: 900, timeInForce: 'fok', holdCents: 0, holdShares: 10 },
  ],
] as const)('%s holds and is priced so', ([, order, expected]) => {
  const account = accountWith(cash(1_000_000), shares(100));
  const fact = placeOrder(account, { ...ids, order, market: market() });
  expect(fact.type === 'OrderPlaced.v1' && fact.data).toMatchObject(expected);
});

const manyOrders = (count: number) =>
  Array.from({ length: count }, (_, i) => placed({ orderId: at(10 + i) }));
const filledUp = (count: number): Account => accountWith(cash(100_000_000), ...manyOrders(count));

// Rows are in order of precedence: each breaks its own rule and every rule below it.
test.for<[string, PlaceOrder, Account, ReturnType<typeof market> | undefined, string]>([
  ['UNKNOWN_SYMBOL', { ...buy, qty: '99999' }, accountWith(), undefined, 'symbol ACME'],
  ['SYMBOL_HALTED', { ...buy, qty: '99999' }, accountWith(), market({ state: 'halt' }), 'symbol ACME'],
  [
    'DUPLICATE_CLIENT_ORDER_ID',
    { ...buy, qty: '99999', client_order_id: 'mine' },
    accountWith(cash(1_000_000), placed({ clientOrderId: 'mine' })),
    market(),
    'client_order_id mine',
  ],
  [
    'ORDER_SIZE',
    { ...buy, qty: '5001', limit_price: '99.99' },
    accountWith(),
    market({ tickCents: 5 }),
    'qty 5001; ACME allows 5000 an order',
  ],
  [
    'PRICE_TICK',
    { ...buy, limit_price: '99.99' },
    accountWith(),
    market({ tickCents: 5 }),
    'limit_price 99.99; the tick size of ACME is 0.05',
  ],
  [
    'PRICE_BAND',
    { ...buy, limit_price: '11.01' },
    accountWith(),
    market(),
    'limit_price 11.01; ACME takes 9.00 to 11.00 (reference 10.00)',
  ],
  ['PRICE_BAND', { ...sell, limit_price: '8.99' }, accountWith(), market(), ''],
  [
    'TIME_IN_FORCE',
    { ...marketBuy, time_in_force: 'gtc' },
    filledUp(OPEN_ORDERS_MAX),
    market(),
    'a market order takes ioc or fok (day means ioc), not gtc',
  ],
  ['MAX_OPEN_ORDERS', buy, filledUp(OPEN_ORDERS_MAX), market(), '200 open; the most is 200'],
  [
    'INSUFFICIENT_FUNDS',
    buy,
    accountWith(cash(10_009)),
    market(),
    'needs 100.10 with fees; available 100.09',
  ],
  ['INSUFFICIENT_SHARES', sell, accountWith(shares(9)), market(), 'needs 10 ACME; available 9'],
])('an order is refused: %s', ([code, order, account, where, detail]) => {
  const fact = placeOrder(account, { ...ids, order, market: where });
  expect(fact.type === 'OrderRefused.v1' && fact.data).toMatchObject({ code, orderId: at(900) });
  if (detail !== '') expect(fact.data).toMatchObject({ detail });
});

test('orders that were canceled still count against the order rate, filled ones do not; a new minute begins anew', () => {
  const account = accountWith(cash(100_000_000));
  account.orderRate.windowMs = ids.nowMs;
  account.orderRate.unfilled = UNFILLED_ORDERS_MAX;
  const decide = (nowMs: number) => placeOrder(account, { ...ids, nowMs, order: buy, market: market() });
  expect(decide(ids.nowMs + 59_999).data).toMatchObject({ code: 'ORDER_RATE' });
  expect(decide(ids.nowMs + 60_000).type).toBe('OrderPlaced.v1');
});

test('exemptions of the account or of the symbol switch bands and quotas off', () => {
  const exempt: AccountFact = {
    type: 'AccountExemptionsChanged.v1',
    data: { bandsOff: true, quotasOff: true },
  };
  const far = { ...buy, limit_price: '90.00' };
  const crowded = [cash(100_000_000), ...manyOrders(OPEN_ORDERS_MAX)];
  const byAccount = placeOrder(accountWith(...crowded, exempt), { ...ids, order: far, market: market() });
  const bySymbol = placeOrder(accountWith(...crowded), {
    ...ids,
    order: far,
    market: market({ bandsOff: true, quotasOff: true }),
  });
  for (const fact of [byAccount, bySymbol]) {
    expect(fact.type === 'OrderPlaced.v1' && fact.data).toMatchObject({
      bandExempt: true,
      limitTicks: 9_000,
    });
  }
});

test('a cancel is asked once; an order that ended or never was is refused', () => {
  const account = accountWith(cash(1_000_000), placed({ orderId: at(5) }));
  const cancel = (orderId: string) => cancelOrder(account, { orderId, accountId: at(1) });
  const request: AccountFact = {
    type: 'OrderCancelRequested.v1',
    data: { orderId: at(5), accountId: at(1), symbol: 'ACME' },
  };
  expect(cancel(at(5))).toEqual(request);
  expect(
    cancelOrder(accountWith(cash(1_000_000), placed({ orderId: at(5) }), request), request.data),
  ).toEqual({
    unchanged: request,
  });
  expect(cancel(at(6))).toMatchObject({ type: 'CommandRefused.v1', data: { code: 'ORDER_NOT_FOUND' } });
  account.closed.add(at(6));
  expect(cancel(at(6))).toMatchObject({ type: 'CommandRefused.v1', data: { code: 'ORDER_NOT_OPEN' } });
});

const amendment: AccountFact = {
  type: 'OrderAmendRequested.v1',
  data: { orderId: at(5), accountId: at(1), symbol: 'ACME', amendment: 1, quantity: 4 },
};

// Rows are in order of precedence.
test.for<[string, string, boolean, AccountFact[]]>([
  ['ORDER_NOT_FOUND', '10', true, []],
  ['SYMBOL_HALTED', '10', true, [placed({ orderId: at(5) }), amendment]],
  ['AMEND_PENDING', '10', false, [placed({ orderId: at(5) }), amendment]],
  ['AMEND_NO_CHANGE', '10', false, [placed({ orderId: at(5) })]],
  ['AMEND_NOT_A_REDUCTION', '11', false, [placed({ orderId: at(5) })]],
])('an amendment is refused: %s', ([code, qty, isHalted, facts]) => {
  const account = accountWith(cash(1_000_000), ...facts);
  const command = { orderId: at(5), accountId: at(1), change: { qty }, halted: () => isHalted };
  expect(amendOrder(account, command)).toMatchObject({ type: 'CommandRefused.v1', data: { code } });
});

test('an amendment is numbered and names the new total', () => {
  const account = accountWith(cash(1_000_000), placed({ orderId: at(5) }));
  const command = { orderId: at(5), accountId: at(1), change: { qty: '4' }, halted: () => false };
  expect(amendOrder(account, command)).toEqual(amendment satisfies { type: AccountEvent['type'] });
});
