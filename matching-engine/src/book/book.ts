import assert from 'node:assert/strict';
import {
  addShares,
  bestLevel,
  dequeue,
  emptyLevels,
  enqueue,
  type Level,
  type Levels,
  levelOf,
} from './levels.ts';
import { BUYS, type NewOrder, Orders, type RestingOrder, type Side } from './orders.ts';
import { FLAGS, LEAVES, QUANTITY } from './rows.ts';

/**
 * The order book of one symbol: two sides with price-time priority. `orders` finds orders by id and keeps their order
 * of arrival, which is their priority in time. An order that gets a new priority must be removed and added again.
 * Prices are ticks, quantities are shares.
 */
export type Book = {
  readonly buys: Levels;
  readonly sells: Levels;
  readonly orders: Orders;
};

export type { NewOrder } from './orders.ts';

export const emptyBook = (): Book => bookOf('buy', 'sell');

/** A book whose two sides are sorted like those given: the stops of a symbol are such a book, with the sides swapped. */
export function bookOf(buys: Side, sells: Side): Book {
  const orders = new Orders();
  return { buys: emptyLevels(buys, orders), sells: emptyLevels(sells, orders), orders };
}

export function rest(book: Book, order: NewOrder): void {
  const row = book.orders.add(order);
  enqueue(sideOf(book, order.side), row);
}

export function remove(book: Book, order: RestingOrder): void {
  if (!book.orders.stands(order)) assert.fail(`order ${order.id} is not in the book`);
  removeRow(book, order.row);
}

/** Fills shares of an order in the book. The order leaves the book when it has none left. */
export function fill(book: Book, order: RestingOrder, shares: number): void {
  const { leaves } = order;
  if (!(shares > 0 && shares <= leaves && book.orders.stands(order)))
    assert.fail(`${shares} of ${leaves} of ${order.id}`);
  fillRow(book, order.row, shares, leaves);
  update(order, order.quantity, leaves - shares);
}

/** Lowers an order's total quantity, to more than is filled. The order keeps its priority. */
export function reduce(book: Book, order: RestingOrder, quantity: number): void {
  const { row, leaves } = order;
  const less = order.quantity - quantity;
  if (!(less > 0 && less < leaves && book.orders.stands(order)))
    assert.fail(`${order.id} cannot go to ${quantity}`);
  reduceRow(book, row, less, leaves);
  setQuantity(book, order, quantity);
  update(order, quantity, leaves - less);
}

/** Changes an order's total quantity alone: the hidden part of an iceberg is kept outside the book. */
export function setQuantity({ orders }: Book, order: RestingOrder, quantity: number): void {
  orders.rows.set(order.row, QUANTITY, quantity);
  update(order, quantity, order.leaves);
}

/** Changes an order's flags. `UNPRICED` must stay as it is, because the level counts those shares. */
export function setFlags({ orders }: Book, { row, side }: RestingOrder, flags: number): void {
  orders.rows.set(row, FLAGS, side === 'buy' ? flags | BUYS : flags);
}

/** Removes an order by its row. The functions on rows skip the checks and the copy of the order. */
export function removeRow(book: Book, row: number): void {
  const { orders } = book;
  dequeue(sideOf(book, orders.sideOf(row)), row);
  orders.drop(row);
}

export function fillRow(book: Book, row: number, shares: number, leaves: number): void {
  if (shares === leaves) removeRow(book, row);
  else reduceRow(book, row, shares, leaves);
}

/** Takes shares off an order that stays in the book. */
export function reduceRow(book: Book, row: number, shares: number, leaves: number): void {
  const { orders } = book;
  orders.rows.set(row, LEAVES, leaves - shares);
  addShares(levelOf(sideOf(book, orders.sideOf(row)), row), orders.rows.get(row, FLAGS), -shares);
}

/** The level that an incoming order of this side and limit trades with next, if any. */
export function matchable(book: Book, takerSide: Side, limitTicks: number): Level | undefined {
  const level = bestLevel(takerSide === 'buy' ? book.sells : book.buys);
  return level && within(takerSide, level.priceTicks, limitTicks) ? level : undefined;
}

/** Updates the caller's copy of an order. */
function update(order: { quantity: number; leaves: number }, quantity: number, leaves: number): void {
  order.quantity = quantity;
  order.leaves = leaves;
}

export const sideOf = (book: Book, side: Side): Levels => (side === 'buy' ? book.buys : book.sells);
const within = (side: Side, priceTicks: number, limitTicks: number): boolean =>
  side === 'buy' ? priceTicks <= limitTicks : priceTicks >= limitTicks;
