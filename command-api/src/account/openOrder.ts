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
 * An open order as its account sees it. What it holds always covers its worst case: a buy the limit price for every
 * share still wanted and all fees that could come, a sell the shares still offered.
 */
export type OpenOrder = {
  orderId: string;
  clientOrderId: string | null;
  /** The list that it belongs to, and that holds for it; null: it stands alone. */
  listId: string | null;
  /** The bracket whose entry it is: what it buys is held there, to be sold. */
  bracketId: string | null;
  /** It waits until the entry of its bracket has ended. */
  dormant: boolean;
  symbol: string;
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  /** The limit, or a market order's protection price. */
  limitTicks: number;
  /** A stop's price, of a trailing one the first; null for other orders. */
  stopTicks: number | null;
  tickCents: number;
  /** Total, what is filled included. */
  quantity: number;
  filledQuantity: number;
  /** Taken off by self-trade prevention. */
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
  /** How many amendments were asked for; the last one is unanswered while `amendPending` says what it asks. */
  amendments: number;
  amendPending: { quantity: number; limitTicks: number } | null;
};

/** What of a total is neither filled nor prevented. */
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

/** What an order's worst case is worked out from. */
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
 * The worst case of a buy in cents: every share still wanted at the limit (or what is left to spend), and the fee on
 * all of it. An order's fee is ceil(rate × cumulative value) and each fill is charged the difference, so what was
 * charged is deducted.
 *
 * While a change is unanswered, any part may still fill as the order was before the rest does as it will be: the most
 * that costs is all of it as it will be, or all that it wants now and the rest as it will be.
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

/** What is held: by the order, or by its list. */
export type Hold = { holdCents: number; holdShares: number };

/** Applies a fact to its order and to what is held for it; money and shares of the account aside. */
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
  assert(sequence > order.lastSequence, `sequence ${sequence} was applied to ${order.orderId} already`);
  order.lastSequence = sequence;
}
