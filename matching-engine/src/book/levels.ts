import assert from 'node:assert/strict';
import { UNPRICED } from './flags.ts';
import type { Orders, RestingOrder, Side } from './orders.ts';
import { FLAGS, LEAVES, LEVEL, NEXT, NONE, PREVIOUS, PRICE, ROW_MASK, WORDS_SHIFT } from './rows.ts';

/**
 * The price levels of one side of a book, the best one last, so that what happens at and near the best price
 * moves few elements. Within a level orders form a linked list in time priority: the oldest is first. Orders know
 * their level and neighbours, so that one leaves its level without a search; nothing is allocated but levels.
 */
export type { NewOrder, RestingOrder, Side } from './orders.ts';

export class Level {
  priceTicks: number;
  /** The price, negative among sells: the better, the higher. */
  rank: number;
  /** Sum of `leaves` of its orders. */
  shares: number;
  /** What of them is of orders without a limit of their own. */
  unpriced: number;
  firstRow: number;
  lastRow: number;
  /** By which its rows name it, in `Levels.all`. */
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

  /** The oldest of its orders. */
  get first(): RestingOrder | null {
    return this.firstRow === NONE ? null : this.#orders.seen(this.firstRow);
  }

  /** The next younger one of its orders. */
  after({ row }: RestingOrder): RestingOrder | null {
    const next = this.#orders.rows.get(row, NEXT);
    return next === NONE ? null : this.#orders.seen(next);
  }
}

export type Levels = {
  /** What makes a rank of a price: 1 or -1. */
  readonly sign: number;
  /** Worst price first, best last: ascending for buys, descending for sells. */
  readonly sorted: Level[];
  readonly orders: Orders;
  /** All that were ever needed, by number, and those that are free: prices come and go at every moment. */
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

/** The level that a row stands in. */
export function levelOf({ orders, all }: Levels, row: number): Level {
  return all[orders.rows.get(row, LEVEL)] as Level;
}

/** Puts an order behind all others at its price. */
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

/** More shares of an order with these flags stand there, or (below zero) less. */
export function addShares(level: Level, flags: number, shares: number): void {
  level.shares += shares;
  if ((flags & UNPRICED) !== 0) level.unpriced += shares;
}

/** Takes an order out; its level goes with the last of its orders. */
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
  const found = sorted[place];
  if (found?.rank === rank) return found;
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
 * Index of the first level that is equal or better. Most of what happens is near the best price: the nearest levels are
 * looked at one by one before the others are halved.
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
