import { type AccountFact, placedOrders } from '@brokerx/contracts';
import { type AuditedAccount, hold, holdList } from './account.ts';
import type { Findings } from './findings.ts';
import { type AuditedList, type AuditedOrder, orderFrom } from './order.ts';
import { listFrom } from './orderList.ts';
import type { RawEventOf } from './rawEvent.ts';

/** Places the orders of a list, each of which must be new, and books the hold of the list. */
export function placeList(
  account: AuditedAccount,
  placed: Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'],
  orders: Map<string, AuditedOrder>,
  findings: Findings,
): AuditedList {
  findings.expect(!account.killed, 'mismatch', () => `${account.id} placed a list while it was killed`);
  const list = listFrom(placed);
  for (const placedOrder of placedOrders(placed)) {
    const order = orderFrom(placedOrder, list);
    if (orders.has(order.id)) findings.add('duplicate', `order ${order.id} is placed again`);
    if (order.role === 'entry') list.entry = order;
    else list.orders.push(order);
    order.dormant = placed.kind === 'bracket' && order.role !== 'entry';
    orders.set(order.id, order);
    account.orders.push(order);
  }
  if (list.entry) hold(account, list.entry, findings);
  const { symbol, quantity } = placed;
  const side = list.entry ? 'none' : (list.orders[0]?.side ?? '');
  holdList(account, list, { symbol, quantity, side }, findings);
  return list;
}

/** Arms an order whose entry has ended: its quantity is what the entry has bought. */
export function arm(order: AuditedOrder, { data }: RawEventOf<'OrderArmed.v1'>, findings: Findings): void {
  const entry = order.list?.entry;
  findings.expect(
    order.dormant && entry !== null && entry?.end !== null && data.quantity === entry?.filled,
    'mismatch',
    () => `order ${order.id} is armed with ${data.quantity}, its entry has bought ${entry?.filled}`,
  );
  order.dormant = false;
  order.quantity = data.quantity;
}
