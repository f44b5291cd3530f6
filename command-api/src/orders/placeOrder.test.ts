import type { AccountEvent, AccountFact, AmendOrder, CancelOrders, PlaceOrder } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, market, placed, T0 } from '../../test/facts.ts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import { OPEN_ORDERS_MAX, UNFILLED_ORDERS_MAX } from './accountRefusals.ts';
import { amendOrder } from './amend.ts';
import {
  CANCELS_PER_COMMIT_MAX,
  cancelByName,
  cancelListed,
  cancelOrder,
  cancelOrders,
  ordersMet,
} from './cancel.ts';
import { placeOrder } from './placeOrder.ts';

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

// The collar is 10 % around 10.00: a market order is protected there.
test.for([
  ['a limit sell', sell, { limitTicks: 1_000, timeInForce: 'day', holdCents: 0, holdShares: 10 }],
  ['a market buy', marketBuy, { limitTicks: 1_100, timeInForce: 'day', holdCents: 11_011, holdShares: 0 }],
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
  account.rates.windowMs = ids.nowMs;
  account.rates.unfilled = UNFILLED_ORDERS_MAX;
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

const open = placed({ orderId: at(5) });
const LOTS = { lotShares: 5, notionalMinCents: 4_000, notionalMaxCents: 20_000 };

// Rows are in order of precedence.
test.for<[code: string, change: AmendOrder, where: Market, facts: AccountFact[]]>([
  ['ORDER_NOT_FOUND', { qty: '10' }, market({ state: 'halt' }), []],
  ['SYMBOL_HALTED', { qty: '10' }, market({ state: 'halt' }), [open, amendment]],
  ['AMEND_PENDING', { qty: '10' }, market(), [open, amendment]],
  ['ORDER_TYPE', { limit_price: '9.00' }, market(), [placed({ orderId: at(5), type: 'market' })]],
  ['ORDER_TYPE', { limit_price: '10.00' }, market(), [placed({ orderId: at(5), type: 'market' })]],
  ['ORDER_TYPE', { limit_price: '10.00' }, market(), [placed({ orderId: at(5), type: 'stop' })]],
  ['AMEND_NO_CHANGE', { qty: '10' }, market(), [open]],
  ['AMEND_NO_CHANGE', { limit_price: '10.00' }, market(), [open]],
  ['AMEND_NOT_A_REDUCTION', { qty: '11' }, market({ matchingRules: 1 }), [open]],
  ['AMEND_NOT_A_REDUCTION', { qty: '4', limit_price: '9.00' }, market({ matchingRules: 1 }), [open]],
  ['ORDER_SIZE', { qty: '5001' }, market(), [open]],
  ['LOT_STEP', { qty: '11' }, market({ rules: LOTS }), [open]],
  [
    'PRICE_TICK',
    { limit_price: '10.01' },
    market({ tickCents: 5 }),
    [placed({ orderId: at(5), tickCents: 5, limitTicks: 200 })],
  ],
  ['PRICE_BAND', { limit_price: '11.01' }, market(), [open]],
  [
    'MIN_NOTIONAL',
    { qty: '5', limit_price: '9.00' },
    market({ rules: { ...LOTS, notionalMinCents: 5_000 } }),
    [open],
  ],
  ['MAX_NOTIONAL', { qty: '25' }, market({ rules: LOTS }), [open]],
  ['ICEBERG_PEAKS', { qty: '401' }, market(), [placed({ orderId: at(5), displayQuantity: 4 })]],
  [
    'ICEBERG_PEAKS',
    { qty: '401' },
    market({ matchingRules: 3 }),
    [placed({ orderId: at(5), displayQuantity: 4 })],
  ],
  ['INSUFFICIENT_FUNDS', { qty: '2000' }, market(), [open]],
])('a change is refused: %s', ([code, change, where, facts]) => {
  const account = accountWith(cash(1_000_000), ...facts);
  const command = { orderId: at(5), accountId: at(1), change, marketOf: () => where };
  expect(amendOrder(account, command)).toMatchObject({ type: 'CommandRefused.v1', data: { code } });
});

const amend = (account: Account, change: AmendOrder) =>
  amendOrder(account, { orderId: at(5), accountId: at(1), change, marketOf: () => market() });

test('an iceberg may have a hundred peaks', () => {
  const most = placeOrder(accountWith(cash(1_000_000)), {
    ...ids,
    order: { ...buy, qty: '400', display_qty: '4' },
    market: market(),
  });
  expect(most.type).toBe('OrderPlaced.v1');
  const iceberg = accountWith(cash(1_000_000), placed({ orderId: at(5), displayQuantity: 4 }));
  expect(amend(iceberg, { qty: '400' }).type).toBe('OrderAmendRequested.v1');
});

test('the collar reaches a tick to each side, under newer rules, for limits and for protection alike', () => {
  const cheap = (matchingRules: number, rules = {}) => ({
    ...market({ matchingRules, rules }),
    referenceTicks: 9,
  });
  const place = (order: PlaceOrder, where: Market) =>
    placeOrder(accountWith(cash(1_000_000), shares(100)), { ...ids, order, market: where });
  const taken = (where: Market) =>
    ['0.06', '0.07', '0.08', '0.09', '0.10', '0.11'].filter(
      (limit_price) => place({ ...buy, limit_price }, where).type === 'OrderPlaced.v1',
    );
  expect(taken(cheap(3))).toEqual(['0.09']);
  expect(taken(cheap(4))).toEqual(['0.08', '0.09', '0.10']);
  expect(taken(cheap(4, { collarTicksMin: 2 }))).toEqual(['0.07', '0.08', '0.09', '0.10', '0.11']);
  expect(place(marketBuy, cheap(4)).data).toMatchObject({ limitTicks: 10 });
  expect(place({ ...marketBuy, side: 'sell' }, cheap(4)).data).toMatchObject({ limitTicks: 8 });
  const stop: PlaceOrder = { ...marketBuy, type: 'stop', stop_price: '0.10' };
  expect(place(stop, cheap(4, { collarPpm: 50_000 })).data).toMatchObject({ stopTicks: 10, limitTicks: 11 });
});

test('a change says that bands do not count for the account, whatever it changes', () => {
  const exempt: AccountFact = {
    type: 'AccountExemptionsChanged.v1',
    data: { bandsOff: true, quotasOff: false },
  };
  const account = accountWith(cash(1_000_000), exempt, open);
  expect(amend(account, { qty: '4' }).data).toMatchObject({ bandExempt: true });
  expect(amend(account, { limit_price: '9.00' }).data).toMatchObject({ bandExempt: true });
});

test('an amendment is numbered and names the new total', () => {
  const account = accountWith(cash(1_000_000), open);
  expect(amend(account, { qty: '4' })).toEqual(amendment satisfies { type: AccountEvent['type'] });
});

test('a change holds what both versions together could cost: fills before it, the rest after it', () => {
  const held = (change: AmendOrder) => {
    const fact = amend(accountWith(cash(1_000_000), open), change);
    return fact.type === 'OrderAmendRequested.v1' ? (fact.data.holdCents ?? 0) : fact;
  };
  // Now 10 at 10.00 with 0.1 % of fees: 100.10.
  expect(held({ qty: '20' })).toBe(20_020 - 10_010);
  expect(held({ limit_price: '11.00' })).toBe(11_011 - 10_010);
  expect(held({ limit_price: '9.00' })).toBe(0);
  // Ten may still be bought at 10.00, and ten more at 9.00 afterwards: 190.00.
  expect(held({ qty: '20', limit_price: '9.00' })).toBe(19_019 - 10_010);
});

test('a sell that is raised holds the shares of the larger version', () => {
  const sold = placed({ orderId: at(5), side: 'sell', holdCents: 0, holdShares: 10 });
  const account = accountWith(shares(15), sold);
  expect(amend(account, { qty: '15' })).toMatchObject({ data: { quantity: 15, holdShares: 5 } });
  expect(amend(account, { qty: '16' })).toMatchObject({ data: { code: 'INSUFFICIENT_SHARES' } });
});

test('flags ride on the order; what is not asked for is not there', () => {
  const asked: PlaceOrder = { ...buy, post_only: true, stp_mode: 'decrement' };
  const place = (order: PlaceOrder, where = market()) =>
    placeOrder(accountWith(cash(1_000_000)), { ...ids, order, market: where });
  expect(place(asked).data).toMatchObject({ postOnly: true, selfTrade: 'decrement' });
  expect(place({ ...buy, min_qty: '3' }).data).toMatchObject({ minQuantity: 3 });
  const plain = place({ ...buy, post_only: false, stp_mode: 'none' }).data;
  expect(Object.keys(plain)).toEqual(Object.keys(place(buy).data));
  expect(place(asked, market({ matchingRules: 1 })).data).toMatchObject({
    code: 'MATCHING_RULES',
    postOnly: true,
  });
});

test.for<[code: string, order: PlaceOrder]>([
  ['LOT_STEP', { ...buy, qty: '12' }],
  ['LOT_STEP', { ...sell, qty: '12' }],
  ['MIN_NOTIONAL', { ...buy, qty: '5', limit_price: '9.00' }],
  ['MAX_NOTIONAL', { ...buy, qty: '25', limit_price: '10.00' }],
])('lots and notional: %s', ([code, order]) => {
  const where = market({ rules: { ...LOTS, notionalMinCents: 4_501 } });
  const account = accountWith(cash(1_000_000), shares(100));
  expect(placeOrder(account, { ...ids, order, market: where }).data).toMatchObject({ code });
});

test('an entire odd rest may be sold, whatever it is worth', () => {
  const where = market({ rules: { ...LOTS, notionalMinCents: 10_000 } });
  const place = (qty: string) =>
    placeOrder(accountWith(shares(8)), { ...ids, order: { ...sell, qty }, market: where }).type;
  expect([place('3'), place('8'), place('4')]).toEqual([
    'OrderPlaced.v1',
    'OrderPlaced.v1',
    'OrderRefused.v1',
  ]);
});

test('an order is canceled by the name that its client gave it', () => {
  const account = accountWith(cash(1_000_000), placed({ orderId: at(5), clientOrderId: 'mine' }));
  expect(cancelByName(account, { name: 'mine', accountId: at(1) })).toMatchObject({
    type: 'OrderCancelRequested.v1',
    data: { orderId: at(5) },
  });
  expect(cancelByName(account, { name: 'yours', accountId: at(1) })).toMatchObject({
    data: { code: 'ORDER_NOT_FOUND' },
  });
});

test('a cancel of many meets what the filters say, by symbol, and cancels the first batch with it', () => {
  const account = accountWith(
    cash(100_000_000),
    placed({ orderId: at(5), symbol: 'ZZZ' }),
    placed({ orderId: at(6), limitTicks: 900 }),
    placed({ orderId: at(7), limitTicks: 950 }),
  );
  const cancel = (filter: CancelOrders) => cancelOrders(account, { accountId: at(1), filter }).facts;
  const [asked, ...cancels] = cancel({ all: true });
  expect(asked.data).toMatchObject({
    orders: [
      { symbol: 'ACME', orderIds: [at(6), at(7)] },
      { symbol: 'ZZZ', orderIds: [at(5)] },
    ],
  });
  expect(cancels).toMatchObject([{ data: { orderId: at(6) } }, { data: { orderId: at(7) } }]);
  expect(cancelListed(account, { accountId: at(1), orderIds: [at(5), at(99)] })).toMatchObject([
    { data: { orderId: at(5), symbol: 'ZZZ' } },
  ]);
  const narrowed = cancel({ symbol: 'ACME', side: 'buy', price_from: '9.50', price_to: '9.50' });
  expect(narrowed[0].data).toMatchObject({
    lowCents: 950,
    highCents: 950,
    orders: [{ orderIds: [at(7)] }],
  });
  expect(cancel({ side: 'sell' })).toHaveLength(1);
});

test('a range takes orders by the prices that were asked for, and stops by their stop alone', () => {
  const stop = (n: number, more: object) =>
    placed({ orderId: at(n), holdCents: 0, stopTicks: 980, limitTicks: 882, ...more });
  const account = accountWith(
    cash(100_000_000),
    placed({ orderId: at(5), limitTicks: 985 }),
    placed({ orderId: at(6), type: 'market', timeInForce: 'cls', limitTicks: 985 }),
    stop(7, { type: 'stop' }),
    stop(8, { type: 'stop_limit', limitTicks: 985 }),
    stop(9, { type: 'trailing_stop', trailTicks: 20 }),
  );
  const met = (filter: CancelOrders) =>
    ordersMet(account, { symbol: 'ACME', ...filter }).map(({ orderId }) => Number(orderId.slice(-2)));
  expect(met({})).toEqual([5, 6, 7, 8, 9]);
  // The protection prices of 6, 7 and 9 lie in it.
  expect(met({ price_from: '8.00', price_to: '10.00' })).toEqual([5]);
  expect(met({ price_to: '9.84' })).toEqual([]);
  expect(met({ stop_from: '9.80', stop_to: '9.80' })).toEqual([7, 8, 9]);
  expect(met({ stop_from: '9.81' })).toEqual([]);
  expect(met({ stop_from: '9.00', price_from: '9.00' })).toEqual([8]);
  expect(
    cancelOrders(account, { accountId: at(1), filter: { symbol: 'ACME', stop_to: '9.80' } }).facts[0].data,
  ).toEqual(expect.objectContaining({ lowCents: null, highCents: null, highStopCents: 980 }));
});

test('a cancel of very many is cut into batches that a commit can hold', () => {
  const account = accountWith(cash(100_000_000), ...manyOrders(CANCELS_PER_COMMIT_MAX + 1));
  const { facts } = cancelOrders(account, { accountId: at(1), filter: { all: true } });
  expect(facts).toHaveLength(1 + CANCELS_PER_COMMIT_MAX);
  expect(facts[0].data.orders.map(({ orderIds }) => orderIds.length)).toEqual([CANCELS_PER_COMMIT_MAX, 1]);
});

const at1 = (price: string, more: Partial<PlaceOrder>): PlaceOrder => ({
  ...buy,
  limit_price: undefined,
  stop_price: price,
  ...more,
});

test('a stop holds up to the collar around its stop price; a trailing one around its first', () => {
  const place = (order: PlaceOrder, where = market()) =>
    placeOrder(accountWith(cash(1_000_000), shares(100)), { ...ids, order, market: where });
  expect(place(at1('10.50', { type: 'stop' })).data).toMatchObject({
    stopTicks: 1_050,
    limitTicks: 1_155,
    holdCents: 11_562,
  });
  expect(place(at1('10.50', { type: 'stop_limit', limit_price: '10.60' })).data).toMatchObject({
    stopTicks: 1_050,
    limitTicks: 1_060,
    holdCents: 10_611,
  });
  const trailing = { type: 'trailing_stop', stop_price: undefined } as const;
  expect(place({ ...at1('', trailing), trail_price: '0.40' }).data).toMatchObject({
    stopTicks: 1_040,
    trailTicks: 40,
    limitTicks: 1_144,
  });
  const sells = place(
    { ...at1('', trailing), side: 'sell', trail_percent: '1.25' },
    { ...market(), lastTradeTicks: 1_001 },
  );
  expect(sells.data).toMatchObject({ stopTicks: 988, trailPpm: 12_500, limitTicks: 890, holdShares: 10 });
});

test.for<[code: string, order: PlaceOrder, given: Parameters<typeof market>[0]]>([
  ['MARKET_CLOSED', buy, { state: 'closed' }],
  ['MATCHING_RULES', { ...buy, time_in_force: 'opg' }, { matchingRules: 2 }],
  ['TIME_IN_FORCE', at1('10.50', { type: 'stop', time_in_force: 'cls' }), { state: 'pre_open' }],
  ['OPENING_OVER', { ...buy, time_in_force: 'opg' }, {}],
  ['NOT_IN_AUCTION', { ...buy, time_in_force: 'ioc' }, { state: 'opening_auction' }],
  ['NOT_IN_AUCTION', { ...buy, min_qty: '5' }, { state: 'pre_open' }],
])('the trading day refuses: %s', ([code, order, given]) => {
  const account = accountWith(cash(10_000_000));
  const fact = placeOrder(account, { ...ids, order, market: market(given) });
  expect(fact).toMatchObject({ type: 'OrderRefused.v1', data: { code } });
});

test.for<[order: PlaceOrder, given: Parameters<typeof market>[0]]>([
  [{ ...buy, time_in_force: 'opg' }, { state: 'pre_open' }],
  [{ ...buy, time_in_force: 'cls' }, {}],
  // Nothing triggers while nothing is traded, so nothing would at once.
  [at1('10.00', { type: 'stop' }), { state: 'volatility_auction' }],
])('the trading day takes it, as it was asked for', ([order, given]) => {
  const account = accountWith(cash(10_000_000));
  const fact = placeOrder(account, { ...ids, order, market: market(given) });
  expect(fact).toMatchObject({ type: 'OrderPlaced.v1', data: { timeInForce: order.time_in_force } });
});

test('between the end of a halt and the engine’s answer nobody knows what the market does: the engine decides', () => {
  const account = accountWith(cash(10_000_000));
  const resumed = { ...market({ state: 'halt' }), halted: false };
  const order: PlaceOrder = { ...buy, time_in_force: 'ioc' };
  expect(placeOrder(account, { ...ids, order, market: resumed }).type).toBe('OrderPlaced.v1');
});

test('for a market order `day` means `ioc` until there are auctions that it could join', () => {
  const account = accountWith(cash(10_000_000));
  const placed = (matchingRules: number) =>
    placeOrder(account, { ...ids, order: marketBuy, market: market({ matchingRules }) }).data;
  expect(placed(2)).toMatchObject({ timeInForce: 'ioc' });
  expect(placed(3)).toMatchObject({ timeInForce: 'day' });
});

test.for<[code: string, order: PlaceOrder]>([
  ['WOULD_TRIGGER_IMMEDIATELY', at1('10.00', { type: 'stop' })],
  ['WOULD_TRIGGER_IMMEDIATELY', at1('10.00', { type: 'stop', side: 'sell' })],
  ['TIME_IN_FORCE', at1('10.50', { type: 'stop', time_in_force: 'ioc' })],
  ['TIME_IN_FORCE', { ...buy, type: 'market', limit_price: undefined, time_in_force: 'gtd', expires_at: T0 }],
  ['EXPIRES_AT', { ...buy, time_in_force: 'gtd', expires_at: T0 }],
  ['EXPIRES_AT', { ...buy, time_in_force: 'gtd', expires_at: '2028-01-01T00:00:00Z' }],
  ['PRICE_BAND', at1('10.50', { type: 'stop_limit', limit_price: '11.50' })],
])('stops and times: %s', ([code, order]) => {
  const account = accountWith(cash(1_000_000), shares(100));
  const fact = placeOrder(account, { ...ids, order, market: market() });
  expect(fact).toMatchObject({ type: 'OrderRefused.v1', data: { code } });
});

const newest = (rules = {}) => market({ matchingRules: 3, rules });
const forMoney: PlaceOrder = { ...marketBuy, qty: undefined, notional: '100.00', time_in_force: 'ioc' };

test('an order for an amount of money holds it with its fees; an iceberg holds all of its quantity', () => {
  const place = (order: PlaceOrder) =>
    placeOrder(accountWith(cash(1_000_000)), { ...ids, order, market: newest() }).data;
  expect(place(forMoney)).toMatchObject({
    type: 'market',
    quantity: 0,
    notionalCents: 10_000,
    limitTicks: 1_100,
    holdCents: 10_010,
    holdShares: 0,
  });
  expect(place({ ...buy, display_qty: '4' })).toMatchObject({
    quantity: 10,
    displayQuantity: 4,
    holdCents: 10_010,
  });
});

// Rows are in order of precedence.
test.for<[code: string, order: PlaceOrder, where: Market]>([
  ['MATCHING_RULES', forMoney, market({ matchingRules: 2 })],
  ['MATCHING_RULES', { ...buy, display_qty: '4' }, market({ matchingRules: 2 })],
  ['MIN_NOTIONAL', { ...forMoney, notional: '10.99' }, newest()],
  ['MIN_NOTIONAL', { ...forMoney, notional: '109.99' }, newest({ lotShares: 10 })],
  ['MIN_NOTIONAL', forMoney, newest({ notionalMinCents: 10_001 })],
  ['MAX_NOTIONAL', forMoney, newest({ notionalMaxCents: 9_999 })],
  ['LOT_STEP', { ...buy, display_qty: '4' }, newest({ lotShares: 5 })],
  ['ICEBERG_PEAKS', { ...buy, qty: '401', display_qty: '4' }, newest()],
  ['ICEBERG_PEAKS', { ...buy, qty: '401', display_qty: '4' }, market()],
  ['INSUFFICIENT_FUNDS', { ...forMoney, notional: '10000.00' }, newest()],
])('icebergs and orders for money are refused: %s', ([code, order, where]) => {
  const fact = placeOrder(accountWith(cash(1_000_000)), { ...ids, order, market: where });
  expect(fact).toMatchObject({ type: 'OrderRefused.v1', data: { code } });
});

test('an order for an amount of money cannot be changed', () => {
  const fact = placeOrder(accountWith(cash(1_000_000)), { ...ids, order: forMoney, market: newest() });
  const change = { orderId: at(900), accountId: at(1), change: { qty: '5' }, marketOf: () => newest() };
  expect(amendOrder(accountWith(cash(1_000_000), fact), change)).toMatchObject({
    type: 'CommandRefused.v1',
    data: { code: 'ORDER_TYPE' },
  });
});
