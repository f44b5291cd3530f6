import assert from 'node:assert/strict';

/**
 * The price levels of one side of a book, the best one last, so that what happens at and near the best price
 * moves few elements. Within a level orders form a linked list in time priority: the oldest is first. Orders know
 * their level and neighbours, so that one leaves its level without a search; nothing is allocated but levels.
 */
export type Side = 'buy' | 'sell';

/** An order in the book. `leaves` is what of its `quantity` (its total) is neither filled nor taken back. */
export type RestingOrder = {
  readonly id: string;
  readonly accountId: string;
  /** Revision of the account's stream that placed it. */
  readonly revision: number;
  readonly side: Side;
  readonly priceTicks: number;
  /** How it was placed, in bits (`flags.ts`). */
  readonly flags: number;
  quantity: number;
  leaves: number;
  level: Level | null;
  previous: RestingOrder | null;
  next: RestingOrder | null;
};

export type Level = {
  readonly priceTicks: number;
  /** Sum of `leaves` of its orders. */
  shares: number;
  first: RestingOrder | null;
  last: RestingOrder | null;
};

export type Levels = {
  readonly side: Side;
  /** Worst price first, best last: ascending for buys, descending for sells. */
  readonly sorted: Level[];
};

export const emptyLevels = (side: Side): Levels => ({ side, sorted: [] });

export function bestLevel({ sorted }: Levels): Level | undefined {
  return sorted.length === 0 ? undefined : sorted[sorted.length - 1];
}

/** Puts an order behind all others at its price. */
export function enqueue(levels: Levels, order: RestingOrder): void {
  const level = levelAt(levels, order.priceTicks);
  order.level = level;
  order.previous = level.last;
  order.next = null;
  if (level.last) level.last.next = order;
  else level.first = order;
  level.last = order;
  level.shares += order.leaves;
}

/** Takes an order out; its level goes with the last of its orders. */
export function dequeue(levels: Levels, order: RestingOrder): void {
  const { level, previous, next } = order;
  assert(level, `order ${order.id} is not in a level`);
  if (previous) previous.next = next;
  else level.first = next;
  if (next) next.previous = previous;
  else level.last = previous;
  level.shares -= order.leaves;
  order.level = null;
  order.previous = null;
  order.next = null;
  if (!level.first) removeLevel(levels, level);
}

function levelAt(levels: Levels, priceTicks: number): Level {
  const { sorted } = levels;
  const place = firstNotWorse(levels, priceTicks);
  const found = sorted[place];
  if (found?.priceTicks === priceTicks) return found;
  const level: Level = { priceTicks, shares: 0, first: null, last: null };
  sorted.push(level);
  for (let i = sorted.length - 1; i > place; i--) sorted[i] = sorted[i - 1] as Level;
  sorted[place] = level;
  return level;
}

function removeLevel(levels: Levels, level: Level): void {
  const { sorted } = levels;
  const place = firstNotWorse(levels, level.priceTicks);
  assert(sorted[place] === level && level.shares === 0, `no empty level at ${level.priceTicks}`);
  for (let i = place + 1; i < sorted.length; i++) sorted[i - 1] = sorted[i] as Level;
  sorted.pop();
}

/** Index of the first level whose price is equal to or better than this one. */
function firstNotWorse({ side, sorted }: Levels, priceTicks: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const price = (sorted[middle] as Level).priceTicks;
    if (side === 'buy' ? price < priceTicks : price > priceTicks) low = middle + 1;
    else high = middle;
  }
  return low;
}
