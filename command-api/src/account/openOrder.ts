import assert from 'node:assert/strict';
import {
  type AccountFact,
  cents,
  feeCents,
  type OrderType,
  type Side,
  type TimeInForce,
} from '@brokerx/contracts';

/**
 * An open order as its account sees it. Its hold always covers the worst case: for a buy the limit price of every share
 * still wanted and all fees that may follow, for a sell the shares still offered.
 */
export type OpenOrder = {
  orderId: string;
  clientOrderId: string | null;
  /** The list that the order belongs to, which holds for it; null: the order stands alone. */
  listId: string | null;
  /** The bracket whose entry this order is: the bracket holds what the order buys. */
  bracketId: string | null;
  /** The order waits until the entry of its bracket has ended. */
  dormant: boolean;
  symbol: string;
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  /** The limit, or a market order's protection price. */
  limitTicks: number;
  /** The stop price, for a trailing stop the first one; null for other orders. */
  stopTicks: number | null;
  tickCents: number;
  /** The total quantity, filled shares included. */
  quantity: number;
  filledQuantity: number;
  /** Shares taken off by self-trade prevention. */
  preventedQuantity: number;
  filledValueCents: number;
  feesCents: number;
  feePpm: number;
  /** A market buy for so much money, fees aside; its quantity is 0. Null: an order for a quantity. */
  notionalCents: number | null;
  /** What an iceberg shows of itself at a time; null: it shows all. */
  displayQuantity: number | null;
  holdCents: number;
  holdShares: number;
  placedRevision: number;
  /** The last book sequence applied to it; -1 before the first. */
  lastSequence: number;
  cancelPending: boolean;
  /** Number of amendments requested. While the last one is unanswered, `amendPending` has its terms. */
  amendments: number;
  amendPending: { quantity: number; limitTicks: number } | null;
};

/** Shares of a total quantity that are neither filled nor prevented. */
export const leavesOf = (
  { filledQuantity, preventedQuantity }: Pick<OpenOrder, 'filledQuantity' | 'preventedQuantity'>,
  quantity: number,
): number => Math.max(0, quantity - filledQuantity - preventedQuantity);

type OrderFact = Extract<
  AccountFact,
  {
    type:
      | 'OrderCancelRequested.v1'
      | 'OrderAmendRequested.v1'
      | 'OrderFilled.v1'
      | 'OrderAmended.v1'
      | 'OrderAmendRejected.v1'
      | 'OrderDecremented.v1'
      | 'OrderArmed.v1'
      | 'OrderClosed.v1';
  }
>;

/** The fields from which an order's worst case is computed. */
export type Costed = Pick<
  OpenOrder,
  | 'limitTicks'
  | 'tickCents'
  | 'quantity'
  | 'filledQuantity'
  | 'preventedQuantity'
  | 'filledValueCents'
  | 'feesCents'
  | 'feePpm'
  | 'notionalCents'
  | 'amendPending'
>;

/**
 * The worst case of a buy in cents: every share still wanted at the limit (or the money left to spend), and the fee on
 * it. An order's fee is ceil(rate × cumulative value), and each fill is charged the difference: fees already charged are
 * deducted.
 *
 * While a change is unanswered, any part of the order may fill before the change and the rest after it. The worst case is
 * the dearer of two: everything fills after the change, or all that the order wants now fills before it.
 */
export function worstCaseCents(order: Costed): number {
  const { amendPending, limitTicks, tickCents } = order;
  const leaves = leavesOf(order, order.quantity);
  let most = limitTicks * leaves;
  if (amendPending) {
    const wanted = leavesOf(order, amendPending.quantity);
    const more = Math.max(0, wanted - leaves);
    most = Math.max(most + amendPending.limitTicks * more, amendPending.limitTicks * wanted);
  }
  const { notionalCents } = order;
  const leavesCents = notionalCents === null ? most * tickCents : notionalCents - order.filledValueCents;
  return leavesCents + feeCents(cents(order.filledValueCents + leavesCents), order.feePpm) - order.feesCents;
}

