import type { Fact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { findings, id, writer } from './writtenHistory.ts';

/** Written histories of amendments and prevented matches that the audit must accept, and changes that it must find. */
const [ANN, BOB] = [id(1), id(2)];
const SELL = id(11);
const BUY = id(12);
const BOBS = id(13);

type Change = { event: RawEvent['type']; data: object };

/**
 * Ann sells 4 at 10.00, bids 10 there with `decrement` (4 are taken off both), raises the rest to 12 at 10.10, and
 * buys 5 of Bob there.
 */
function historyWith(change?: Change, terms: object = { selfTrade: 'decrement' }): RawEvent[] {
  const { events, write } = writer();
  const accepted = (orderId: string, accountId: string, more: object) => ({
    type: 'OrderAccepted.v1' as const,
    data: {
      order: { orderId, accountId, revision: 0 },
      type: 'limit' as const,
      timeInForce: 'day' as const,
      ...(more as { side: 'buy'; quantity: number; limitTicks: number; restingQuantity: number }),
    },
  });
  const order = (orderId: string, accountId: string, more: object) =>
    write(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: {
        orderId,
        accountId,
        clientOrderId: null,
        symbol: 'ACME',
        type: 'limit',
        timeInForce: 'day',
        tickCents: 1,
        referenceTicks: 1_000,
        bandExempt: false,
        feePpm: 0,
        ...(more as {
          side: 'buy';
          quantity: number;
          limitTicks: number;
          holdCents: number;
          holdShares: number;
        }),
      },
    });
  for (const accountId of [ANN, BOB]) {
    const stream = `account-${accountId}`;
    write(stream, { type: 'AccountOpened.v1', data: { accountId, clientId: accountId } });
    write(stream, {
      type: 'CashTransferredIn.v1',
      data: { transferId: id(50 + events.length), amountCents: 100_000 },
    });
    write(stream, {
      type: 'SharesTransferredIn.v1',
      data: { transferId: id(50 + events.length), symbol: 'ACME', quantity: 100 },
    });
  }
  const book = 'book-ACME';
  const offer = { side: 'sell', quantity: 4, limitTicks: 1_000 };
  const sell = order(SELL, ANN, { ...offer, holdCents: 0, holdShares: 4 });
  write(book, accepted(SELL, ANN, { ...offer, restingQuantity: 4 }), sell);
  const bid = { side: 'buy', quantity: 10, limitTicks: 1_000 };
  const buy = order(BUY, ANN, { ...bid, holdCents: 10_000, holdShares: 0, ...terms });
  write(book, accepted(BUY, ANN, { ...bid, restingQuantity: 6, entersAfter: 2 }), buy);
  const ref = (orderId: string, accountId: string, leaves: number) => ({
    orderId,
    accountId,
    revision: 0,
    leaves,
  });
  write(
    book,
    {
      type: 'TradePrevented.v1',
      data: {
        mode: 'decrement',
        priceTicks: 1_000,
        quantity: 4,
        takerSide: 'buy',
        maker: ref(SELL, ANN, 0),
        taker: ref(BUY, ANN, 6),
      },
    },
    buy,
  );
  const gone = {
    side: 'sell',
    priceTicks: 1_000,
    quantity: 0,
    resting: true,
    reason: 'SELF_TRADE_PREVENTED',
  } as const;
  const sellRef = { orderId: SELL, accountId: ANN, revision: 0 };
  write(book, { type: 'OrderExpired.v1', data: { order: sellRef, ...gone } }, buy);
  const of = (orderId: string, side: 'buy' | 'sell', sequence: number) => ({
    orderId,
    symbol: 'ACME',
    side,
    sequence,
    releasedCents: 0,
    releasedShares: 0,
  });
  const ann = `account-${ANN}`;
  const off = { quantity: 4, preventedQuantity: 4 };
  write(ann, {
    type: 'OrderDecremented.v1',
    data: { ...of(SELL, 'sell', 2), releasedShares: 4, ...off, leavesQuantity: 0 },
  });
  write(ann, {
    type: 'OrderDecremented.v1',
    data: { ...of(BUY, 'buy', 2), releasedCents: 4_000, ...off, leavesQuantity: 6 },
  });
  write(ann, {
    type: 'OrderClosed.v1',
    data: { ...of(SELL, 'sell', 3), status: 'expired', reason: 'SELF_TRADE_PREVENTED', unfilledQuantity: 4 },
  });
  const asked = { orderId: BUY, accountId: ANN, symbol: 'ACME', amendment: 1, quantity: 12 };
  const amend = write(ann, {
    type: 'OrderAmendRequested.v1',
    data: { ...asked, limitTicks: 1_010, tickCents: 1, holdCents: 8 * 1_010 - 6_000 },
  });
  const bobs = { side: 'sell', quantity: 5, limitTicks: 1_010 };
  const bobSells = order(BOBS, BOB, { ...bobs, holdCents: 0, holdShares: 5 });
  write(
    book,
    {
      type: 'OrderReplaced.v1',
      data: {
        order: { orderId: BUY, accountId: ANN, revision: 0 },
        amendment: 1,
        side: 'buy',
        priceTicks: 1_000,
        quantity: 12,
        leavesBefore: 6,
        leaves: 8,
        entry: { priceTicks: 1_010, restingQuantity: 8, entersAfter: 0 },
      },
    },
    amend,
  );
  write(book, accepted(BOBS, BOB, { ...bobs, restingQuantity: 0 }), bobSells);
  const trade = { trade: 1, priceTicks: 1_010, tickCents: 1, quantity: 5, takerSide: 'sell' as const };
  write(
    book,
    { type: 'TradeExecuted.v1', data: { ...trade, maker: ref(BUY, ANN, 3), taker: ref(BOBS, BOB, 0) } },
    bobSells,
  );
  write(ann, {
    type: 'OrderAmended.v1',
    data: {
      ...of(BUY, 'buy', 4),
      amendment: 1,
      quantity: 12,
      leavesQuantity: 8,
      closes: false,
      preventedQuantity: 4,
      limitTicks: 1_010,
      tickCents: 1,
    },
  });
  const fill = {
    tradeId: 'ACME-1',
    priceTicks: 1_010,
    tickCents: 1,
    quantity: 5,
    valueCents: 5_050,
    feeCents: 0,
  };
  const totals = { filledQuantity: 5, filledValueCents: 5_050, feesCents: 0 };
  const tradedAt = '2026-01-05T14:30:00.000Z';
  write(ann, {
    type: 'OrderFilled.v1',
    data: {
      ...of(BUY, 'buy', 6),
      ...fill,
      ...totals,
      liquidity: 'maker',
      leavesQuantity: 3,
      closes: false,
      tradedAt,
    },
  });
  write(`account-${BOB}`, {
    type: 'OrderFilled.v1',
    data: {
      ...of(BOBS, 'sell', 6),
      ...fill,
      ...totals,
      liquidity: 'taker',
      leavesQuantity: 0,
      closes: true,
      tradedAt,
    },
  });
  const index = events.findLastIndex(({ type }) => type === change?.event);
  return change
    ? events.with(index, { ...events[index], data: { ...events[index]?.data, ...change.data } } as RawEvent)
    : events;
}

