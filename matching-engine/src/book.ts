import assert from 'node:assert/strict';
import {
  bestLevel,
  dequeue,
  emptyLevels,
  enqueue,
  type Level,
  type Levels,
  type RestingOrder,
  type Side,
} from './levels.ts';

/**
 * The order book of one symbol: price-time priority on two sides. `orders` finds an order by its id, and its
 * insertion order is the order of priority in time: an order that is given a new priority must be taken out and put
 * in again. Prices are ticks, quantities shares.
 */
export type Book = {
  readonly buys: Levels;
  readonly sells: Levels;
  readonly orders: Map<string, RestingOrder>;
};

export type NewOrder = Omit<RestingOrder, 'level' | 'previous' | 'next'>;

export const emptyBook = (): Book => ({
  buys: emptyLevels('buy'),
  sells: emptyLevels('sell'),
  orders: new Map(),
});

export function rest(book: Book, order: NewOrder): void {
  assert(!book.orders.has(order.id), `order ${order.id} is in the book already`);
  assert(order.leaves > 0 && order.leaves <= order.quantity, `order ${order.id} has ${order.leaves} to rest`);
  // One literal, so that all resting orders have the same hidden class.
  const { id, accountId, revision, side, priceTicks, flags, quantity, leaves } = order;
  const resting: RestingOrder = {
    id,
    accountId,
    revision,
    side,
    priceTicks,
    flags,
    quantity,
    leaves,
    level: null,
    previous: null,
    next: null,
  };
  book.orders.set(id, resting);
  enqueue(sideOf(book, side), resting);
}

export function remove(book: Book, order: RestingOrder): void {
  const known = book.orders.delete(order.id);
  assert(known, `order ${order.id} is not in the book`);
  dequeue(sideOf(book, order.side), order);
}

/** Fills shares of an order in the book; it leaves with its last one. */
export function fill(book: Book, order: RestingOrder, shares: number): void {
  assert(shares > 0 && shares <= order.leaves && order.level, `${shares} of ${order.leaves} of ${order.id}`);
  if (shares === order.leaves) {
    remove(book, order);
    order.leaves = 0;
    return;
  }
  order.leaves -= shares;
  order.level.shares -= shares;
}

/** Lowers an order's total quantity to one above what is filled; its priority stays. */
export function reduce(order: RestingOrder, quantity: number): void {
  const less = order.quantity - quantity;
  assert(less > 0 && less < order.leaves && order.level, `${order.id} cannot go to ${quantity}`);
  order.quantity = quantity;
  order.leaves -= less;
  order.level.shares -= less;
}

/** The level that an order of this side and limit trades with next, if any. */
export function matchable(book: Book, takerSide: Side, limitTicks: number): Level | undefined {
  const level = bestLevel(takerSide === 'buy' ? book.sells : book.buys);
  return level && within(takerSide, level.priceTicks, limitTicks) ? level : undefined;
}

const sideOf = (book: Book, side: Side): Levels => (side === 'buy' ? book.buys : book.sells);
const within = (side: Side, priceTicks: number, limitTicks: number): boolean =>
  side === 'buy' ? priceTicks <= limitTicks : priceTicks >= limitTicks;
