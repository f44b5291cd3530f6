import { accountStream, bookStream, type Event, type Fact, seal } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { orderEventView } from './orderEvent.ts';

const id = (digit: number) => `${String(digit).repeat(8)}-1111-4111-8111-111111111111`;
const [ORDER, OTHER, ANN, BOB] = [id(1), id(2), id(3), id(4)];
const TIME = '2026-01-05T14:30:00.000Z';
const cause = {
  time: TIME,
  actor: 'system:test',
  correlationId: id(5),
  causationId: id(6),
  traceparent: '00',
};

const recorded = (stream: string, fact: Fact): Recorded<Event> => {
  const [event] = seal(id(7), cause, [fact]) as Event[];
  if (!event) throw new Error('a fact becomes an event');
  return { event, stream, revision: 3, position: 17, commitId: id(7), symbol: null };
};
const ofAccount = (fact: Fact) => orderEventView(recorded(accountStream(ANN), fact), ORDER);
const ofBook = (fact: Fact) => orderEventView(recorded(bookStream('XEQT'), fact), ORDER);

const told = (event: string, source: 'account' | 'book') => ({
  event,
  source,
  position: 17,
  revision: 3,
  time: TIME,
  order_id: ORDER,
  symbol: 'XEQT',
});
const ref = { orderId: ORDER, accountId: ANN, revision: 2 };
const settled = {
  orderId: ORDER,
  symbol: 'XEQT',
  side: 'buy',
  sequence: 8,
  releasedCents: 1,
  releasedShares: 0,
} as const;

test('a fill tells what it was and what the order is after it', () => {
  const fill: Fact = {
    type: 'OrderFilled.v1',
    data: {
      ...settled,
      tradeId: 'XEQT-4',
      liquidity: 'maker',
      priceTicks: 305,
      tickCents: 10,
      quantity: 2,
      valueCents: 6_100,
      feeCents: 4,
      filledQuantity: 3,
      filledValueCents: 9_151,
      feesCents: 5,
      leavesQuantity: 7,
      closes: false,
      tradedAt: TIME,
    },
  };
  expect(ofAccount(fill)).toEqual({
    ...told('order_filled', 'account'),
    side: 'buy',
    status: 'partially_filled',
    last_qty: '2',
    last_price: '30.50',
    last_fee: '0.04',
    liquidity: 'maker',
    trade_id: 'XEQT-4',
    filled_qty: '3',
    filled_avg_price: '30.5033',
    leaves_qty: '7',
    fees: '0.05',
    sequence: 8,
  });
});

test('a trade is told from one’s own side, and nothing of who stood on the other', () => {
  const trade = (mine: 'maker' | 'taker'): Fact => {
    const [own, others] = [
      { ...ref, leaves: 0 },
      { orderId: OTHER, accountId: BOB, revision: 5, leaves: 9 },
    ];
    const sides = mine === 'maker' ? { maker: own, taker: others } : { maker: others, taker: own };
    return {
      type: 'TradeExecuted.v1',
      data: { trade: 4, priceTicks: 305, tickCents: 10, quantity: 2, takerSide: 'sell', ...sides },
    };
  };
  for (const liquidity of ['maker', 'taker'] as const) {
    expect(ofBook(trade(liquidity))).toEqual({
      ...told('trade_executed', 'book'),
      status: 'filled',
      last_qty: '2',
      last_price: '30.50',
      liquidity,
      trade_id: 'XEQT-4',
      leaves_qty: '0',
    });
  }
});

