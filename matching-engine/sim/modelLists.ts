import type { BookFact, EngineInput, ExpiryReason } from '@brokerx/contracts';
import type { Order } from './modelOrder.ts';
import type { ModelStop } from './modelStops.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];
type Entry = {
  orderId: string;
  filled: number;
  isOver: boolean;
  revision: number;
  dormant: Placed[];
  lowTicks: number;
};
type ModelList = { listId: string; legs: string[]; entry: Entry | null };

/** Orders that belong together once more: which they are, and what one has less by what the other fills. */
export function modelLists() {
  let lists: ModelList[] = [];
  const open = (o: Order) => o.quantity - o.done;
  /** An order of a bracket whose entry has not ended. */
  const asleep = (id: string) => {
    const list = lists.find(({ legs, entry }) => entry && legs.includes(id));
    const placed = list?.entry?.dormant.find(({ orderId }) => orderId === id);
    if (!list?.entry || !placed) return undefined;
    const order = { orderId: id, accountId: placed.accountId, revision: list.entry.revision };
    return { list, placed, order };
  };
  const drop = (id: string) => {
    for (const list of lists) list.legs = list.legs.filter((leg) => leg !== id);
  };
  const others = (id: string) =>
    lists.flatMap(({ legs }) => (legs.includes(id) ? legs.filter((leg) => leg !== id) : []));

  return {
    others,
    has: (id: string) => lists.some(({ legs }) => legs.includes(id)),
    add(listId: string, legs: string[], entry: Entry | null) {
      lists.push({ listId, legs, entry });
    },
    all: () => lists,
    /** Returns a function that undoes a trial. */
    keep() {
      const before = lists.map(({ entry }) => ({ filled: entry?.filled, lowTicks: entry?.lowTicks }));
      return () => {
        for (const [n, { entry }] of lists.entries()) if (entry) Object.assign(entry, before[n]);
      };
    },
    /** A trade happened: whose entry has bought something remembers the lowest price since, but for its own. */
    hear(price: number, own: readonly string[]) {
      for (const { entry } of lists)
        if (entry && entry.filled > 0 && !own.includes(entry.orderId))
          entry.lowTicks = entry.lowTicks > 0 ? Math.min(entry.lowTicks, price) : price;
    },
    asleep,
    drop,
    expireAsleep(id: string, reason: ExpiryReason): BookFact[] {
      const found = asleep(id);
      if (!found) return [];
      drop(id);
      const { side, limitTicks: priceTicks, quantity } = found.placed;
      const data = { order: found.order, side, priceTicks, quantity, resting: false, reason };
      return [{ type: 'OrderExpired.v1', data }];
    },
    /** After each input: what ended has left its list. */
    prune(isOpen: (id: string) => boolean) {
      for (const list of lists) if (!list.entry) list.legs = list.legs.filter(isOpen);
      lists = lists.filter(({ legs, entry }) => legs.length > 0 || (entry !== null && !entry.isOver));
    },
    rows: () =>
      lists.map(({ listId, legs, entry }) => ({ listId, legs: [...legs], entry: entry && { ...entry } })),

    /** What an order counts for beside another one of its list that has priority in the book. */
    effective(order: Order, orders: readonly Order[]): number {
      const ofList = others(order.id);
      const other = ofList.length > 0 && orders.find(({ id }) => ofList.includes(id));
      if (!other) return open(order);
      const better = order.side === 'buy' ? other.price - order.price : order.price - other.price;
      const first = better > 0 || (better === 0 && other.arrival < order.arrival);
      return first ? Math.max(0, open(order) - open(other)) : open(order);
    },

    /** Takes so much off the others, and says so. */
    lessen(
      id: string,
      shares: number,
      { orders, stops }: { orders: readonly Order[]; stops: readonly ModelStop[] },
      facts: BookFact[],
    ): void {
      for (const { entry } of lists) if (entry?.orderId === id) entry.filled += shares;
      for (const other of others(id)) {
        const reason = 'OCO_TRIGGER' as const;
        const o = orders.find((one) => one.id === other);
        if (o) {
          const order = { orderId: o.id, accountId: o.accountId, revision: o.revision };
          const quantity = Math.min(shares, open(o));
          o.quantity -= quantity;
          const told = { order, side: o.side, priceTicks: o.price, quantity };
          if (open(o) > 0) facts.push({ type: 'OrderReduced.v1', data: { ...told, leaves: open(o) } });
          else facts.push({ type: 'OrderExpired.v1', data: { ...told, resting: true, reason } });
        }
        const stop = stops.find(({ placed }) => placed.orderId === other);
        if (!stop) continue;
        const { orderId, accountId, side, limitTicks } = stop.placed;
        const order = { orderId, accountId, revision: stop.revision };
        const quantity = Math.min(shares, stop.placed.quantity);
        const leaves = stop.placed.quantity - quantity;
        stop.placed = { ...stop.placed, quantity: leaves };
        const rest = { order, side, priceTicks: stop.stop, quantity, leaves, held: true } as const;
        const end = { order, side, priceTicks: limitTicks, quantity, resting: false, reason };
        if (leaves > 0) facts.push({ type: 'OrderReduced.v1', data: rest });
        else facts.push({ type: 'OrderExpired.v1', data: end });
      }
    },
  };
}
