import { type EventOf, ICEBERG_PEAKS_MAX, type RefusalCode } from '@brokerx/contracts';
import { type Book, type NewOrder, reduce, remove, rest, setQuantity } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';

/**
 * Icebergs: limit orders that show a peak of themselves. In the book an iceberg is its peak alone; what is behind it is
 * kept here, so that no other order is larger for it. An arriving one trades in full; a peak that is used up is
 * followed by the next one, behind all others at its price.
 */
export type Icebergs = Map<string, { readonly peak: number; hidden: number }>;

export type Iced = { readonly book: Book; readonly icebergs: Icebergs };

/** What an order in the book still wants, what it hides included. */
export const openOf = ({ icebergs }: Pick<Iced, 'icebergs'>, { id, leaves, flags }: NewOrder): number =>
  (flags & ICEBERG) === 0 ? leaves : leaves + (icebergs.get(id)?.hidden ?? 0);

/** Puts an order into the book, an iceberg by its first peak; says what an iceberg shows. */
export function restShown(
  { book, icebergs }: Iced,
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

/** A peak was used up, and left the book: the next one, if there is more. Returns what is shown anew. */
export function nextPeak({ book, icebergs }: Iced, order: RestingOrder): number {
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

/** Takes an order out whole: what it still wanted, and what of that an iceberg showed. */
export function withdraw(
  engine: Iced,
  order: RestingOrder,
): { quantity: number; shownQuantity?: number; peak?: number } {
  const quantity = openOf(engine, order);
  remove(engine.book, order);
  const iceberg = (order.flags & ICEBERG) === 0 ? undefined : engine.icebergs.get(order.id);
  if (!iceberg) return { quantity };
  engine.icebergs.delete(order.id);
  return { quantity, shownQuantity: order.leaves, peak: iceberg.peak };
}

/** Lowers the total quantity, what is hidden first; the place in the queue stays. */
export function reduceShownLast({ book, icebergs }: Iced, order: RestingOrder, quantity: number): void {
  const iceberg = icebergs.get(order.id);
  if (iceberg) {
    const less = Math.min(iceberg.hidden, order.quantity - quantity);
    iceberg.hidden -= less;
    setQuantity(book, order, order.quantity - less);
  }
  if (quantity < order.quantity) reduce(book, order, quantity);
}

/** Why an order cannot be an iceberg as it is asked for. */
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

export const hasTooManyPeaks = (quantity: number, peak: number): boolean =>
  quantity > ICEBERG_PEAKS_MAX * peak;
