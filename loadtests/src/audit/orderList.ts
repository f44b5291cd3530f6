import type { AccountFact } from '@brokerx/contracts';
import { type AuditedList, type AuditedOrder, leavesOf } from './order.ts';

type Placed = Extract<AccountFact, { type: 'OrderListPlaced.v1' }>['data'];

export const listFrom = ({ listId, kind, holdCents, holdShares }: Placed): AuditedList => ({
  id: listId,
  orders: [],
  entry: null,
  bought: 0,
  // What a bracket holds is its entry's.
  holdCents: kind === 'bracket' ? 0 : holdCents,
  holdShares,
});

/** The orders of a bracket that sell what its entry buys. */
export const sellersOf = ({ list, role }: AuditedOrder): AuditedOrder[] =>
  role === 'entry' && list ? list.orders.filter(({ end }) => end === null) : [];

/** Its quantity is the list's: what its sibling fills meanwhile stands, whatever a change asks for. */
export const isLeg = ({ list, role }: AuditedOrder): boolean => list !== null && role !== 'entry';

const openOf = ({ orders }: AuditedList): AuditedOrder[] =>
  orders.filter((order) => order.end === null && leavesOf(order) > 0);

/** The other orders of its list that are open. */
export const siblingsOf = (order: AuditedOrder): AuditedOrder[] =>
  order.list && isLeg(order)
    ? order.list.orders.filter((other) => other !== order && other.end === null)
    : [];

/**
 * The most cents and shares that the open orders of a list may still need, fees aside: whichever of the two fills
 * first, and however much before the other one does, at the ends between which it is linear.
 */
export function listNeeds(list: AuditedList): { cents: number; shares: number } {
  const open = openOf(list);
  const [first] = open;
  if (!first) return { cents: 0, shares: 0 };
  if (first.side === 'sell')
    return { cents: 0, shares: Math.max(...open.map((one) => (one.dormant ? list.bought : leavesOf(one)))) };
  const price = ({ limitTicks, asked }: AuditedOrder) => Math.max(limitTicks, asked?.limitTicks ?? 0);
  let ticks = 0;
  for (const one of open) {
    const other = open.find((candidate) => candidate !== one);
    const most = leavesOf(one);
    for (const before of [0, Math.min(most, other ? leavesOf(other) : 0), most]) {
      const after = other ? Math.max(0, leavesOf(other) - before) * price(other) : 0;
      ticks = Math.max(ticks, before * price(one) + after);
    }
  }
  return { cents: ticks * first.tickCents, shares: 0 };
}