/** The shares that a sell may still have to deliver, an unanswered change included. */
export const worstCaseShares = (
  order: Pick<OpenOrder, 'quantity' | 'filledQuantity' | 'preventedQuantity' | 'amendPending'>,
): number => Math.max(leavesOf(order, order.quantity), leavesOf(order, order.amendPending?.quantity ?? 0));

/** Money and shares held, by an order or by its list. */
export type Hold = { holdCents: number; holdShares: number };

/** Applies a fact to its order and to the hold that covers it. The account's own money and shares stay as they are. */
export function evolveOrder(order: OpenOrder, fact: OrderFact, hold: Hold = order): void {
  assert.equal(fact.data.orderId, order.orderId);
  switch (fact.type) {
    case 'OrderCancelRequested.v1':
      order.cancelPending = true;
      return;
    case 'OrderAmendRequested.v1':
      assert.equal(fact.data.amendment, order.amendments + 1);
      assert(order.amendPending === null, 'one unanswered amendment an order');
      order.amendments = fact.data.amendment;
      order.amendPending = {
        quantity: fact.data.quantity,
        limitTicks: fact.data.limitTicks ?? order.limitTicks,
      };
      hold.holdCents += fact.data.holdCents ?? 0;
      hold.holdShares += fact.data.holdShares ?? 0;
      return;
    case 'OrderFilled.v1': {
      const { data } = fact;
      advance(order, data.sequence);
      order.filledQuantity += data.quantity;
      order.filledValueCents += data.valueCents;
      order.feesCents += data.feeCents;
      if (order.side === 'buy') hold.holdCents -= data.valueCents + data.feeCents + data.releasedCents;
      else hold.holdShares -= data.quantity + data.releasedShares;
      assert.equal(order.filledQuantity, data.filledQuantity);
      assert.equal(order.filledValueCents, data.filledValueCents);
      if (order.notionalCents === null) assert.equal(leavesOf(order, order.quantity), data.leavesQuantity);
      break;
    }
    case 'OrderAmended.v1':
      advance(order, fact.data.sequence);
      assert.equal(fact.data.amendment, order.amendments, 'the answer to the last amendment');
      order.quantity = fact.data.quantity;
      order.limitTicks = fact.data.limitTicks ?? order.limitTicks;
      order.amendPending = null;
      hold.holdCents -= fact.data.releasedCents;
      hold.holdShares -= fact.data.releasedShares;
      break;
    case 'OrderAmendRejected.v1':
      advance(order, fact.data.sequence);
      order.amendPending = null;
      hold.holdCents -= fact.data.releasedCents ?? 0;
      hold.holdShares -= fact.data.releasedShares ?? 0;
      break;
    case 'OrderDecremented.v1':
      advance(order, fact.data.sequence);
      order.preventedQuantity += fact.data.quantity;
      hold.holdCents -= fact.data.releasedCents;
      hold.holdShares -= fact.data.releasedShares;
      assert.equal(order.preventedQuantity, fact.data.preventedQuantity);
      break;
    case 'OrderArmed.v1':
      advance(order, fact.data.sequence);
      order.quantity = fact.data.quantity;
      order.dormant = false;
      break;
    case 'OrderClosed.v1':
      advance(order, fact.data.sequence);
      hold.holdCents -= fact.data.releasedCents;
      hold.holdShares -= fact.data.releasedShares;
      break;
    default:
      throw new Error('not a fact of an order', { cause: fact satisfies never });
  }
  assert(hold.holdCents >= 0 && hold.holdShares >= 0, 'an order never holds less than nothing');
}

function advance(order: OpenOrder, sequence: number): void {
  if (sequence <= order.lastSequence)
    assert.fail(`sequence ${sequence} was applied to ${order.orderId} already`);
  order.lastSequence = sequence;
}
