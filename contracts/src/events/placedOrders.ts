import type { AccountFact } from './account.ts';
import type { ListRole } from './orderList.ts';

type List = Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'];
type Order = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];
/** The list that an order belongs to, and its role there. */
export type Listed = { listId: string; role: ListRole };

/**
 * The orders of a list, each as if it had been placed alone. The entry of a bracket carries the list's hold; for the
 * other orders the list itself holds.
 */
export function placedOrders(list: List): (Order & Listed)[] {
  const { listId, accountId, symbol, quantity, tickCents, referenceTicks, bandExempt, feePpm } = list;
  return list.orders.map((order) => ({
    ...order,
    listId,
    accountId,
    symbol,
    quantity,
    tickCents,
    referenceTicks,
    bandExempt,
    feePpm,
    holdCents: order.role === 'entry' ? list.holdCents : 0,
    holdShares: 0,
  }));
}
