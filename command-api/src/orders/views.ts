import {
  decimalFromCents,
  type Listed,
  newOrder,
  orderView,
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
  const viewOf = (data: FactOf<'OrderPlaced.v1'>['data'] & Partial<Listed>) =>
    orderView(newOrder({ type: 'OrderPlaced.v1', data }, time));
  if (fact.type === 'OrderPlaced.v1') return viewOf(fact.data);
  const [first, ...legs] = placedOrders(fact.data).map(viewOf);
  if (!first) throw new Error('a list has orders');
  return { ...first, legs };
}

export const firstOrderOf = (fact: FactOf<'OrderPlaced.v1' | 'OrderListPlaced.v1'>): string =>
  (fact.type === 'OrderPlaced.v1' ? fact.data.orderId : fact.data.orders[0]?.orderId) ?? '';

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
