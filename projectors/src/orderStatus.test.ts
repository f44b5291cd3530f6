import { type AccountFact, type BookFact, type OrderStatus, STATUS_NEXT } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALICE, accepted, aliceBuys, aliceGets40, id, ORDER, ref, settled, story } from '../test/given.ts';
import { evolveRow, type OrderRow, openRows } from './order.ts';

/** Anything that may be told of an open order, in any order: the fold must keep to the documented table. */
const data = { orderId: ORDER, accountId: ALICE, symbol: 'AAPL' };
const place = { order: ref(), side: 'buy' as const };
const happenings: readonly (AccountFact | BookFact)[] = [
  accepted(),
  accepted({ type: 'stop', held: true, restingQuantity: 0 }),
  {
    type: 'OrderTriggered.v1',
    data: {
      ...place,
      stopTicks: 1,
      lastTicks: 1,
      limitTicks: 1,
      quantity: 1,
      restingQuantity: 0,
      entersAfter: 0,
    },
  },
  { type: 'OrderCancelRequested.v1', data },
  { type: 'OrderAmendRequested.v1', data: { ...data, amendment: 1, quantity: 50 } },
  { type: 'OrderCancelRejected.v1', data: { order: ref(), code: 'ORDER_NOT_OPEN' } },
  {
    type: 'OrderAmendRejected.v1',
    data: { orderId: ORDER, symbol: 'AAPL', sequence: 4, amendment: 1, code: 'WOULD_TAKE' },
  },
  {
    type: 'OrderAmended.v1',
    data: { ...settled, amendment: 1, quantity: 50, leavesQuantity: 50, closes: false },
  },
  {
    type: 'OrderDecremented.v1',
    data: { ...settled, quantity: 1, preventedQuantity: 1, leavesQuantity: 49 },
  },
  aliceGets40(),
  aliceGets40({ orderId: id('a sibling'), sibling: { orderId: ORDER, quantity: 60, leavesQuantity: 60 } }),
  aliceGets40({ filledQuantity: 100, leavesQuantity: 0, closes: true }),
  {
    type: 'OrderClosed.v1',
    data: { ...settled, status: 'expired', reason: 'DAY_ENDED', unfilledQuantity: 100 },
  },
];

test('whatever is told of an order, its status moves as the table says', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: happenings.length - 1 }), { maxLength: 30 }), (numbers) => {
      const { account, book } = story();
      const [row] = openRows(account(ALICE, aliceBuys())) as [OrderRow];
      for (const number of numbers) {
        const fact = happenings[number] as AccountFact | BookFact;
        // An order is accepted once, before anything else that the book says of it.
        if (fact.type === 'OrderAccepted.v1' && (row.accepted || row.filledQuantity > 0)) continue;
        const before: OrderStatus = row.status;
        const ofBook = 'order' in fact.data;
        evolveRow(row, ofBook ? book('AAPL', fact as BookFact) : account(ALICE, fact as AccountFact));
        if (row.status !== before) expect(STATUS_NEXT[before]).toContain(row.status);
      }
    }),
    { numRuns: 2_000 },
  );
});
