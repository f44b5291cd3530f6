import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import { isLeg } from '../orderList.ts';
import type { RawEvent, RawEventOf } from '../rawEvent.ts';
import type { Resting } from './bookLevels.ts';
import type { auditedStops } from './bookStops.ts';

type Reduction = RawEventOf<'OrderReduced.v1' | 'OrderExpired.v1'>;

/** Checks the lists of a book: when one order of a list trades, an output must reduce the other one at once. */
export function auditedLists({
  symbol,
  orders,
  resting,
  stops,
  findings,
}: {
  symbol: string;
  orders: ReadonlyMap<string, AuditedOrder>;
  resting: ReadonlyMap<string, Resting>;
  stops: ReturnType<typeof auditedStops>;
  findings: Findings;
}) {
  /** Quantities by which the last trade must reduce the other orders of the lists that traded. */
  const reductions = new Map<string, number>();
  const wrong = (event: RawEvent, what: string) =>
    findings.add('mismatch', `${symbol}@${event.revision}: ${what}`);
  const othersOf = (id: string): string[] => openSiblings(orders.get(id)).map((other) => other.id);

  const lessened = (event: Reduction) => {
    const { orderId } = event.data.order;
    const due = reductions.get(orderId);
    const isEnd = event.type === 'OrderExpired.v1';
    if (due === undefined || (isEnd ? event.data.quantity > due : event.data.quantity !== due))
      wrong(event, `${orderId} has less by ${event.data.quantity}, its list filled ${due ?? 0}`);
    reductions.delete(orderId);
  };

  return {
    othersOf,
    traded(event: RawEventOf<'TradeExecuted.v1'>) {
      for (const { orderId } of [event.data.maker, event.data.taker]) {
        for (const other of othersOf(orderId)) {
          if (resting.has(other) || stops.has(other)) reductions.set(other, event.data.quantity);
        }
      }
    },
    /** Checks that the reductions come before any other output. */
    before(event: RawEvent) {
      if (reductions.size === 0 || event.type === 'OrderReduced.v1' || event.type === 'OrderExpired.v1')
        return;
      wrong(event, `the list of ${[...reductions.keys()].join()} filled, and it does not say so`);
      reductions.clear();
    },
    lessened,
    reduced(event: RawEventOf<'OrderReduced.v1'>) {
      lessened(event);
      if (event.data.held) return stops.lessen(event);
      const { order, quantity, leaves } = event.data;
      const entry = resting.get(order.orderId);
      if (entry) {
        entry.leaves -= quantity;
        entry.shown -= quantity;
      }
      if (entry?.leaves !== leaves || leaves <= 0) wrong(event, `${order.orderId} has not ${leaves} left`);
    },
    /** The shares that a resting order has in common with one of its list that has priority in an auction. */
    shadowed(order: Resting, inPriority: readonly Resting[]): number {
      const others = othersOf(order.id).flatMap((id) => resting.get(id) ?? []);
      const first = others.find((other) => inPriority.indexOf(other) < inPriority.indexOf(order));
      return first && inPriority.includes(first) ? Math.min(first.leaves, order.leaves) : 0;
    },
    inputDone() {
      if (reductions.size > 0)
        findings.add('mismatch', `${symbol}: ${[...reductions.keys()].join()} has less and does not say so`);
      reductions.clear();
    },
  };
}

/** The other orders of its list. The book is ahead of the accounts, so `end` does not tell yet which of them have ended. */
const openSiblings = (order: AuditedOrder | undefined): AuditedOrder[] =>
  order?.list && isLeg(order) ? order.list.orders.filter((other) => other !== order) : [];
