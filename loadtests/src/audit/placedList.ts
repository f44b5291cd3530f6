import { type AccountFact, placedOrders } from '@brokerx/contracts';
import { type AuditedAccount, hold, holdList } from './account.ts';
import type { Findings } from './findings.ts';
import { type AuditedList, type AuditedOrder, orderFrom } from './order.ts';
import { listFrom } from './orderList.ts';
import type { RawEvent } from './rawEvent.ts';

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
    if (order.role === 'entry') list.entry = order;
    else list.orders.push(order);
    order.dormant = placed.kind === 'bracket' && order.role !== 'entry';
    orders.set(order.id, order);
    account.orders.push(order);
  }
  if (list.entry) hold(account, list.entry, found);
  const { symbol, quantity } = placed;
  const side = list.entry ? 'none' : (list.orders[0]?.side ?? '');
  holdList(account, list, { symbol, quantity, side }, found);
  return list;
}

/** The entry of its bracket has ended: it is for what that has bought. */
export function arm(
  order: AuditedOrder,
  { data }: Extract<RawEvent, { type: 'OrderArmed.v1' }>,
  found: Findings,
): void {
  const entry = order.list?.entry;
  found.expect(
    order.dormant && entry !== null && entry?.end !== null && data.quantity === entry?.filled,
    'mismatch',
    () => `order ${order.id} is armed with ${data.quantity}, its entry has bought ${entry?.filled}`,
  );
  order.dormant = false;
  order.quantity = data.quantity;
}
