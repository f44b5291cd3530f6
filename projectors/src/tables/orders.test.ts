import type { AccountFact, BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import {
  ALICE,
  accepted,
  aliceBuys,
  aliceGets40,
  BOB,
  bobSells,
  id,
  ORDER,
  OTHER,
  ref,
  second,
  settled,
  story,
  traded,
} from '../../test/given.ts';
import { EVENT_POSITIONS_MAX, type OrderRow } from './orderRow.ts';
import { foldOrders } from './orders.ts';

const cancelRequested: AccountFact = {
  type: 'OrderCancelRequested.v1',
  data: { orderId: ORDER, accountId: ALICE, symbol: 'AAPL' },
};
const amendRequested: AccountFact = {
  type: 'OrderAmendRequested.v1',
  data: { orderId: ORDER, accountId: ALICE, symbol: 'AAPL', amendment: 1, quantity: 50 },
};
const cancelRejected: BookFact = {
  type: 'OrderCancelRejected.v1',
  data: { order: ref(), code: 'ORDER_NOT_OPEN' },
};
const amendRejected: AccountFact = {
  type: 'OrderAmendRejected.v1',
  data: { orderId: ORDER, symbol: 'AAPL', sequence: 4, amendment: 1, code: 'AMEND_NO_CHANGE' },
};
const amended = (leavesQuantity: number): AccountFact => ({
  type: 'OrderAmended.v1',
  data: { ...settled, amendment: 1, quantity: 50, leavesQuantity, closes: leavesQuantity === 0 },
});
const filledWhole = aliceGets40({ filledQuantity: 100, leavesQuantity: 0, closes: true });
const closed = (status: 'canceled' | 'expired' | 'rejected'): AccountFact => ({
  type: 'OrderClosed.v1',
  data: { ...settled, status, reason: status === 'expired' ? 'DAY_ENDED' : null, unfilledQuantity: 100 },
});

/** Folds an order's life; book events are told by the shape of their data. */
function life(...facts: (AccountFact | BookFact)[]): OrderRow {
  const { account, book } = story();
  const isOfBook = (fact: AccountFact | BookFact): fact is BookFact =>
    'order' in fact.data || 'maker' in fact.data;
  const events = facts.map((fact) => (isOfBook(fact) ? book('AAPL', fact) : account(ALICE, fact)));
  const [row] = foldOrders(new Map(), events).added;
  if (!row) throw new Error('no order began');
  return row;
}

test('a limit order is shown as it was placed', () => {
  expect(life(aliceBuys())).toEqual({
    orderId: ORDER,
    clientOrderId: 'mine-1',
    accountId: ALICE,
    symbol: 'AAPL',
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity: 100,
    limitCents: 15_000,
    protectionCents: null,
    status: 'pending_new',
    filledQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    leavesQuantity: 100,
    preventedQuantity: 0,
    postOnly: false,
    minQuantity: null,
    selfTrade: 'none',
    stopCents: null,
    trailCents: null,
    trailPpm: null,
    expiresAt: null,
    displayQuantity: null,
    notionalCents: null,
    listId: null,
    listRole: null,
    held: false,
    reason: null,
    createdAt: second(1),
    updatedAt: second(1),
    position: 1,
    eventPositions: [1],
    accepted: false,
    cancelsUnanswered: 0,
    amendsUnanswered: 0,
  });
});

test('what an order asks for besides is shown, and what prevention takes off', () => {
  const decremented: AccountFact = {
    type: 'OrderDecremented.v1',
    data: { ...settled, quantity: 30, preventedQuantity: 30, leavesQuantity: 70 },
  };
  const asked = aliceBuys({ postOnly: true, minQuantity: 5, selfTrade: 'decrement' });
  expect(life(asked, accepted(), decremented)).toMatchObject({
    postOnly: true,
    minQuantity: 5,
    selfTrade: 'decrement',
    preventedQuantity: 30,
    leavesQuantity: 70,
    status: 'new',
  });
});

test('a stop is held until it is triggered', () => {
  const stop = aliceBuys({ type: 'stop', limitTicks: 16_500, stopTicks: 15_000, timeInForce: 'gtc' });
  const held = accepted({ type: 'stop', restingQuantity: 0, held: true });
  const triggered: BookFact = {
    type: 'OrderTriggered.v1',
    data: {
      order: ref(),
      side: 'buy',
      stopTicks: 15_000,
      lastTicks: 15_010,
      limitTicks: 16_500,
      quantity: 100,
      restingQuantity: 0,
      entersAfter: 0,
    },
  };
  expect(life(stop, held)).toMatchObject({
    status: 'held',
    limitCents: null,
    protectionCents: 16_500,
    stopCents: 15_000,
  });
  expect(life(stop, held, triggered).status).toBe('new');
  expect(life(stop, held, cancelRequested).status).toBe('pending_cancel');
  expect(life(stop, held, closed('expired')).status).toBe('expired');
});

test('a change may move the limit', () => {
  const data = { ...settled, amendment: 1, quantity: 120, leavesQuantity: 120, closes: false };
  const moved: AccountFact = { type: 'OrderAmended.v1', data: { ...data, limitTicks: 15_100, tickCents: 1 } };
  expect(life(aliceBuys(), accepted(), amendRequested, moved)).toMatchObject({
    limitCents: 15_100,
    quantity: 120,
    leavesQuantity: 120,
    status: 'new',
  });
});

test("a market order's limit is its protection price", () => {
  const { limitCents, protectionCents } = life(
    aliceBuys({ type: 'market', timeInForce: 'ioc', limitTicks: 16_500 }),
  );
  expect({ limitCents, protectionCents }).toEqual({ limitCents: null, protectionCents: 16_500 });
});

test('a refused order is there, with its reason', () => {
  const { orderId, side, type, timeInForce, quantity } = life(aliceBuys());
  const refused = {
    orderId,
    accountId: ALICE,
    clientOrderId: null,
    symbol: 'NOPE',
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity,
    limitCents: 15_000,
    code: 'UNKNOWN_SYMBOL',
    detail: 'NOPE',
  } as const;
  const row = life({ type: 'OrderRefused.v1', data: refused });
  expect({ side, type, timeInForce }).toEqual({
    side: row.side,
    type: row.type,
    timeInForce: row.timeInForce,
  });
  expect([row.status, row.reason, row.leavesQuantity, row.limitCents]).toEqual([
    'rejected',
    'UNKNOWN_SYMBOL',
    0,
    15_000,
  ]);
});

test.for<[status: string, leaves: number, ...facts: (AccountFact | BookFact)[]]>([
  ['new', 100, accepted()],
  ['partially_filled', 60, accepted(), aliceGets40()],
  ['filled', 0, accepted(), filledWhole],
  ['pending_cancel', 100, cancelRequested],
  ['pending_cancel', 100, accepted(), cancelRequested],
  ['pending_replace', 100, accepted(), amendRequested],
  ['pending_cancel', 100, accepted(), amendRequested, cancelRequested],
  ['pending_cancel', 60, accepted(), cancelRequested, aliceGets40()],
  ['pending_cancel', 100, accepted(), amendRequested, cancelRequested, cancelRejected],
  ['pending_cancel', 100, accepted(), cancelRequested, cancelRejected],
  ['filled', 0, accepted(), cancelRequested, cancelRejected, filledWhole],
  ['new', 100, accepted(), amendRequested, amendRejected],
  ['new', 50, accepted(), amendRequested, amended(50)],
  ['partially_filled', 10, accepted(), amendRequested, aliceGets40(), amended(10)],
  ['filled', 0, accepted(), amendRequested, aliceGets40(), amended(0)],
  // All that it has lost was prevented.
  ['canceled', 0, accepted(), amendRequested, amended(0)],
  ['canceled', 0, accepted(), cancelRequested, closed('canceled')],
  ['canceled', 0, accepted(), aliceGets40(), cancelRequested, closed('canceled')],
  ['expired', 0, accepted(), amendRequested, closed('expired')],
  ['rejected', 0, closed('rejected')],
  ['filled', 0, accepted(), cancelRequested, filledWhole, cancelRejected],
  ['canceled', 0, accepted(), closed('canceled'), amendRejected],
])('%s with %i left', ([status, leaves, ...facts]) => {
  const row = life(aliceBuys(), ...facts);
  expect({ status: row.status, leaves: row.leavesQuantity }).toEqual({ status, leaves });
  expect(row.eventPositions).toEqual([1, ...facts.map((_, n) => n + 2)]);
});

test('an expiry says why', () => {
  expect(life(aliceBuys(), closed('expired')).reason).toBe('DAY_ENDED');
});

test('a trade is an event of both its orders', () => {
  const { account, book } = story();
  const { added } = foldOrders(new Map(), [
    account(ALICE, aliceBuys()),
    account(BOB, bobSells()),
    book('AAPL', traded()),
  ]);
  expect(added.map(({ orderId, eventPositions }) => [orderId, eventPositions])).toEqual([
    [ORDER, [1, 3]],
    [OTHER, [2, 3]],
  ]);
});

test('of very many events the oldest and the last are kept', () => {
  const requests = Array.from({ length: 300 }, () => cancelRequested);
  const { eventPositions } = life(aliceBuys(), ...requests);
  expect(eventPositions).toEqual([...Array.from({ length: EVENT_POSITIONS_MAX }, (_, n) => n + 1), 301]);
});

test('an earlier row is left as it was, so that a batch can be folded again', () => {
  const before = life(aliceBuys());
  const copy = structuredClone(before);
  const { added, changed } = foldOrders(new Map([[ORDER, before]]), [story().book('AAPL', accepted())]);
  expect(before).toEqual(copy);
  expect(added).toEqual([]);
  expect(changed).toEqual([{ ...copy, accepted: true, status: 'new', eventPositions: [1, 1] }]);
});

test('an event about an order that never began is a defect', () => {
  expect(() => foldOrders(new Map(), [story().account(ALICE, cancelRequested)])).toThrow(/never began/);
});

test('an iceberg and an order for an amount of money are shown so, and its end is an end as filled', () => {
  expect(life(aliceBuys({ displayQuantity: 10 }))).toMatchObject({ displayQuantity: 10, quantity: 100 });
  const forMoney = aliceBuys({
    type: 'market',
    timeInForce: 'ioc',
    quantity: 0,
    notionalCents: 600_000,
    holdCents: 600_300,
  });
  const completed: BookFact = {
    type: 'OrderCompleted.v1',
    data: { order: ref(), side: 'buy', leftCents: 400 },
  };
  const ended: AccountFact = {
    type: 'OrderClosed.v1',
    data: { ...settled, status: 'filled', reason: null, unfilledQuantity: 0 },
  };
  expect(life(forMoney, accepted(), completed, aliceGets40(), ended)).toMatchObject({
    quantity: 0,
    notionalCents: 600_000,
    filledQuantity: 40,
    leavesQuantity: 0,
    status: 'filled',
  });
});

test('the orders of a list are rows of their own, and what one fills the other has less', () => {
  const { account } = story();
  const list: AccountFact = {
    type: 'OrderListPlaced.v1',
    data: {
      listId: id('a list'),
      accountId: ALICE,
      kind: 'oco',
      symbol: 'AAPL',
      quantity: 100,
      tickCents: 1,
      referenceTicks: 15_000,
      bandExempt: false,
      feePpm: 500,
      holdCents: 0,
      holdShares: 100,
      orders: (['take_profit', 'stop_loss'] as const).map((role) => ({
        orderId: role === 'take_profit' ? ORDER : OTHER,
        clientOrderId: null,
        role,
        side: 'sell',
        type: role === 'take_profit' ? 'limit' : 'stop',
        timeInForce: 'gtc',
        limitTicks: role === 'take_profit' ? 15_500 : 13_000,
        ...(role === 'take_profit' ? {} : { stopTicks: 14_500 }),
      })),
    },
  };
  const fill = aliceGets40({ side: 'sell', sibling: { orderId: OTHER, quantity: 60, leavesQuantity: 60 } });
  const rows = foldOrders(
    new Map(),
    [list, fill].map((fact) => account(ALICE, fact)),
  ).added;
  expect(rows).toMatchObject([
    { orderId: ORDER, listRole: 'take_profit', quantity: 100, filledQuantity: 40, leavesQuantity: 60 },
    {
      orderId: OTHER,
      listId: id('a list'),
      listRole: 'stop_loss',
      stopCents: 14_500,
      quantity: 60,
      filledQuantity: 0,
      leavesQuantity: 60,
      status: 'pending_new',
      eventPositions: [1, 2],
    },
  ]);
});
