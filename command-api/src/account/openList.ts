import { cents, feeCents, type ListKind, type Side } from '@brokerx/contracts';
import { type Costed, leavesOf, type OpenOrder, worstCaseCents } from './openOrder.ts';

/**
 * A list of orders as its account sees it. The list holds money or shares for its orders, whichever of them fills. A fill
 * of one order takes the same shares off the other, so no share is needed twice.
 */
export type OpenList = {
  listId: string;
  kind: ListKind;
  symbol: string;
  side: Side;
  /** Its open orders. */
  orderIds: string[];
  holdCents: number;
  holdShares: number;
  /** Shares that the entry of the bracket has bought for the other orders. */
  bought: number;
};

/** Records shares that the entry of a bracket bought: the list holds them at once, to be sold. */
export function buyFor(list: OpenList, shares: number): void {
  list.bought += shares;
  list.holdShares += shares;
}

type Leg = Costed & Pick<OpenOrder, 'side'> & { dormant?: boolean };

/**
 * The most that the open orders of a list may still need together. Both orders want the shares of the smaller order, each
 * of which costs at most the dearer limit; the larger order alone wants the rest. The fee of each order is rounded up by
 * itself, so two orders may cost a cent more than one. A dormant order counts the shares bought so far.
 */
export function listWorstCase(orders: readonly Leg[], bought = 0): { holdCents: number; holdShares: number } {
  const legs = orders.map((leg) => (leg.dormant ? { ...leg, quantity: bought } : leg));
  const open = legs.filter((leg) => leavesOf(leg, leg.quantity) > 0);
  const [larger, smaller] = open.toSorted((a, b) => leavesOf(b, b.quantity) - leavesOf(a, a.quantity));
  if (!larger) return { holdCents: 0, holdShares: 0 };
  const most = leavesOf(larger, larger.quantity);
  if (larger.side === 'sell') return { holdCents: 0, holdShares: most };
  const dear = dearest(larger);
  if (!smaller) {
    const alone = { ...larger, limitTicks: dear, amendPending: null };
    return { holdCents: worstCaseCents(alone), holdShares: 0 };
  }
  const shared = leavesOf(smaller, smaller.quantity);
  const { tickCents, feePpm } = larger;
  const ticks = shared * Math.max(dear, dearest(smaller)) + (most - shared) * dear;
  const value = ticks * tickCents;
  const filled = larger.filledValueCents + smaller.filledValueCents;
  const fees = feeCents(cents(filled + value), feePpm) + (feePpm > 0 ? 1 : 0);
  return { holdCents: value + fees - larger.feesCents - smaller.feesCents, holdShares: 0 };
}

/** The limit, or the one that an unanswered change asks for. */
const dearest = ({ limitTicks, amendPending }: Leg): number =>
  Math.max(limitTicks, amendPending?.limitTicks ?? 0);
