import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';
import type { auditedBands } from './bands.ts';
import type { Incoming } from './bookIncoming.ts';
import type { Resting } from './bookLevels.ts';

type MoneyDeps = {
  orders: ReadonlyMap<string, AuditedOrder>;
  /** The sell orders in their priority. */
  sells: () => readonly Resting[];
  /** The ids of the other orders of an order's list. */
  othersOf: (id: string) => readonly string[];
  bands: ReturnType<typeof auditedBands>;
  rules: { readonly lotShares: number; readonly orderSharesMax: number };
  version: () => number;
  wrong: (event: RawEvent, what: string) => void;
};

/**
 * Checks a market buy for an amount of money at its end: it must have bought whole lots, and the rest of the money must not
 * buy one lot more of what is in the book then. Before version 4 of the rules each trade was rounded down to lots, so with
 * lots of several shares nothing can be concluded.
 */
export function auditedMoney({ orders, sells, othersOf, bands, rules, version, wrong }: MoneyDeps) {
  /** Goes on buying with the rest of the money, and tells whether it buys a lot more, and whether the money ends the buying. */
  const continued = ({ order, ticks, money, filled, tradedAt = ticks }: Incoming) => {
    let leftCents = money ?? 0;
    let bought = filled;
    let cents = tradedAt * order.tickCents;
    const taken = new Map<string, number>();
    const affordable = () => Math.min(Math.floor(leftCents / cents), rules.orderSharesMax - bought);
    const lots = (shares: number) => Math.floor(shares / rules.lotShares);
    const result = () => ({
      buysMore: lots(bought) > lots(filled),
      isSpent: lots(bought + affordable()) === lots(filled),
    });
    for (const [price, queue] of Map.groupBy(sells(), (sell) => sell.ticks)) {
      if (price > ticks) break;
      const inTurn = queue.map(({ id, shown, leaves, peak }) => ({
        id,
        shown,
        hidden: leaves - shown,
        peak,
      }));
      for (const { id, shown, hidden, peak } of inTurn) {
        const available = shown - othersOf(id).reduce((sum, other) => sum + (taken.get(other) ?? 0), 0);
        if (available <= 0) continue;
        cents = price * order.tickCents;
        const isOwn = order.selfTrade !== 'none' && orders.get(id)?.accountId === order.accountId;
        if (affordable() === 0 || (isOwn && order.selfTrade !== 'cancel_oldest')) return result();
        if (isOwn) continue;
        if (!order.bandExempt && bands.isOutside(price)) return result();
        const shares = Math.min(affordable(), available);
        leftCents -= shares * cents;
        bought += shares;
        taken.set(id, (taken.get(id) ?? 0) + shares);
        const nextPeak = Math.min(hidden, peak ?? 0);
        if (shares === shown && nextPeak > 0)
          inTurn.push({ id, shown: nextPeak, hidden: hidden - nextPeak, peak });
      }
    }
    return result();
  };

  return (event: RawEvent, ended: Incoming): void => {
    if (version() < 4 && rules.lotShares > 1) return;
    const { order, filled } = ended;
    if (filled % rules.lotShares !== 0) wrong(event, `${order.id} bought ${filled}, which is no whole lots`);
    const reason = event.type === 'OrderExpired.v1' ? event.data.reason : null;
    if (reason === 'EXECUTION_BOUND' || reason === 'SELF_TRADE_PREVENTED') return;
    const { buysMore, isSpent } = continued(ended);
    if (buysMore || isSpent !== (reason === null)) wrong(event, `${order.id} could still buy`);
  };
}
