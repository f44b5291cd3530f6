import type { Side } from '@brokerx/contracts';
import type { AuditedOrder } from '../order.ts';

/** An order that rests in the book. */
export type Resting = {
  id: string;
  side: Side;
  ticks: number;
  leaves: number;
  /** The part of the leaves that stands in its level; the rest is hidden. */
  shown: number;
  /** The quantity that an iceberg shows at a time; null: it is no iceberg. */
  peak: number | null;
  /** Whether it has no limit of its own, so that it does not count for the price of an auction. */
  unpriced: boolean;
  /** False once it has left the book. */
  live: boolean;
};
type Level = { queue: Resting[]; head: number };

/** The orders of a book by side, price and arrival. An order that left keeps its place in the queue until that is passed. */
export function auditedLevels() {
  const levels: Record<Side, Map<number, Level>> = { buy: new Map(), sell: new Map() };
  const resting = new Map<string, Resting>();
  const place = (entry: Resting) => {
    const { id, side, ticks } = entry;
    resting.set(id, entry);
    const level = levels[side].get(ticks);
    if (level) level.queue.push(entry);
    else levels[side].set(ticks, { queue: [entry], head: 0 });
  };
  return {
    resting: resting as ReadonlyMap<string, Resting>,
    place,
    /** The order of a side that has priority. */
    best(side: Side): Resting | undefined {
      const prices = levels[side];
      let ticks: number | undefined;
      for (const price of prices.keys()) {
        if (ticks === undefined || (side === 'buy' ? price > ticks : price < ticks)) ticks = price;
      }
      return ticks === undefined ? undefined : oldest(prices.get(ticks) as Level);
    },
    /** The orders of a side, in their priority. */
    inPriority: (side: Side): Resting[] =>
      [...levels[side]]
        .sort(([a], [b]) => (side === 'buy' ? b - a : a - b))
        .flatMap(([, { queue }]) => queue.filter(({ live }) => live)),
    remove(order: Resting) {
      order.live = false;
      resting.delete(order.id);
      const level = levels[order.side].get(order.ticks);
      if (level && !oldest(level)) levels[order.side].delete(order.ticks);
    },
    /** Lets an order rest. Before version 4 of the rules every order counted for the price of an auction. */
    enter({ id, side, peak, type }: AuditedOrder, ticks: number, leaves: number, version: number) {
      const shown = Math.min(leaves, peak ?? leaves);
      const unpriced = version >= 4 && type !== 'limit' && type !== 'stop_limit';
      place({ id, side, ticks, leaves, shown, peak, unpriced, live: true });
    },
  };
}

/** The first order of a level that is still in the book. Those before it are passed for good. */
function oldest(level: Level): Resting | undefined {
  while (level.head < level.queue.length && !level.queue[level.head]?.live) level.head += 1;
  if (level.head > 1_000 && level.head * 2 > level.queue.length) {
    level.queue.splice(0, level.head);
    level.head = 0;
  }
  return level.queue[level.head];
}
