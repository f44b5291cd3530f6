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

/** The model's lists of orders: which orders belong together, and how fills of one reduce the others. */
export function modelLists() {
  let lists: ModelList[] = [];
  const open = (o: Order) => o.quantity - o.done;
  /** The leg with this id of a bracket whose legs are not activated yet. */
  const dormantOf = (id: string) => {
    const list = lists.find(({ legs, entry }) => entry && legs.includes(id));
    const placed = list?.entry?.dormant.find(({ orderId }) => orderId === id);
    if (!list?.entry || !placed) return undefined;
    const order = { orderId: id, accountId: placed.accountId, revision: list.entry.revision };
    return { list, placed, order };
  };
  const removeLeg = (id: string) => {
    for (const list of lists) list.legs = list.legs.filter((leg) => leg !== id);
  };
  const siblings = (id: string) =>
    lists.flatMap(({ legs }) => (legs.includes(id) ? legs.filter((leg) => leg !== id) : []));

  return {
    siblings,
    has: (id: string) => lists.some(({ legs }) => legs.includes(id)),
    add(listId: string, legs: string[], entry: Entry | null) {
      lists.push({ listId, legs, entry });
    },
    all: () => lists,
    /** Returns a function that restores the present state, after a trial. */
    saved() {
      const before = lists.map(({ entry }) => ({ filled: entry?.filled, lowTicks: entry?.lowTicks }));
      return () => {
        for (const [n, { entry }] of lists.entries()) if (entry) Object.assign(entry, before[n]);
      };
    },
    /** Notes a trade for each bracket whose entry has bought something and took no part in it: the lowest price counts. */
    notePrint(price: number, own: readonly string[]) {
      for (const { entry } of lists)
        if (entry && entry.filled > 0 && !own.includes(entry.orderId))
          entry.lowTicks = entry.lowTicks > 0 ? Math.min(entry.lowTicks, price) : price;
    },
    dormantOf,
    removeLeg,
    expireDormant(id: string, reason: ExpiryReason): BookFact[] {
      const dormant = dormantOf(id);
      if (!dormant) return [];
      removeLeg(id);
      const { side, limitTicks: priceTicks, quantity } = dormant.placed;
      const data = { order: dormant.order, side, priceTicks, quantity, resting: false, reason };
      return [{ type: 'OrderExpired.v1', data }];
    },
    /** Removes ended orders from their lists, after each input. */
    prune(isOpen: (id: string) => boolean) {
      for (const list of lists) if (!list.entry) list.legs = list.legs.filter(isOpen);
      lists = lists.filter(({ legs, entry }) => legs.length > 0 || (entry !== null && !entry.isOver));
    },
    rows: () =>
      lists.map(({ listId, legs, entry }) => ({ listId, legs: [...legs], entry: entry && { ...entry } })),

    /** The shares that an order adds to an auction: those that a sibling with priority has in common with it count once. */
    effectiveQuantity(order: Order, orders: readonly Order[]): number {
      const siblingIds = siblings(order.id);
      const sibling = siblingIds.length > 0 && orders.find(({ id }) => siblingIds.includes(id));
      if (!sibling) return open(order);
      const priceLead = order.side === 'buy' ? sibling.price - order.price : order.price - sibling.price;
      const isSiblingFirst = priceLead > 0 || (priceLead === 0 && sibling.arrival < order.arrival);
      return isSiblingFirst ? Math.max(0, open(order) - open(sibling)) : open(order);
    },

    /** Takes the shares that one order of a list filled off the others, and adds the outputs. */
    reduceSiblings(
      id: string,
      shares: number,
      { orders, stops }: { orders: readonly Order[]; stops: readonly ModelStop[] },
      facts: BookFact[],
    ): void {
      for (const { entry } of lists) if (entry?.orderId === id) entry.filled += shares;
      for (const siblingId of siblings(id)) {
        const reason = 'OCO_TRIGGER' as const;
        const o = orders.find((one) => one.id === siblingId);
        if (o) {
          const order = { orderId: o.id, accountId: o.accountId, revision: o.revision };
          const quantity = Math.min(shares, open(o));
          o.quantity -= quantity;
          const terms = { order, side: o.side, priceTicks: o.price, quantity };
          if (open(o) > 0) facts.push({ type: 'OrderReduced.v1', data: { ...terms, leaves: open(o) } });
          else facts.push({ type: 'OrderExpired.v1', data: { ...terms, resting: true, reason } });
        }
        const stop = stops.find(({ placed }) => placed.orderId === siblingId);
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
