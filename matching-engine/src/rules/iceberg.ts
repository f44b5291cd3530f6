import { type EventOf, ICEBERG_PEAKS_MAX, type RefusalCode } from '@brokerx/contracts';
import { type Book, type NewOrder, reduce, remove, rest, setQuantity } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';

/**
 * Icebergs: limit orders of which the book shows one peak at a time. The book's row of an iceberg is the shown peak; the
 * hidden part is stored here, so that rows of other orders need no field for it. An incoming iceberg trades in full. When
 * a peak is used up, the next one enters behind all other orders at its price.
 */
export type Icebergs = Map<string, { readonly peak: number; hidden: number }>;

export type BookAndIcebergs = { readonly book: Book; readonly icebergs: Icebergs };

/** The open quantity of an order in the book, with what an iceberg hides. */
export const openQuantityOf = (
  { icebergs }: Pick<BookAndIcebergs, 'icebergs'>,
  { id, leaves, flags }: NewOrder,
): number => ((flags & ICEBERG) === 0 ? leaves : leaves + (icebergs.get(id)?.hidden ?? 0));

/** Puts an order into the book, an iceberg with its first peak. Returns what an iceberg shows. */
export function restWithPeak(
  { book, icebergs }: BookAndIcebergs,
  order: NewOrder,
  peak: number | undefined,
): { shownQuantity?: number } {
  if (peak === undefined) {
    rest(book, order);
    return {};
  }
  const shownQuantity = Math.min(peak, order.leaves);
  icebergs.set(order.id, { peak, hidden: order.leaves - shownQuantity });
  rest(book, { ...order, leaves: shownQuantity });
  return { shownQuantity };
}

/** After a peak was used up and left the book: enters the next one, if any. Returns its size, or 0. */
export function nextPeak({ book, icebergs }: BookAndIcebergs, order: RestingOrder): number {
  const iceberg = icebergs.get(order.id);
  if (!iceberg || iceberg.hidden === 0) {
    icebergs.delete(order.id);
    return 0;
  }
  const shown = Math.min(iceberg.peak, iceberg.hidden);
  iceberg.hidden -= shown;
  rest(book, { ...order, leaves: shown });
  return shown;
}

/** Takes an order out of the book. Returns its open quantity and, of an iceberg, the shown part and the peak. */
export function withdraw(
  engine: BookAndIcebergs,
  order: RestingOrder,
): { quantity: number; shownQuantity?: number; peak?: number } {
  const quantity = openQuantityOf(engine, order);
  remove(engine.book, order);
  const iceberg = (order.flags & ICEBERG) === 0 ? undefined : engine.icebergs.get(order.id);
  if (!iceberg) return { quantity };
  engine.icebergs.delete(order.id);
  return { quantity, shownQuantity: order.leaves, peak: iceberg.peak };
}

/** Lowers the total quantity: takes the hidden part first. The order keeps its priority. */
export function reduceHiddenFirst(
  { book, icebergs }: BookAndIcebergs,
  order: RestingOrder,
  quantity: number,
): void {
  const iceberg = icebergs.get(order.id);
  if (iceberg) {
    const hiddenLess = Math.min(iceberg.hidden, order.quantity - quantity);
    iceberg.hidden -= hiddenLess;
    setQuantity(book, order, order.quantity - hiddenLess);
  }
  if (quantity < order.quantity) reduce(book, order, quantity);
}

/** Why an order cannot be an iceberg; undefined when it can, or is none. */
export function icebergRefusal(
  { displayQuantity: peak, type, timeInForce, quantity }: EventOf<'OrderPlaced.v1'>['data'],
  lotShares: number,
  matchingRules: number,
): RefusalCode | undefined {
  if (peak === undefined) return undefined;
  if (type !== 'limit') return 'ORDER_TYPE';
  if (timeInForce !== 'day' && timeInForce !== 'gtc' && timeInForce !== 'gtd') return 'TIME_IN_FORCE';
  if (peak >= quantity) return 'ORDER_SIZE';
  if (peak % lotShares !== 0) return 'LOT_STEP';
  return matchingRules >= 4 && hasTooManyPeaks(quantity, peak) ? 'ICEBERG_PEAKS' : undefined;
}

/** Whether an iceberg of this quantity would need more peaks than are allowed. */
export const hasTooManyPeaks = (quantity: number, peak: number): boolean =>
  quantity > ICEBERG_PEAKS_MAX * peak;
