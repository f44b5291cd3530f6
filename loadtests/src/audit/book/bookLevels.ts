import type { Side } from '@brokerx/contracts';
import type { AuditedOrder } from '../order.ts';

/** `leaves`: all that it wants; `shown`: what of it stands in its level, for an iceberg of this `peak`. */
export type Resting = {
  id: string;
  side: Side;
  ticks: number;
  leaves: number;
  shown: number;
  peak: number | null;
  /** It has no limit of its own, and so no say in an auction's price. */
  unpriced: boolean;
  live: boolean;
};
type Level = { queue: Resting[]; head: number };

/** The orders of a book by side, price and arrival; of what left, a level keeps the place until it is passed. */
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
    /** The order that has priority. */
    best(side: Side): Resting | undefined {
      const ofSide = levels[side];
      let ticks: number | undefined;
      for (const price of ofSide.keys()) {
        if (ticks === undefined || (side === 'buy' ? price > ticks : price < ticks)) ticks = price;
      }
      return ticks === undefined ? undefined : oldest(ofSide.get(ticks) as Level);
    },
    /** The orders of a side in their priority. */
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
    /** By older rules every order had a say in an auction's price. */
    enter({ id, side, peak, type }: AuditedOrder, ticks: number, leaves: number, version: number) {
      const shown = Math.min(leaves, peak ?? leaves);
      const unpriced = version >= 4 && type !== 'limit' && type !== 'stop_limit';
      place({ id, side, ticks, leaves, shown, peak, unpriced, live: true });
    },
  };
}

/** First order of the level that still stands; those before it are passed for good. */
function oldest(level: Level): Resting | undefined {
  while (level.head < level.queue.length && !level.queue[level.head]?.live) level.head += 1;
  if (level.head > 1_000 && level.head * 2 > level.queue.length) {
    level.queue.splice(0, level.head);
    level.head = 0;
  }
  return level.queue[level.head];
}
