import assert from 'node:assert/strict';
import { UNPRICED } from './flags.ts';
import type { Orders, RestingOrder, Side } from './orders.ts';
import { FLAGS, LEAVES, LEVEL, NEXT, NONE, PREVIOUS, PRICE, ROW_MASK, WORDS_SHIFT } from './rows.ts';

/**
 * The price levels of one side of a book. The best level is last, so that changes near the best price move few elements.
 * The orders of a level form a linked list in time priority, the oldest first. An order's row names its level and its
 * neighbours, so that it leaves without a search. Only levels are allocated.
 */
export type { NewOrder, RestingOrder, Side } from './orders.ts';

export class Level {
  priceTicks: number;
  /** The price, negative for sells: a better price has a higher rank. */
  rank: number;
  /** The sum of its orders' `leaves`. */
  shares: number;
  /** The part of `shares` that belongs to orders without a limit of their own. */
  unpriced: number;
  firstRow: number;
  lastRow: number;
  /** Its index in `Levels.all`, by which rows name their level. */
  readonly number: number;
  readonly #orders: Orders;

  constructor(number: number, orders: Orders) {
    this.priceTicks = 0;
    this.rank = 0;
    this.shares = 0;
    this.unpriced = 0;
    this.firstRow = NONE;
    this.lastRow = NONE;
    this.number = number;
    this.#orders = orders;
  }

  /** Its oldest order. */
  get first(): RestingOrder | null {
    return this.firstRow === NONE ? null : this.#orders.seen(this.firstRow);
  }

  /** The next younger order. */
  after({ row }: RestingOrder): RestingOrder | null {
    const next = this.#orders.rows.get(row, NEXT);
    return next === NONE ? null : this.#orders.seen(next);
  }
}

export type Levels = {
  /** 1 for buys, -1 for sells: a rank is the price times this. */
  readonly sign: number;
  /** Worst price first, best last: ascending for buys, descending for sells. */
  readonly sorted: Level[];
  readonly orders: Orders;
  /** All levels ever made, by number. Those in `free` are used again, because prices come and go all the time. */
  readonly all: Level[];
  readonly free: Level[];
};

export const emptyLevels = (side: Side, orders: Orders): Levels => ({
  sign: side === 'buy' ? 1 : -1,
  sorted: [],
  orders,
  all: [],
  free: [],
});

export function bestLevel({ sorted }: Levels): Level | undefined {
  return sorted.length === 0 ? undefined : sorted[sorted.length - 1];
}

/** The level of a row. */
export function levelOf({ orders, all }: Levels, row: number): Level {
  return all[orders.rows.get(row, LEVEL)] as Level;
}

/** Adds an order at the back of its level. */
export function enqueue(levels: Levels, row: number): void {
  const { rows } = levels.orders;
  const page = rows.own(row);
  const at = (row & ROW_MASK) << WORDS_SHIFT;
  const level = levelAt(levels, page[at + PRICE] as number);
  page[at + LEVEL] = level.number;
  page[at + PREVIOUS] = level.lastRow;
  page[at + NEXT] = NONE;
  if (level.lastRow === NONE) level.firstRow = row;
  else rows.set(level.lastRow, NEXT, row);
  level.lastRow = row;
  addShares(level, page[at + FLAGS] as number, page[at + LEAVES] as number);
}

/** Adds shares of an order with these flags to a level's sums, or takes them off (negative). */
export function addShares(level: Level, flags: number, shares: number): void {
  level.shares += shares;
  if ((flags & UNPRICED) !== 0) level.unpriced += shares;
}

/** Takes an order out of its level, and removes the level when it is empty. */
export function dequeue(levels: Levels, row: number): void {
  const { rows } = levels.orders;
  const page = rows.own(row);
  const at = (row & ROW_MASK) << WORDS_SHIFT;
  const level = levels.all[page[at + LEVEL] as number] as Level;
  const previous = page[at + PREVIOUS] as number;
  const next = page[at + NEXT] as number;
  if (previous === NONE) level.firstRow = next;
  else rows.set(previous, NEXT, next);
  if (next === NONE) level.lastRow = previous;
  else rows.set(next, PREVIOUS, previous);
  addShares(level, page[at + FLAGS] as number, -(page[at + LEAVES] as number));
  if (level.firstRow === NONE) removeLevel(levels, level);
}

function levelAt(levels: Levels, priceTicks: number): Level {
  const { sorted } = levels;
  const rank = priceTicks * levels.sign;
  const place = firstNotWorse(sorted, rank);
  const existing = sorted[place];
  if (existing?.rank === rank) return existing;
  const level = levels.free.pop() ?? addLevel(levels);
  level.priceTicks = priceTicks;
  level.rank = rank;
  sorted.push(level);
  for (let i = sorted.length - 1; i > place; i--) sorted[i] = sorted[i - 1] as Level;
  sorted[place] = level;
  return level;
}

function removeLevel({ sorted, free }: Levels, level: Level): void {
  const place = firstNotWorse(sorted, level.rank);
  if (sorted[place] !== level || level.shares !== 0) assert.fail(`no empty level at ${level.priceTicks}`);
  for (let i = place + 1; i < sorted.length; i++) sorted[i - 1] = sorted[i] as Level;
  sorted.pop();
  free.push(level);
}

function addLevel({ all, orders }: Levels): Level {
  const level = new Level(all.length, orders);
  all.push(level);
  return level;
}

/**
 * The index of the first level of this rank or better. Most changes are near the best price, so the search compares the
 * nearest levels one by one before it halves the rest.
 */
function firstNotWorse(sorted: readonly Level[], rank: number): number {
  let high = sorted.length;
  for (const near = high > NEAR_LEVELS ? high - NEAR_LEVELS : 0; high > near; high--) {
    if ((sorted[high - 1] as Level).rank < rank) return high;
  }
  let low = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Level).rank < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}

const NEAR_LEVELS = 12;
