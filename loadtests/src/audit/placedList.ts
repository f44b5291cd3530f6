import { type AccountFact, placedOrders } from '@brokerx/contracts';
import { type AuditedAccount, holdList } from './account.ts';
import type { Findings } from './findings.ts';
import { type AuditedOrder, orderFrom } from './order.ts';
import { type AuditedList, listFrom } from './orderList.ts';

/** Orders that belong together are placed: each of them once, and the hold of all. */
export function placeList(
  account: AuditedAccount,
  placed: Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'],
  orders: Map<string, AuditedOrder>,
  found: Findings,
): AuditedList {
  found.expect(!account.killed, 'mismatch', () => `${account.id} placed a list while it was killed`);
  const list = listFrom(placed);
  for (const one of placedOrders(placed)) {
    if (orders.has(one.orderId)) found.add('duplicate', `order ${one.orderId} is placed again`);
    const order = orderFrom(one, list);
    list.orders.push(order);
    orders.set(order.id, order);
    account.orders.push(order);
  }
  const { symbol, quantity } = placed;
  holdList(account, list, { symbol, quantity, side: list.orders[0]?.side ?? '' }, found);
  return list;
}
