import type { Fact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { findings, id, openAccounts, writer } from './writtenHistory.ts';

/** A written list of two orders that the audit must accept, and changes of it that it must find. */
const [ANN, BOB] = [id(1), id(2)];
const [PROFIT, LOSS, BIDS] = [id(11), id(12), id(13)];

type Change = [type: RawEvent['type'], nth: number, data: object | null];

/** Ann offers 10 at 10.20 and waits with a stop at 9.80; Bob buys 4 of her, and she cancels. */
function historyWith(change?: Change): RawEvent[] {
  const { events, write } = writer();
  const [ann, bob, book] = [`account-${ANN}`, `account-${BOB}`, 'book-ACME'];
  const as = (fact: unknown) => fact as Fact;
  openAccounts(write, { seller: ANN, buyer: BOB, shares: 10 });
  const ref = (orderId: string, accountId: string) => ({ orderId, accountId, revision: 2 });
  const common = { symbol: 'ACME', tickCents: 1, referenceTicks: 1_000, feePpm: 0, bandExempt: false };
  const profit = { side: 'sell', type: 'limit', timeInForce: 'gtc', limitTicks: 1_020 };
  const loss = { side: 'sell', type: 'stop', timeInForce: 'gtc', limitTicks: 800 };
  const orders = [
    { orderId: PROFIT, clientOrderId: null, role: 'take_profit', ...profit },
    { orderId: LOSS, clientOrderId: null, role: 'stop_loss', ...loss, stopTicks: 980 },
  ];
  const list = { listId: id(20), accountId: ANN, kind: 'oco', ...common, quantity: 10 };
  const placed = write(
    ann,
    as({ type: 'OrderListPlaced.v1', data: { ...list, holdCents: 0, holdShares: 10, orders } }),
  );
  const accepted = (orderId: string, terms: object, restingQuantity: number, more: object) =>
    write(
      book,
      as({
        type: 'OrderAccepted.v1',
        data: { order: ref(orderId, ANN), ...terms, quantity: 10, restingQuantity, ...more },
      }),
      placed,
    );
  accepted(LOSS, loss, 0, { held: true });
  accepted(PROFIT, profit, 10, {});
  const bid = { side: 'buy', type: 'limit', timeInForce: 'day', quantity: 4, limitTicks: 1_020 };
  const wants = { orderId: BIDS, accountId: BOB, clientOrderId: null, ...common, ...bid };
  const buy = write(bob, as({ type: 'OrderPlaced.v1', data: { ...wants, holdCents: 4_080, holdShares: 0 } }));
  write(
    book,
    as({ type: 'OrderAccepted.v1', data: { order: ref(BIDS, BOB), ...bid, restingQuantity: 0 } }),
    buy,
  );
  const trade = { trade: 1, priceTicks: 1_020, tickCents: 1, quantity: 4, takerSide: 'buy' };
  const parties = { maker: { ...ref(PROFIT, ANN), leaves: 6 }, taker: { ...ref(BIDS, BOB), leaves: 0 } };
  write(book, as({ type: 'TradeExecuted.v1', data: { ...trade, ...parties } }), buy);
  const less = { order: ref(LOSS, ANN), side: 'sell', priceTicks: 980, quantity: 4, leaves: 6, held: true };
  write(book, as({ type: 'OrderReduced.v1', data: less }), buy);
  const fill = (side: 'buy' | 'sell', leavesQuantity: number, more: object) =>
    write(
      side === 'buy' ? bob : ann,
      as({
        type: 'OrderFilled.v1',
        data: {
          orderId: side === 'buy' ? BIDS : PROFIT,
          symbol: 'ACME',
          side,
          sequence: 3,
          releasedCents: 0,
          releasedShares: 0,
          tradeId: 'ACME-1',
          liquidity: side === 'buy' ? 'taker' : 'maker',
          priceTicks: 1_020,
          tickCents: 1,
          quantity: 4,
          valueCents: 4_080,
          feeCents: 0,
          filledQuantity: 4,
          filledValueCents: 4_080,
          feesCents: 0,
          leavesQuantity,
          closes: leavesQuantity === 0,
          tradedAt: '2026-01-05T14:30:00.000Z',
          ...more,
        },
      }),
    );
  fill('sell', 6, { sibling: { orderId: LOSS, quantity: 6, leavesQuantity: 6 } });
  fill('buy', 0, {});
  const asked = { orderId: LOSS, accountId: ANN, symbol: 'ACME' };
  const cancel = write(ann, { type: 'OrderCancelRequested.v1', data: asked });
  const canceled = (orderId: string, priceTicks: number, more: object) =>
    write(
      book,
      as({
        type: 'OrderCanceled.v1',
        data: { order: ref(orderId, ANN), side: 'sell', priceTicks, quantity: 6, ...more },
      }),
      cancel,
    );
  canceled(LOSS, 980, { held: true });
  canceled(PROFIT, 1_020, {});
  const closed = (orderId: string, sequence: number, unfilledQuantity: number, releasedShares: number) =>
    write(
      ann,
      as({
        type: 'OrderClosed.v1',
        data: {
          orderId,
          symbol: 'ACME',
          side: 'sell',
          sequence,
          releasedCents: 0,
          releasedShares,
          status: 'canceled',
          reason: null,
          unfilledQuantity,
        },
      }),
    );
  closed(LOSS, 5, 6, 0);
  closed(PROFIT, 6, 6, 6);
  if (!change) return events;
  const [type, nth, data] = change;
  const index = events.indexOf(events.filter((event) => event.type === type)[nth] as RawEvent);
  if (!data) {
    return events
      .toSpliced(index, 1)
      .map((event) =>
        event.stream === book && event.revision > 4 ? { ...event, revision: event.revision - 1 } : event,
      );
  }
  return events.with(index, { ...events[index], data: { ...events[index]?.data, ...data } } as RawEvent);
}

test('a list that one order fills in part, and that is canceled, passes', () => {
  expect(findings(historyWith())).toEqual([]);
});

test.for<[what: string, change: Change]>([
  ['a list that holds too few shares', ['OrderListPlaced.v1', 0, { holdShares: 9 }]],
  ['a sibling that does not say that it has less', ['OrderReduced.v1', 0, null]],
  ['a sibling that has less by another quantity', ['OrderReduced.v1', 0, { quantity: 3, leaves: 7 }]],
  ['a fill that keeps its sibling as it was', ['OrderFilled.v1', 0, { sibling: undefined }]],
  [
    'a fill that leaves its sibling more',
    ['OrderFilled.v1', 0, { sibling: { orderId: LOSS, quantity: 7, leavesQuantity: 7 } }],
  ],
  ['shares released before the list has ended', ['OrderClosed.v1', 0, { releasedShares: 1 }]],
  ['shares still held when it has', ['OrderClosed.v1', 1, { releasedShares: 5 }]],
])('the audit finds %s', ([, change]) => {
  expect(findings(historyWith(change)).length).toBeGreaterThan(0);
});
