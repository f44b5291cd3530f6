import type { Side } from '@brokerx/contracts';
import type { Standing } from './auction.ts';
import type { AuditedOrder } from './order.ts';

/** What stands in an audited book: by price, and at a price by age. */
export type Resting = { id: string; side: Side; ticks: number; leaves: number; live: boolean };
type Level = { queue: Resting[]; head: number };

export function restingOrders() {
  const levels: Record<Side, Map<number, Level>> = { buy: new Map(), sell: new Map() };
  const resting = new Map<string, Resting>();
  return {
    get: (id: string): Resting | undefined => resting.get(id),
    size: () => resting.size,
    best(side: Side): Resting | undefined {
      const ofSide = levels[side];
      let ticks: number | undefined;
      for (const price of ofSide.keys()) {
        if (ticks === undefined || (side === 'buy' ? price > ticks : price < ticks)) ticks = price;
      }
      return ticks === undefined ? undefined : oldest(ofSide.get(ticks) as Level);
    },
    remove(order: Resting): void {
      order.live = false;
      resting.delete(order.id);
      const level = levels[order.side].get(order.ticks);
      if (level && !oldest(level)) levels[order.side].delete(order.ticks);
    },
    enter(order: AuditedOrder, ticks: number, leaves: number): void {
      const entry: Resting = { id: order.id, side: order.side, ticks, leaves, live: true };
      resting.set(order.id, entry);
      const level = levels[order.side].get(ticks);
      if (level) level.queue.push(entry);
      else levels[order.side].set(ticks, { queue: [entry], head: 0 });
    },
    /** The shares at each price of both sides. */
    standing: (): Standing[] =>
      (['buy', 'sell'] as const).flatMap((side) =>
        Array.from(levels[side], ([ticks, { queue }]) => {
          const shares = queue.reduce((sum, order) => sum + (order.live ? order.leaves : 0), 0);
          return { side, ticks, shares };
        }),
      ),
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
