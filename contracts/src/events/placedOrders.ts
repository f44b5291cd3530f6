import type { AccountFact } from './account.ts';
import type { ListRole } from './orderList.ts';

type List = Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'];
type Order = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];
/** Where an order belongs. */
export type Listed = { listId: string; role: ListRole };

/**
 * The orders of a list, each as if it were placed by itself. Only the entry of a bracket holds; what is held for the
 * others is the list's.
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