test('a history with a change in full and a prevented match passes', () => {
  expect(findings(historyWith())).toEqual([]);
});

test.for<[what: string, change: Change | undefined, terms?: object]>([
  ['a prevented match by another mode than the order’s', undefined, { selfTrade: 'cancel_newest' }],
  ['a post-only order that meets another one', undefined, { selfTrade: 'decrement', postOnly: true }],
  ['an order that rests without its least quantity', undefined, { selfTrade: 'decrement', minQuantity: 5 }],
  ['less taken off than would have traded', { event: 'TradePrevented.v1', data: { quantity: 3 } }],
  ['one share more taken off on the account', { event: 'OrderDecremented.v1', data: { quantity: 5 } }],
  ['a change that holds too little', { event: 'OrderAmendRequested.v1', data: { holdCents: 2_079 } }],
  ['a change to a price that was not asked for', { event: 'OrderAmended.v1', data: { limitTicks: 1_009 } }],
  [
    'a rest that enters with another quantity',
    {
      event: 'OrderReplaced.v1',
      data: { entry: { priceTicks: 1_010, restingQuantity: 7, entersAfter: 0 } },
    },
  ],
  [
    'a change that keeps its place without being a reduction',
    { event: 'OrderReplaced.v1', data: { entry: undefined } },
  ],
])('the audit finds %s', ([, change, terms]) => {
  expect(findings(historyWith(change, terms)).length).toBeGreaterThan(0);
});