const accepted = {
  order: ref,
  side: 'buy',
  type: 'limit',
  timeInForce: 'day',
  quantity: 10,
  limitTicks: 1,
} as const;
const own = { orderId: ORDER, accountId: ANN, symbol: 'XEQT' };
test.for<[string, Fact, 'account' | 'book', Record<string, unknown>]>([
  ['cancel_requested', { type: 'OrderCancelRequested.v1', data: own }, 'account', {}],
  [
    'amend_requested',
    { type: 'OrderAmendRequested.v1', data: { ...own, amendment: 1, quantity: 6 } },
    'account',
    { amendment: 1, qty: '6' },
  ],
  [
    'order_amended',
    {
      type: 'OrderAmended.v1',
      data: { ...settled, amendment: 1, quantity: 6, leavesQuantity: 6, closes: false },
    },
    'account',
    { side: 'buy', status: 'new', qty: '6', filled_qty: '0', leaves_qty: '6', amendment: 1, sequence: 8 },
  ],
  [
    'order_amended',
    {
      type: 'OrderAmended.v1',
      data: { ...settled, amendment: 2, quantity: 4, leavesQuantity: 0, closes: true },
    },
    'account',
    { side: 'buy', status: 'filled', qty: '4', filled_qty: '4', leaves_qty: '0', amendment: 2, sequence: 8 },
  ],
  [
    'order_amended',
    {
      type: 'OrderAmended.v1',
      data: { ...settled, amendment: 2, quantity: 4, leavesQuantity: 0, preventedQuantity: 4, closes: true },
    },
    'account',
    {
      side: 'buy',
      status: 'canceled',
      qty: '4',
      filled_qty: '0',
      leaves_qty: '0',
      amendment: 2,
      sequence: 8,
    },
  ],
  [
    'amend_rejected',
    {
      type: 'OrderAmendRejected.v1',
      data: { orderId: ORDER, symbol: 'XEQT', sequence: 8, amendment: 1, code: 'SYMBOL_HALTED' },
    },
    'account',
    { amendment: 1, reason: 'SYMBOL_HALTED', sequence: 8 },
  ],
  [
    'order_closed',
    {
      type: 'OrderClosed.v1',
      data: { ...settled, status: 'expired', reason: 'DAY_ENDED', unfilledQuantity: 7 },
    },
    'account',
    { side: 'buy', status: 'expired', leaves_qty: '0', reason: 'DAY_ENDED', sequence: 8 },
  ],
  [
    'order_accepted',
    { type: 'OrderAccepted.v1', data: { ...accepted, restingQuantity: 10 } },
    'book',
    { status: 'new', side: 'buy', type: 'limit', time_in_force: 'day', qty: '10' },
  ],
  [
    'order_rejected',
    { type: 'OrderRejected.v1', data: { order: ref, code: 'PRICE_BAND' } },
    'book',
    { status: 'rejected', reason: 'PRICE_BAND' },
  ],
  [
    'order_replaced',
    {
      type: 'OrderReplaced.v1',
      data: {
        order: ref,
        amendment: 1,
        side: 'buy',
        priceTicks: 1,
        quantity: 6,
        leavesBefore: 10,
        leaves: 6,
      },
    },
    'book',
    { side: 'buy', amendment: 1, qty: '6', leaves_qty: '6' },
  ],
  [
    'order_canceled',
    { type: 'OrderCanceled.v1', data: { order: ref, side: 'buy', priceTicks: 1, quantity: 6 } },
    'book',
    { side: 'buy', status: 'canceled' },
  ],
  [
    'order_expired',
    {
      type: 'OrderExpired.v1',
      data: { order: ref, side: 'buy', priceTicks: 1, quantity: 6, resting: true, reason: 'DAY_ENDED' },
    },
    'book',
    { side: 'buy', status: 'expired', reason: 'DAY_ENDED' },
  ],
  [
    'cancel_rejected',
    { type: 'OrderCancelRejected.v1', data: { order: ref, code: 'ORDER_NOT_OPEN' } },
    'book',
    { reason: 'ORDER_NOT_OPEN' },
  ],
  [
    'replace_rejected',
    { type: 'OrderReplaceRejected.v1', data: { order: ref, amendment: 1, code: 'ORDER_NOT_OPEN' } },
    'book',
    { amendment: 1, reason: 'ORDER_NOT_OPEN' },
  ],
])('%s', ([event, fact, source, rest]) => {
  expect((source === 'account' ? ofAccount : ofBook)(fact)).toEqual({ ...told(event, source), ...rest });
});

test.for<[string, Fact]>([
  ['another order', { type: 'OrderCancelRequested.v1', data: { ...own, orderId: OTHER } }],
  ['money alone', { type: 'DepositSettled.v1', data: { depositId: OTHER, amountCents: 1 } }],
])('an event about %s is not told', ([, fact]) => {
  expect(ofAccount(fact)).toBeUndefined();
});

test('an order for an amount of money says how much, and a completed one that it is filled', () => {
  const order = { orderId: ORDER, accountId: ANN, clientOrderId: null, symbol: 'XEQT', side: 'buy' } as const;
  const placed: Fact = {
    type: 'OrderPlaced.v1',
    data: {
      ...order,
      type: 'market',
      timeInForce: 'ioc',
      quantity: 0,
      notionalCents: 10_000,
      limitTicks: 330,
      tickCents: 10,
      referenceTicks: 300,
      bandExempt: false,
      feePpm: 0,
      holdCents: 10_000,
      holdShares: 0,
    },
  };
  expect(ofAccount(placed)).toMatchObject({ notional: '100.00', protection_price: '33.00' });
  expect(ofAccount(placed)).not.toHaveProperty('qty');
  const completed: Fact = { type: 'OrderCompleted.v1', data: { order: ref, side: 'buy', leftCents: 5 } };
  expect(ofBook(completed)).toEqual({
    ...told('order_completed', 'book'),
    side: 'buy',
    status: 'filled',
  });
});

test('a list is told as its first order with the others, or as the order that is asked for', () => {
  const order = (orderId: string, role: 'take_profit' | 'stop_loss') => ({
    orderId,
    clientOrderId: null,
    role,
    side: 'sell' as const,
    type: role === 'take_profit' ? ('limit' as const) : ('stop' as const),
    timeInForce: 'gtc' as const,
    limitTicks: 330,
    ...(role === 'take_profit' ? {} : { stopTicks: 290 }),
  });
  const list: Fact = {
    type: 'OrderListPlaced.v1',
    data: {
      listId: id(8),
      accountId: ANN,
      kind: 'oco',
      symbol: 'XEQT',
      quantity: 5,
      tickCents: 10,
      referenceTicks: 300,
      bandExempt: false,
      feePpm: 0,
      holdCents: 0,
      holdShares: 5,
      orders: [order(OTHER, 'take_profit'), order(ORDER, 'stop_loss')],
    },
  };
  expect(ofAccount(list)).toMatchObject({
    event: 'order_placed',
    order_id: ORDER,
    list_id: id(8),
    list_role: 'stop_loss',
    stop_price: '29.00',
  });
  expect(orderEventView(recorded(accountStream(ANN), list))).toMatchObject({
    order_id: OTHER,
    legs: [{ order_id: ORDER, list_role: 'stop_loss' }],
  });
  const reduced: Fact = {
    type: 'OrderReduced.v1',
    data: { order: ref, side: 'sell', priceTicks: 290, quantity: 2, leaves: 3, held: true },
  };
  expect(ofBook(reduced)).toEqual({
    ...told('order_reduced', 'book'),
    side: 'sell',
    last_qty: '2',
    leaves_qty: '3',
  });
});
