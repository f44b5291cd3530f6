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
 * The order book of one symbol: price-time priority on two sides. `orders` finds an order by its id and knows their
 * order of arrival, which is priority in time: an order that is given a new priority must be taken out and put in
 * again. Prices are ticks, quantities shares.
 */
export type Book = {
  readonly buys: Levels;
  readonly sells: Levels;
  readonly orders: Orders;
};

export type { NewOrder } from './orders.ts';

export const emptyBook = (): Book => bookOf('buy', 'sell');

/** A book whose levels are sorted as those of the sides named. */
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

/** Fills shares of an order in the book; it leaves with its last one. */
export function fill(book: Book, order: RestingOrder, shares: number): void {
  const { leaves } = order;
  if (!(shares > 0 && shares <= leaves && book.orders.stands(order)))
    assert.fail(`${shares} of ${leaves} of ${order.id}`);
  fillRow(book, order.row, shares, leaves);
  now(order, order.quantity, leaves - shares);
}

/** Lowers an order's total quantity to one above what is filled; its priority stays. */
export function reduce(book: Book, order: RestingOrder, quantity: number): void {
  const { row, leaves } = order;
  const less = order.quantity - quantity;
  if (!(less > 0 && less < leaves && book.orders.stands(order)))
    assert.fail(`${order.id} cannot go to ${quantity}`);
  reduceRow(book, row, less, leaves);
  setQuantity(book, order, quantity);
  now(order, quantity, leaves - less);
}

/** Changes the total alone, where what is open of an order is kept elsewhere, too. */
export function setQuantity({ orders }: Book, order: RestingOrder, quantity: number): void {
  orders.rows.set(order.row, QUANTITY, quantity);
  now(order, quantity, order.leaves);
}

/** Changes how it was placed; not whether it has a limit of its own. */
export function setFlags({ orders }: Book, { row, side }: RestingOrder, flags: number): void {
  orders.rows.set(row, FLAGS, side === 'buy' ? flags | BUYS : flags);
}

/** The same by an order's row, which is what the book itself works on. */
export function removeRow(book: Book, row: number): void {
  const { orders } = book;
  dequeue(sideOf(book, orders.sideOf(row)), row);
  orders.drop(row);
}

export function fillRow(book: Book, row: number, shares: number, leaves: number): void {
  if (shares === leaves) removeRow(book, row);
  else reduceRow(book, row, shares, leaves);
}

/** Shares leave an order that stays. */
export function reduceRow(book: Book, row: number, shares: number, leaves: number): void {
  const { orders } = book;
  orders.rows.set(row, LEAVES, leaves - shares);
  addShares(levelOf(sideOf(book, orders.sideOf(row)), row), orders.rows.get(row, FLAGS), -shares);
}

/** The level that an order of this side and limit trades with next, if any. */
export function matchable(book: Book, takerSide: Side, limitTicks: number): Level | undefined {
  const level = bestLevel(takerSide === 'buy' ? book.sells : book.buys);
  return level && within(takerSide, level.priceTicks, limitTicks) ? level : undefined;
}

/** Brings what was looked at up to date. */
function now(order: { quantity: number; leaves: number }, quantity: number, leaves: number): void {
  order.quantity = quantity;
  order.leaves = leaves;
}

export const sideOf = (book: Book, side: Side): Levels => (side === 'buy' ? book.buys : book.sells);
const within = (side: Side, priceTicks: number, limitTicks: number): boolean =>
  side === 'buy' ? priceTicks <= limitTicks : priceTicks >= limitTicks;
