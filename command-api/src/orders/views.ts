import {
  decimalFromCents,
  hasLimit,
  type Listed,
  percentFromPpm,
  placedOrders,
  type views,
} from '@brokerx/contracts';
import type { FactOf } from '../commands/facts.ts';
import { CANCELED_ORDERS_MAX } from './cancel.ts';

/**
 * What the API answers, built from the recorded fact alone, so that a repetition is answered with the same words: the order;
 * of a list the first one, and the others with it.
 */
export function placedView(
  fact: FactOf<'OrderPlaced.v1' | 'OrderListPlaced.v1'>,
  time: string,
): views.PlacedOrderView {
  if (fact.type === 'OrderPlaced.v1') return orderView(fact.data, time);
  const [first, ...legs] = placedOrders(fact.data).map((order) => orderView(order, time));
  if (!first) throw new Error('a list has orders');
  return { ...first, legs };
}

export const firstOrderOf = (fact: FactOf<'OrderPlaced.v1' | 'OrderListPlaced.v1'>): string =>
  (fact.type === 'OrderPlaced.v1' ? fact.data.orderId : fact.data.orders[0]?.orderId) ?? '';

function orderView(data: FactOf<'OrderPlaced.v1'>['data'] & Partial<Listed>, time: string): views.OrderView {
  const price = decimalFromCents(data.limitTicks * data.tickCents);
  return {
    id: data.orderId,
    client_order_id: data.clientOrderId,
    account_id: data.accountId,
    symbol: data.symbol,
    side: data.side,
    type: data.type,
    time_in_force: data.timeInForce,
    qty: data.notionalCents === undefined ? String(data.quantity) : null,
    notional: data.notionalCents === undefined ? null : decimalFromCents(data.notionalCents),
    display_qty: data.displayQuantity === undefined ? null : String(data.displayQuantity),
    limit_price: hasLimit(data.type) ? price : null,
    protection_price: hasLimit(data.type) ? null : price,
    stop_price: data.stopTicks === undefined ? null : decimalFromCents(data.stopTicks * data.tickCents),
    trail_price: data.trailTicks === undefined ? null : decimalFromCents(data.trailTicks * data.tickCents),
    trail_percent: data.trailPpm === undefined ? null : percentFromPpm(data.trailPpm),
    expires_at: data.expiresAt ?? null,
    status: 'pending_new',
    filled_qty: '0',
    leaves_qty: String(data.quantity),
    filled_avg_price: null,
    fees: '0.00',
    post_only: data.postOnly ?? false,
    min_qty: data.minQuantity === undefined ? null : String(data.minQuantity),
    stp_mode: data.selfTrade ?? 'none',
    prevented_qty: '0',
    reason: null,
    list_id: data.listId ?? null,
    list_role: data.role ?? null,
    created_at: time,
    updated_at: time,
  };
}

export function orderChangeView(fact: FactOf<'OrderCancelRequested.v1' | 'OrderAmendRequested.v1'>) {
  const { orderId, accountId, symbol } = fact.data;
  const amends = fact.type === 'OrderAmendRequested.v1';
  const { limitTicks, tickCents = 1 } = amends ? fact.data : {};
  return {
    id: orderId,
    account_id: accountId,
    symbol,
    status: amends ? ('pending_replace' as const) : ('pending_cancel' as const),
    qty: amends ? String(fact.data.quantity) : null,
    limit_price: limitTicks === undefined ? null : decimalFromCents(limitTicks * tickCents),
  };
}

export function orderCancelsView({ data }: FactOf<'OrdersCancelRequested.v1'>): views.OrderCancelsView {
  const items = data.orders.flatMap(({ symbol, orderIds }) =>
    orderIds.map((id) => ({ id, symbol, status: 'pending_cancel' as const })),
  );
  return { items, more: items.length >= CANCELED_ORDERS_MAX };
}
