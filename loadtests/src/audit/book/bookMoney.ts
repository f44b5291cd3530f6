import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';
import type { auditedBands } from './bands.ts';
import type { Incoming } from './bookIncoming.ts';
import type { Resting } from './bookLevels.ts';

type Known = {
  orders: ReadonlyMap<string, AuditedOrder>;
  /** In their priority. */
  sells: () => readonly Resting[];
  /** The other orders of its list. */
  othersOf: (id: string) => readonly string[];
  bands: ReturnType<typeof auditedBands>;
  rules: { readonly lotShares: number; readonly orderSharesMax: number };
  version: () => number;
  wrong: (event: RawEvent, what: string) => void;
};

/**
 * Market buys for an amount of money, once they have ended: the whole is lots, and the money that is left buys no lot more of
 * what stands in the book then. Older rules floored at each order what was still to buy, so that nothing follows from lots.
 */
export function auditedMoney({ orders, sells, othersOf, bands, rules, version, wrong }: Known) {
  /** What the rest of the money buys, share after share, and why that is all. */
  const goesOn = ({ order, ticks, money, filled, tradedAt = ticks }: Incoming) => {
    let left = money ?? 0;
    let bought = filled;
    let cents = tradedAt * order.tickCents;
    const taken = new Map<string, number>();
    const buys = () => Math.min(Math.floor(left / cents), rules.orderSharesMax - bought);
    const lots = (shares: number) => Math.floor(shares / rules.lotShares);
    const said = () => ({
      buysMore: lots(bought) > lots(filled),
      isSpent: lots(bought + buys()) === lots(filled),
    });
    for (const [price, queue] of Map.groupBy(sells(), (sell) => sell.ticks)) {
      if (price > ticks) break;
      const turns = queue.map(({ id, shown, leaves, peak }) => ({ id, shown, hidden: leaves - shown, peak }));
      for (const { id, shown, hidden, peak } of turns) {
        const has = shown - othersOf(id).reduce((sum, other) => sum + (taken.get(other) ?? 0), 0);
        if (has <= 0) continue;
        cents = price * order.tickCents;
        const isOwn = order.selfTrade !== 'none' && orders.get(id)?.accountId === order.accountId;
        if (buys() === 0 || (isOwn && order.selfTrade !== 'cancel_oldest')) return said();
        if (isOwn) continue;
        if (!order.bandExempt && bands.isOutside(price)) return said();
        const shares = Math.min(buys(), has);
        left -= shares * cents;
        bought += shares;
        taken.set(id, (taken.get(id) ?? 0) + shares);
        const next = Math.min(hidden, peak ?? 0);
        if (shares === shown && next > 0) turns.push({ id, shown: next, hidden: hidden - next, peak });
      }
    }
    return said();
  };

  return (event: RawEvent, ended: Incoming): void => {
    if (version() < 4 && rules.lotShares > 1) return;
    const { order, filled } = ended;
    if (filled % rules.lotShares !== 0) wrong(event, `${order.id} bought ${filled}, which is no whole lots`);
    const reason = event.type === 'OrderExpired.v1' ? event.data.reason : null;
    if (reason === 'EXECUTION_BOUND' || reason === 'SELF_TRADE_PREVENTED') return;
    const { buysMore, isSpent } = goesOn(ended);
    if (buysMore || isSpent !== (reason === null)) wrong(event, `${order.id} could still buy`);
  };
}
