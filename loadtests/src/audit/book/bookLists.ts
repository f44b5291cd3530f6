import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import { isLeg } from '../orderList.ts';
import type { RawEvent } from '../rawEvent.ts';
import type { Resting } from './bookLevels.ts';
import type { auditedStops } from './bookStops.ts';

type Less = Extract<RawEvent, { type: 'OrderReduced.v1' | 'OrderExpired.v1' }>;

/** Orders of a book that belong together: what one fills, the other says at once that it has less. */
export function auditedLists({
  symbol,
  orders,
  resting,
  stops,
  found,
}: {
  symbol: string;
  orders: ReadonlyMap<string, AuditedOrder>;
  resting: ReadonlyMap<string, Resting>;
  stops: ReturnType<typeof auditedStops>;
  found: Findings;
}) {
  /** What the trade before took off the other order of a list, which must be told next. */
  const less = new Map<string, number>();
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);
  const othersOf = (id: string): string[] => openSiblings(orders.get(id)).map((other) => other.id);

  const lessened = (event: Less) => {
    const { orderId } = event.data.order;
    const due = less.get(orderId);
    const ends = event.type === 'OrderExpired.v1';
    if (due === undefined || (ends ? event.data.quantity > due : event.data.quantity !== due))
      wrong(event, `${orderId} has less by ${event.data.quantity}, its list filled ${due ?? 0}`);
    less.delete(orderId);
  };

  return {
    othersOf,
    traded(event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>) {
      for (const { orderId } of [event.data.maker, event.data.taker]) {
        for (const other of othersOf(orderId)) {
          if (resting.has(other) || stops.has(other)) less.set(other, event.data.quantity);
        }
      }
    },
    /** Nothing else comes before what must be told. */
    before(event: RawEvent) {
      if (less.size === 0 || event.type === 'OrderReduced.v1' || event.type === 'OrderExpired.v1') return;
      wrong(event, `the list of ${[...less.keys()].join()} filled, and it does not say so`);
      less.clear();
    },
    lessened,
    reduced(event: Extract<RawEvent, { type: 'OrderReduced.v1' }>) {
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
    /** What an order that stands in the book shares with one of its list that has priority in an auction. */
    shadowed(order: Resting, inPriority: readonly Resting[]): number {
      const others = othersOf(order.id).flatMap((id) => resting.get(id) ?? []);
      const first = others.find((other) => inPriority.indexOf(other) < inPriority.indexOf(order));
      return first && inPriority.includes(first) ? Math.min(first.leaves, order.leaves) : 0;
    },
    inputDone() {
      if (less.size > 0)
        found.add('mismatch', `${symbol}: ${[...less.keys()].join()} has less and does not say so`);
      less.clear();
    },
  };
}

/** The other orders of its list; what ended is told later by the account than by the book. */
const openSiblings = (order: AuditedOrder | undefined): AuditedOrder[] =>
  order?.list && isLeg(order) ? order.list.orders.filter((other) => other !== order) : [];