/** Ann waits with a stop at 10.10 and bids 10.20; Bob takes the bid, which triggers the stop, and it meets nobody. */
function stopped(more: { stopTicks?: number; triggered?: object | null }): RawEvent[] {
  const { events, write } = writer();
  const book = 'book-ACME';
  for (const accountId of [ANN, BOB]) {
    const stream = `account-${accountId}`;
    write(stream, { type: 'AccountOpened.v1', data: { accountId, clientId: accountId } });
    const cash = { transferId: id(50 + events.length), amountCents: 100_000 };
    write(stream, { type: 'CashTransferredIn.v1', data: cash });
    const given = { transferId: id(50 + events.length), symbol: 'ACME', quantity: 100 };
    write(stream, { type: 'SharesTransferredIn.v1', data: given });
  }
  const common = {
    clientOrderId: null,
    symbol: 'ACME',
    tickCents: 1,
    referenceTicks: 1_000,
    bandExempt: false,
    feePpm: 0,
  };
  const order = (orderId: string, accountId: string, data: object) =>
    write(`account-${accountId}`, {
      type: 'OrderPlaced.v1',
      data: { orderId, accountId, ...common, type: 'limit', timeInForce: 'day', ...data },
    } as unknown as Fact);
  const refOf = (orderId: string, accountId: string) => ({ orderId, accountId, revision: 3 });
  const accepted = (orderId: string, accountId: string, cause: RawEvent, data: object) => {
    const plain = { order: refOf(orderId, accountId), type: 'limit', timeInForce: 'day', restingQuantity: 0 };
    write(book, { type: 'OrderAccepted.v1', data: { ...plain, ...data } } as unknown as Fact, cause);
  };
  const stop = { side: 'buy', type: 'stop', quantity: 2, limitTicks: 1_100 };
  const waits = order(SELL, ANN, { ...stop, holdCents: 2_200, holdShares: 0, stopTicks: 1_010 });
  accepted(SELL, ANN, waits, { ...stop, held: true });
  const bid = { side: 'buy', quantity: 1, limitTicks: 1_020 };
  const bids = order(BUY, ANN, { ...bid, holdCents: 1_020, holdShares: 0 });
  accepted(BUY, ANN, bids, { ...bid, restingQuantity: 1 });
  const offer = { side: 'sell', quantity: 1, limitTicks: 1_010 };
  const offers = order(BOBS, BOB, { ...offer, holdCents: 0, holdShares: 1 });
  accepted(BOBS, BOB, offers, offer);
  const trade = { trade: 1, priceTicks: 1_020, tickCents: 1, quantity: 1, takerSide: 'sell' as const };
  const maker = { ...refOf(BUY, ANN), leaves: 0 };
  const taker = { ...refOf(BOBS, BOB), leaves: 0 };
  write(book, { type: 'TradeExecuted.v1', data: { ...trade, maker, taker } }, offers);
  if (more.triggered !== null) {
    const triggered = {
      order: refOf(SELL, ANN),
      side: 'buy' as const,
      stopTicks: more.stopTicks ?? 1_010,
      lastTicks: 1_020,
      limitTicks: 1_100,
      quantity: 2,
      restingQuantity: 0,
      entersAfter: 0,
      ...more.triggered,
    };
    write(book, { type: 'OrderTriggered.v1', data: triggered }, offers);
    const end = { side: 'buy' as const, priceTicks: 1_100, quantity: 2, resting: false };
    const reason = 'INSUFFICIENT_LIQUIDITY' as const;
    write(book, { type: 'OrderExpired.v1', data: { order: refOf(SELL, ANN), ...end, reason } }, offers);
  }
  const fill = {
    symbol: 'ACME',
    sequence: 3,
    releasedCents: 0,
    releasedShares: 0,
    tradedAt: events[0]?.time ?? '',
    tradeId: 'ACME-1',
    priceTicks: 1_020,
    tickCents: 1,
    quantity: 1,
    valueCents: 1_020,
    feeCents: 0,
    filledQuantity: 1,
    filledValueCents: 1_020,
    feesCents: 0,
    leavesQuantity: 0,
    closes: true,
  };
  const bought = { ...fill, orderId: BUY, side: 'buy', liquidity: 'maker' } as const;
  const sold = { ...fill, orderId: BOBS, side: 'sell', liquidity: 'taker' } as const;
  write(`account-${ANN}`, { type: 'OrderFilled.v1', data: bought });
  write(`account-${BOB}`, { type: 'OrderFilled.v1', data: sold });
  if (more.triggered !== null) {
    const place = { orderId: SELL, symbol: 'ACME', side: 'buy', sequence: 5 } as const;
    const how = { status: 'expired', reason: 'INSUFFICIENT_LIQUIDITY', unfilledQuantity: 2 } as const;
    const released = { releasedCents: 2_200, releasedShares: 0 };
    write(`account-${ANN}`, { type: 'OrderClosed.v1', data: { ...place, ...how, ...released } });
  }
  return events;
}

test('a stop that a trade reached and triggered passes', () => {
  expect(findings(stopped({}))).toEqual([]);
});

test.for<[what: string, more: Parameters<typeof stopped>[0]]>([
  ['a stop that was reached and still waits', { triggered: null }],
  ['a stop that is triggered elsewhere than where it stood', { stopTicks: 1_015 }],
  ['a stop that becomes another order', { triggered: { limitTicks: 1_101 } }],
  ['a market order that rests', { triggered: { restingQuantity: 1 } }],
])('the audit finds %s', ([, more]) => {
  expect(findings(stopped(more)).length).toBeGreaterThan(0);
});
