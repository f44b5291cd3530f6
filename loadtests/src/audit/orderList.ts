import type { AccountFact } from '@brokerx/contracts';
import { type AuditedList, type AuditedOrder, leavesOf } from './order.ts';

type Placed = Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'];

export const listFrom = ({ listId, kind, holdCents, holdShares }: Placed): AuditedList => ({
  id: listId,
  orders: [],
  entry: null,
  bought: 0,
  // The cash of a bracket is held by its entry.
  holdCents: kind === 'bracket' ? 0 : holdCents,
  holdShares,
});

/** The open orders that sell what the given entry of a bracket buys. */
export const sellersOf = ({ list, role }: AuditedOrder): AuditedOrder[] =>
  role === 'entry' && list ? list.orders.filter(({ end }) => end === null) : [];

/** Whether an order shares its quantity with its sibling: any order of a list except a bracket's entry. */
export const isLeg = ({ list, role }: AuditedOrder): boolean => list !== null && role !== 'entry';

const openOf = ({ orders }: AuditedList): AuditedOrder[] =>
  orders.filter((order) => order.end === null && leavesOf(order) > 0);

/** The open orders with which an order shares its quantity. */
export const siblingsOf = (order: AuditedOrder): AuditedOrder[] =>
  order.list && isLeg(order)
    ? order.list.orders.filter((other) => other !== order && other.end === null)
    : [];

/**
 * The most cents and shares that the open orders of a list may still need, fees aside. Either order may fill first, any
 * part of it, before the other one fills. The need is linear between the parts that are tried.
 */
export function listNeeds(list: AuditedList): { cents: number; shares: number } {
  const open = openOf(list);
  const [first] = open;
  if (!first) return { cents: 0, shares: 0 };
  if (first.side === 'sell')
    return {
      cents: 0,
      shares: Math.max(...open.map((order) => (order.dormant ? list.bought : leavesOf(order)))),
    };
  const highestTicks = ({ limitTicks, pendingAmendment }: AuditedOrder) =>
    Math.max(limitTicks, pendingAmendment?.limitTicks ?? 0);
  let valueTicks = 0;
  for (const order of open) {
    const other = open.find((candidate) => candidate !== order);
    const leaves = leavesOf(order);
    for (const filled of [0, Math.min(leaves, other ? leavesOf(other) : 0), leaves]) {
      const rest = other ? Math.max(0, leavesOf(other) - filled) * highestTicks(other) : 0;
      valueTicks = Math.max(valueTicks, filled * highestTicks(order) + rest);
    }
  }
  return { cents: valueTicks * first.tickCents, shares: 0 };
}
