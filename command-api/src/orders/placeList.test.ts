import type { AccountFact, PlaceOrder } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, market, placed, T0 } from '../../test/facts.ts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import { OPEN_ORDERS_MAX, UNFILLED_ORDERS_MAX } from './accountRefusals.ts';
import { amendOrder } from './amend.ts';
import { placeOrderList } from './placeList.ts';

const sells: PlaceOrder = {
  symbol: 'ACME',
  side: 'sell',
  type: 'limit',
  order_class: 'oco',
  qty: '10',
  time_in_force: 'gtc',
  take_profit: { limit_price: '10.50', client_order_id: 'up' },
  stop_loss: { stop_price: '9.50' },
};
const buys: PlaceOrder = {
  ...sells,
  side: 'buy',
  take_profit: { limit_price: '9.50' },
  stop_loss: { stop_price: '10.50', limit_price: '10.60' },
};
const cash: AccountFact = { type: 'CashTransferredIn.v1', data: { transferId: at(2), amountCents: 100_000 } };
const shares: AccountFact = {
  type: 'SharesTransferredIn.v1',
  data: { transferId: at(3), symbol: 'ACME', quantity: 10 },
};
const newest = (rules = {}) => market({ matchingRules: 3, rules });
const place = (account: Account, order: PlaceOrder, where: Market | undefined = newest()) =>
  placeOrderList(account, {
    orderId: at(900),
    orderIds: [at(900), at(901)],
    listId: at(950),
    accountId: at(1),
    nowMs: Date.parse(T0),
    order,
    market: where,
  });

test('a list to sell holds its shares once', () => {
  const common = { side: 'sell', timeInForce: 'gtc' };
  expect(place(accountWith(shares), sells)).toEqual({
    type: 'OrderListPlaced.v1',
    data: {
      listId: at(950),
      accountId: at(1),
      kind: 'oco',
      symbol: 'ACME',
      quantity: 10,
      tickCents: 1,
      referenceTicks: 1_000,
      bandExempt: false,
      feePpm: 1_000,
      holdCents: 0,
      holdShares: 10,
      orders: [
        {
          ...common,
          orderId: at(900),
          clientOrderId: 'up',
          role: 'take_profit',
          type: 'limit',
          limitTicks: 1_050,
        },
        {
          ...common,
          orderId: at(901),
          clientOrderId: null,
          role: 'stop_loss',
          type: 'stop',
          limitTicks: 855,
          stopTicks: 950,
        },
      ],
    },
  });
});

test('a list to buy holds the dearer one, and a cent for the second rounding of fees', () => {
  expect(place(accountWith(cash), buys).data).toMatchObject({ holdCents: 10_600 + 11 + 1, holdShares: 0 });
});

const shareless = accountWith(cash);
const crowded = (orders: number) =>
  accountWith(
    { ...cash, data: { ...cash.data, amountCents: 100_000_000 } } as AccountFact,
    ...Array.from({ length: orders }, (_, n) => placed({ orderId: at(10 + n) })),
  );
const fast = accountWith(cash);
Object.assign(fast.rates, { windowMs: Date.parse(T0), unfilled: UNFILLED_ORDERS_MAX - 1 });

test.for<[code: string, order: PlaceOrder, account: Account, where: Market | undefined]>([
  ['SYMBOL_HALTED', sells, shareless, market({ state: 'halt' })],
  ['DUPLICATE_CLIENT_ORDER_ID', sells, accountWith(cash, placed({ clientOrderId: 'up' })), newest()],
  [
    'DUPLICATE_CLIENT_ORDER_ID',
    { ...sells, stop_loss: { stop_price: '9.50', client_order_id: 'up' } },
    shareless,
    newest(),
  ],
  ['LOT_STEP', sells, shareless, newest({ lotShares: 3 })],
  ['PRICE_BAND', { ...sells, take_profit: { limit_price: '11.01' } }, shareless, newest()],
  ['WOULD_TRIGGER_IMMEDIATELY', { ...sells, stop_loss: { stop_price: '10.00' } }, shareless, newest()],
  ['MATCHING_RULES', sells, shareless, market({ matchingRules: 2 })],
  ['MAX_OPEN_ORDERS', buys, crowded(OPEN_ORDERS_MAX - 1), newest()],
  ['ORDER_RATE', buys, fast, newest()],
  ['INSUFFICIENT_FUNDS', { ...buys, qty: '100' }, shareless, newest()],
  ['INSUFFICIENT_SHARES', sells, shareless, newest()],
])('all are refused where one is: %s', ([code, order, account, where]) => {
  expect(place(account, order, where)).toMatchObject({
    type: 'OrderRefused.v1',
    data: { code, orderId: at(900), listKind: 'oco' },
  });
});

test('two orders count against the order rate, and both names are taken', () => {
  const named = { ...sells, stop_loss: { stop_price: '9.50', client_order_id: 'down' } };
  const account = accountWith(shares, place(accountWith(shares), named));
  expect(account.rates.unfilled).toBe(2);
  expect([...account.names.keys()]).toEqual(['up', 'down']);
});

test('of an order of a list the limit can be changed, and the hold covers both versions', () => {
  const account = accountWith(cash, place(accountWith(cash), buys));
  const change = (orderId: string, changes: object) =>
    amendOrder(account, { orderId, accountId: at(1), change: changes, marketOf: () => newest() });
  expect(change(at(900), { qty: '5' }).data).toMatchObject({ code: 'ORDER_LIST' });
  expect(change(at(901), { limit_price: '10.90' }).data).toMatchObject({ quantity: 10, holdCents: 300 });
  expect(change(at(900), { limit_price: '10.00' }).data).not.toHaveProperty('holdCents');
});

const bracket: PlaceOrder = {
  ...sells,
  side: 'buy',
  order_class: 'bracket',
  client_order_id: 'entry',
  limit_price: '10.00',
  take_profit: { limit_price: '10.50' },
  stop_loss: { stop_price: '10.00', client_order_id: 'down' },
};

test('a bracket holds what its entry may cost; its stop has nothing to wait for yet', () => {
  const account = accountWith(cash);
  const fact = placeOrderList(account, {
    orderId: at(900),
    orderIds: [at(900), at(901), at(902)],
    listId: at(950),
    accountId: at(1),
    nowMs: Date.parse(T0),
    order: bracket,
    market: newest(),
  });
  expect(fact.data).toMatchObject({
    kind: 'bracket',
    holdCents: 10_010,
    holdShares: 0,
    orders: [
      {
        orderId: at(900),
        role: 'entry',
        side: 'buy',
        type: 'limit',
        limitTicks: 1_000,
        clientOrderId: 'entry',
      },
      { orderId: at(901), role: 'take_profit', side: 'sell', type: 'limit', limitTicks: 1_050 },
      {
        orderId: at(902),
        role: 'stop_loss',
        side: 'sell',
        type: 'stop',
        stopTicks: 1_000,
        clientOrderId: 'down',
      },
    ],
  });
  const placedIt = accountWith(cash, fact);
  expect([placedIt.rates.unfilled, placedIt.heldCents]).toEqual([3, 10_010]);
  const change = { orderId: at(901), accountId: at(1), change: { limit_price: '10.60' } };
  expect(amendOrder(placedIt, { ...change, marketOf: () => newest() }).data).toMatchObject({
    code: 'ORDER_LIST',
  });
});
