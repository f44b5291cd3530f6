import { cents, feeCents, type ListKind, type Side } from '@brokerx/contracts';
import { type Costed, leavesOf, type OpenOrder, worstCaseCents } from './openOrder.ts';

/**
 * Orders that belong together, as their account sees them: what is held is the list's, for whichever of its orders
 * fills. A fill of one takes the same shares off the other, so no share is ever needed twice.
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
  /** What the entry of a bracket has bought for them. */
  bought: number;
};

/** The entry of a bracket has bought so much, which its other orders hold at once. */
export function buyFor(list: OpenList, shares: number): void {
  list.bought += shares;
  list.holdShares += shares;
}

type Leg = Costed & Pick<OpenOrder, 'side'> & { dormant?: boolean };

/**
 * The most that the open orders of a list may still need together. They share the shares of the smaller one, each of
 * which costs the dearer limit at most; what the larger one has beyond is its own. Each order's fee is rounded up by
 * itself, which may cost a cent more than one order's. A dormant one is for what was bought so far.
 */
export function listWorstCase(given: readonly Leg[], bought = 0): { holdCents: number; holdShares: number } {
  const legs = given.map((leg) => (leg.dormant ? { ...leg, quantity: bought } : leg));
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
