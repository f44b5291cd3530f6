import assert from 'node:assert/strict';
import {
  type Event,
  type NewOrder,
  newOrder,
  type OrderFields,
  type OrderStatus,
  placedOrders,
} from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';

/**
 * One order as queries show it. Money, quantities and ends come from the events of its account, so that an order never shows more
 * than its wallet has booked. The book's events add what the account's do not have, such as the acceptance. The engine refuses a
 * cancel only where the order has ended, so the order stays `pending_cancel` until that end is booked.
 *
 * States: pending_new → (held →) new → partially_filled → filled | canceled | expired | rejected. An unanswered cancel shows as
 * pending_cancel, else an unanswered amendment as pending_replace, over the open state; an end outranks both.
 */
export type OrderRow = OrderFields & {
  accepted: boolean;
  /** True while it is put aside: a stop waits for its trigger, another order for its call. */
  held: boolean;
  cancelsUnanswered: number;
  amendsUnanswered: number;
};

/** Bounds the row (1 KB) of an order that trades in thousands of pieces; each fill is an execution of its own anyway. */
export const EVENT_POSITIONS_MAX = 100;

/** Ids of the orders that an event changes: two for a trade, all orders for a list, else at most one. */
export function ordersOf(event: Event): readonly string[] {
  switch (event.type) {
    case 'OrderPlaced.v1':
    case 'OrderRefused.v1':
    case 'OrderCancelRequested.v1':
    case 'OrderAmendRequested.v1':
    case 'OrderAmended.v1':
    case 'OrderAmendRejected.v1':
    case 'OrderDecremented.v1':
    case 'OrderArmed.v1':
    case 'OrderClosed.v1':
      return [event.data.orderId];
    case 'OrderFilled.v1': {
      const { orderId, sibling } = event.data;
      return sibling ? [orderId, sibling.orderId] : [orderId];
    }
    case 'OrderListPlaced.v1':
      return event.data.orders.map(({ orderId }) => orderId);
    case 'OrderActivated.v1':
    case 'OrderReduced.v1':
    case 'OrderAccepted.v1':
    case 'OrderTriggered.v1':
    case 'OrderEntered.v1':
    case 'OrderRejected.v1':
    case 'OrderReplaced.v1':
    case 'OrderCanceled.v1':
    case 'OrderExpired.v1':
    case 'OrderCompleted.v1':
    case 'OrderCancelRejected.v1':
    case 'OrderReplaceRejected.v1':
      return [event.data.order.orderId];
    case 'TradeExecuted.v1':
    case 'TradePrevented.v1':
      return [event.data.maker.orderId, event.data.taker.orderId];
    default:
      return [];
  }
}

/** True for the first event of an order. */
export const begins = (event: Event): boolean =>
  event.type === 'OrderPlaced.v1' || event.type === 'OrderListPlaced.v1' || event.type === 'OrderRefused.v1';

/** Makes the row of a new order, or one for each order of a list. */
export function openRows({ event, position }: Recorded<Event>): OrderRow[] {
  assert(
    event.type === 'OrderPlaced.v1' ||
      event.type === 'OrderListPlaced.v1' ||
      event.type === 'OrderRefused.v1',
  );
  if (event.type !== 'OrderListPlaced.v1') return [openRow(newOrder(event, event.time), position)];
  return placedOrders(event.data).map((data) =>
    openRow(newOrder({ type: 'OrderPlaced.v1', data }, event.time), position),
  );
}

const openRow = (order: NewOrder, position: number): OrderRow => ({
  ...order,
  position,
  eventPositions: [position],
  accepted: false,
  held: false,
  cancelsUnanswered: 0,
  amendsUnanswered: 0,
});

/** Folds a later event into the row, in place. */
export function evolveRow(row: OrderRow, { event, position }: Recorded<Event>): void {
  if (row.eventPositions.length > EVENT_POSITIONS_MAX) row.eventPositions.pop();
  row.eventPositions.push(position);
  if (event.time > row.updatedAt) row.updatedAt = event.time;
  if (isClosed(row.status)) return;
  switch (event.type) {
    case 'OrderAccepted.v1':
      row.accepted = true;
      row.held = event.data.held ?? false;
      break;
    case 'OrderActivated.v1':
      row.held = event.data.held ?? false;
      break;
    case 'OrderArmed.v1':
      row.quantity = event.data.quantity;
      row.leavesQuantity = event.data.quantity;
      break;
    case 'OrderTriggered.v1':
    case 'OrderEntered.v1':
      row.held = false;
      break;
    case 'OrderCancelRequested.v1':
      row.cancelsUnanswered += 1;
      break;
    case 'OrderAmendRequested.v1':
      row.amendsUnanswered += 1;
      break;
    case 'OrderAmendRejected.v1':
      row.amendsUnanswered = Math.max(0, row.amendsUnanswered - 1);
      break;
    case 'OrderAmended.v1':
      row.amendsUnanswered = Math.max(0, row.amendsUnanswered - 1);
      row.quantity = event.data.quantity;
      row.leavesQuantity = event.data.leavesQuantity;
      if (event.data.limitTicks !== undefined) {
        row.limitCents = event.data.limitTicks * (event.data.tickCents ?? 1);
      }
      if (event.data.closes) return close(row, row.filledQuantity > 0 ? 'filled' : 'canceled', null);
      break;
    case 'OrderDecremented.v1':
      row.preventedQuantity = event.data.preventedQuantity;
      row.leavesQuantity = event.data.leavesQuantity;
      break;
    case 'OrderFilled.v1':
      if (event.data.orderId !== row.orderId) {
        row.quantity = event.data.sibling?.quantity ?? row.quantity;
        row.leavesQuantity = event.data.sibling?.leavesQuantity ?? row.leavesQuantity;
        break;
      }
      row.filledQuantity = event.data.filledQuantity;
      row.filledValueCents = event.data.filledValueCents;
      row.feesCents = event.data.feesCents;
      row.leavesQuantity = event.data.leavesQuantity;
      if (event.data.closes) return close(row, 'filled', null);
      break;
    case 'OrderClosed.v1':
      return close(row, event.data.status, event.data.reason);
  }
  row.status = openStatus(row);
}

function close(row: OrderRow, status: OrderStatus, reason: string | null): void {
  row.status = status;
  row.reason = reason;
  row.leavesQuantity = 0;
}

function openStatus(row: OrderRow): OrderStatus {
  if (row.cancelsUnanswered > 0) return 'pending_cancel';
  if (row.amendsUnanswered > 0) return 'pending_replace';
  if (row.filledQuantity > 0) return 'partially_filled';
  if (row.held) return 'held';
  return row.accepted ? 'new' : 'pending_new';
}

const CLOSED: ReadonlySet<OrderStatus> = new Set(['filled', 'canceled', 'expired', 'rejected']);
const isClosed = (status: OrderStatus): boolean => CLOSED.has(status);
