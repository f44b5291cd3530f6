import assert from 'node:assert/strict';
import {
  type Event,
  hasLimit,
  keyOfStream,
  type Listed,
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
export type OrderRow = {
  orderId: string;
  clientOrderId: string | null;
  accountId: string;
  symbol: string;
  side: string;
  type: string;
  timeInForce: string;
  /** Total quantity, filled shares included. */
  quantity: number;
  limitCents: number | null;
  protectionCents: number | null;
  status: OrderStatus;
  filledQuantity: number;
  filledValueCents: number;
  feesCents: number;
  leavesQuantity: number;
  /** Shares that self-trade prevention has taken off. */
  preventedQuantity: number;
  postOnly: boolean;
  minQuantity: number | null;
  selfTrade: string;
  stopCents: number | null;
  trailCents: number | null;
  trailPpm: number | null;
  expiresAt: string | null;
  displayQuantity: number | null;
  notionalCents: number | null;
  listId: string | null;
  listRole: string | null;
  reason: string | null;
  createdAt: string;
  updatedAt: string;
  /** Position of its first event. */
  position: number;
  /** Positions of its events in the account's and the book's streams: the oldest `EVENT_POSITIONS_MAX` and the last one. */
  eventPositions: number[];
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

type Placed = Extract<Event, { type: 'OrderPlaced.v1' }>;
type Refused = Extract<Event, { type: 'OrderRefused.v1' }>;

/** Makes the row of a new order, or one for each order of a list. */
export function openRows({ event, ...at }: Recorded<Event>): OrderRow[] {
  if (event.type === 'OrderListPlaced.v1') {
    return placedOrders(event.data).map((data) =>
      openRow({ ...event, type: 'OrderPlaced.v1', data }, at, { listId: data.listId, role: data.role }),
    );
  }
  assert(event.type === 'OrderPlaced.v1' || event.type === 'OrderRefused.v1');
  return [openRow(event, at, null)];
}

function openRow(
  event: Placed | Refused,
  { stream, position }: Pick<Recorded<Event>, 'stream' | 'position'>,
  listed: Listed | null,
): OrderRow {
  const { data } = event;
  const common = {
    orderId: data.orderId,
    clientOrderId: data.clientOrderId,
    accountId: keyOfStream(stream),
    symbol: data.symbol,
    side: data.side,
    type: data.type,
    timeInForce: data.timeInForce,
    quantity: data.quantity,
    filledQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    preventedQuantity: 0,
    postOnly: data.postOnly ?? false,
    minQuantity: data.minQuantity ?? null,
    selfTrade: data.selfTrade ?? 'none',
    trailPpm: data.trailPpm ?? null,
    expiresAt: data.expiresAt ?? null,
    displayQuantity: data.displayQuantity ?? null,
    notionalCents: data.notionalCents ?? null,
    listId: listed?.listId ?? null,
    listRole: listed?.role ?? null,
    held: false,
    createdAt: event.time,
    updatedAt: event.time,
    position,
    eventPositions: [position],
    accepted: false,
    cancelsUnanswered: 0,
    amendsUnanswered: 0,
  };
  if (event.type === 'OrderRefused.v1') {
    const { limitCents, code, stopCents = null, trailCents = null } = event.data;
    return {
      ...common,
      limitCents,
      stopCents,
      trailCents,
      protectionCents: null,
      status: 'rejected',
      leavesQuantity: 0,
      reason: code,
    };
  }
  const { limitTicks, tickCents, type, quantity, stopTicks, trailTicks } = event.data;
  return {
    ...common,
    limitCents: hasLimit(type) ? limitTicks * tickCents : null,
    protectionCents: hasLimit(type) ? null : limitTicks * tickCents,
    stopCents: stopTicks === undefined ? null : stopTicks * tickCents,
    trailCents: trailTicks === undefined ? null : trailTicks * tickCents,
    status: 'pending_new',
    leavesQuantity: quantity,
    reason: null,
  };
}

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
