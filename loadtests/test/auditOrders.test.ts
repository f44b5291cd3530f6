import type { Fact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { findings, id, openAccounts, writer } from './writtenHistory.ts';

/** A written history of an iceberg and an order for money that the audit must accept, and changes that it must find. */
const [ANN, BOB] = [id(1), id(2)];
const [ICEBERG, MONEY] = [id(11), id(12)];
const TIME = '2026-01-05T14:30:00.000Z';

type Change = [type: RawEvent['type'], nth: number, data: object];

/**
 * Ann offers 25 at 10.00 and shows 10 at a time; Bob buys for 120.50, gets 10 and then 2 of the next peak, and has too
 * little left for another share. Ann cancels the rest.
 */
function historyWith(change?: Change): RawEvent[] {
  const { events, write } = writer();
  const [ann, bob, book] = [`account-${ANN}`, `account-${BOB}`, 'book-ACME'];
  const as = (fact: unknown) => fact as Fact;
  openAccounts(write, { seller: ANN, buyer: BOB, shares: 100 });
  const ref = (orderId: string, accountId: string) => ({ orderId, accountId, revision: 2 });
  const common = { clientOrderId: null, symbol: 'ACME', tickCents: 1, referenceTicks: 1_000, feePpm: 0 };
  const offer = { side: 'sell', type: 'limit', timeInForce: 'day', quantity: 25, limitTicks: 1_000 };
  const sells = { orderId: ICEBERG, accountId: ANN, ...common, bandExempt: false, ...offer };
  const sell = write(
    ann,
    as({ type: 'OrderPlaced.v1', data: { ...sells, holdCents: 0, holdShares: 25, displayQuantity: 10 } }),
  );
  const offered = { order: ref(ICEBERG, ANN), ...offer, restingQuantity: 25, shownQuantity: 10 };
  write(book, as({ type: 'OrderAccepted.v1', data: offered }), sell);
  const wants = { side: 'buy', type: 'market', timeInForce: 'ioc', quantity: 0, limitTicks: 1_100 };
  const buys = { orderId: MONEY, accountId: BOB, ...common, bandExempt: false, ...wants };
  const money = { notionalCents: 12_050, holdCents: 12_050, holdShares: 0 };
  const buy = write(bob, as({ type: 'OrderPlaced.v1', data: { ...buys, ...money } }));
  const taken = { order: ref(MONEY, BOB), ...wants, restingQuantity: 0, notionalCents: 12_050 };
  write(book, as({ type: 'OrderAccepted.v1', data: taken }), buy);
  const trade = (n: number, quantity: number, leaves: [maker: number, taker: number], more: object) =>
    write(
      book,
      as({
        type: 'TradeExecuted.v1',
        data: {
          trade: n,
          priceTicks: 1_000,
          tickCents: 1,
          quantity,
          takerSide: 'buy',
          maker: { ...ref(ICEBERG, ANN), leaves: leaves[0] },
          taker: { ...ref(MONEY, BOB), leaves: leaves[1] },
          ...more,
        },
      }),
      buy,
    );
  trade(1, 10, [15, 2], { makerPeak: 10 });
  trade(2, 2, [13, 0], {});
  const fill = (side: 'buy' | 'sell', sequence: number, quantity: number, filled: number, leaves: number) =>
    write(
      side === 'buy' ? bob : ann,
      as({
        type: 'OrderFilled.v1',
        data: {
          orderId: side === 'buy' ? MONEY : ICEBERG,
          symbol: 'ACME',
          side,
          sequence,
          releasedCents: side === 'buy' && leaves === 0 ? 50 : 0,
          releasedShares: 0,
          tradeId: `ACME-${sequence - 1}`,
          liquidity: side === 'buy' ? 'taker' : 'maker',
          priceTicks: 1_000,
          tickCents: 1,
          quantity,
          valueCents: quantity * 1_000,
          feeCents: 0,
          filledQuantity: filled,
          filledValueCents: filled * 1_000,
          feesCents: 0,
          leavesQuantity: leaves,
          closes: leaves === 0,
          tradedAt: TIME,
        },
      }),
    );
  fill('sell', 2, 10, 10, 15);
  fill('buy', 2, 10, 10, 2);
  fill('sell', 3, 2, 12, 13);
  fill('buy', 3, 2, 12, 0);
  const asked = { orderId: ICEBERG, accountId: ANN, symbol: 'ACME' };
  const cancel = write(ann, { type: 'OrderCancelRequested.v1', data: asked });
  const gone = { side: 'sell', priceTicks: 1_000, quantity: 13, shownQuantity: 8 } as const;
  write(book, { type: 'OrderCanceled.v1', data: { order: ref(ICEBERG, ANN), ...gone } }, cancel);
  const released = { releasedCents: 0, releasedShares: 13, unfilledQuantity: 13 };
  const end = { orderId: ICEBERG, symbol: 'ACME', side: 'sell', sequence: 4, ...released } as const;
  write(ann, { type: 'OrderClosed.v1', data: { ...end, status: 'canceled', reason: null } });
  if (!change) return events;
  const [type, nth, data] = change;
  const index = events.indexOf(events.filter((event) => event.type === type)[nth] as RawEvent);
  return events.with(index, { ...events[index], data: { ...events[index]?.data, ...data } } as RawEvent);
}

test('an iceberg that is bought for an amount of money passes', () => {
  expect(findings(historyWith())).toEqual([]);
});

test.for<[what: string, change: Change]>([
  ['a next peak that is larger than it may be', ['TradeExecuted.v1', 0, { makerPeak: 15 }]],
  ['a next peak that is not told', ['TradeExecuted.v1', 0, { makerPeak: undefined }]],
  ['a peak that is shown too early', ['TradeExecuted.v1', 1, { makerPeak: 10 }]],
  ['more traded than is shown', ['TradeExecuted.v1', 0, { quantity: 12 }]],
  ['more bought than there is money', ['TradeExecuted.v1', 1, { quantity: 3 }]],
  ['an order that could have bought more', ['OrderPlaced.v1', 1, { notionalCents: 13_000 }]],
  ['an iceberg that shows more than it did when it leaves', ['OrderCanceled.v1', 0, { shownQuantity: 10 }]],
  ['money that is not held', ['OrderPlaced.v1', 1, { holdCents: 12_049 }]],
  ['money that stays held', ['OrderFilled.v1', 3, { releasedCents: 0 }]],
])('the audit finds %s', ([, change]) => {
  expect(findings(historyWith(change)).length).toBeGreaterThan(0);
});
