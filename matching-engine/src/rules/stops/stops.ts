import { type Book, bookOf, remove, rest } from '../../book/book.ts';
import type { RestingOrder } from '../../book/levels.ts';

/**
 * The stops of a symbol: orders that wait for a trade at their stop price. They have a book of their own, with levels by stop
 * price; the best level of a side triggers first. Fields that only stops need are in `terms`, so that rows of the main book
 * are no larger.
 */
export type Stops = {
  /** The prices in this book are stop prices: the lowest buy and the highest sell trigger first. */
  readonly book: Book;
  /** The terms by order id. */
  readonly terms: Map<string, StopTerms>;
  /** The ids of trailing stops. */
  readonly trailingIds: Set<string>;
  /** The number of stops that ever arrived, which is the newest one's `arrival`. */
  arrivals: number;
  /** Triggered stops whose turn has not come; empty between inputs. */
  readonly queue: TriggeredStop[];
  /** The ids of reached stops that were put aside again, because the input had no room for them. They trigger first. */
  readonly deferredIds: Set<string>;
};

export type StopTerms = {
  readonly type: 'stop' | 'stop_limit' | 'trailing_stop';
  /** The order's limit, or its protection price, after it is triggered. */
  readonly limitTicks: number;
  /** The distance of a trailing stop, in ticks or in parts per million; the other one is 0. */
  readonly trailTicks: number;
  readonly trailPpm: number;
  /** The best price since the stop arrived: the highest for a sell, the lowest for a buy. */
  markTicks: number;
  readonly arrival: number;
};

export const noStops = (): Stops => ({
  // The sides are swapped, because the lowest buy stop and the highest sell stop are reached first.
  book: bookOf('sell', 'buy'),
  terms: new Map(),
  trailingIds: new Set(),
  arrivals: 0,
  queue: [],
  deferredIds: new Set(),
});

/** A trailing stop's price for this mark, rounded away from it: down for a sell, up for a buy. */
export function trailedStop(
  side: 'buy' | 'sell',
  markTicks: number,
  { trailTicks, trailPpm }: Pick<StopTerms, 'trailTicks' | 'trailPpm'>,
): number {
  const distanceTicks = trailTicks > 0 ? trailTicks : (markTicks * trailPpm) / 1_000_000;
  return side === 'buy' ? Math.ceil(markTicks + distanceTicks) : Math.floor(markTicks - distanceTicks);
}

/** The mark that a trailing stop's price belongs to. Only a price better than the mark moves the stop. */
export function markOfStop(
  side: 'buy' | 'sell',
  stopTicks: number,
  { trailTicks, trailPpm }: Pick<StopTerms, 'trailTicks' | 'trailPpm'>,
): number {
  if (trailTicks > 0) return side === 'buy' ? stopTicks - trailTicks : stopTicks + trailTicks;
  return side === 'buy'
    ? Math.ceil((stopTicks * 1_000_000) / (1_000_000 + trailPpm))
    : Math.floor((stopTicks * 1_000_000) / (1_000_000 - trailPpm));
}

/** Whether a trade at this price reaches the stop. */
export const triggersAt = (side: 'buy' | 'sell', stopTicks: number, priceTicks: number): boolean =>
  side === 'buy' ? priceTicks >= stopTicks : priceTicks <= stopTicks;

export function addStop(
  stops: Stops,
  order: Parameters<typeof rest>[1],
  terms: Omit<StopTerms, 'arrival'>,
): void {
  stops.arrivals += 1;
  putAside(stops, order, { ...terms, arrival: stops.arrivals });
}

/** Puts a stop aside until a trade reaches it. */
export function putAside(stops: Stops, order: Parameters<typeof rest>[1], terms: StopTerms): void {
  rest(stops.book, order);
  stops.terms.set(order.id, terms);
  if (terms.type === 'trailing_stop') stops.trailingIds.add(order.id);
}

export function removeStop(stops: Stops, order: RestingOrder): StopTerms {
  const terms = stops.terms.get(order.id);
  if (!terms) throw new Error(`stop ${order.id} has no terms`);
  remove(stops.book, order);
  stops.terms.delete(order.id);
  stops.trailingIds.delete(order.id);
  return terms;
}

/** All stops, the oldest first. */
export function stopsByArrival({ book, terms }: Stops): { order: RestingOrder; terms: StopTerms }[] {
  return Array.from(terms, ([id, stopTerms]) => ({
    order: book.orders.get(id) as RestingOrder,
    terms: stopTerms,
  })).sort((a, b) => a.terms.arrival - b.terms.arrival);
}

/** A triggered stop. `printTicks` is the price of the trade that reached it, if that is not the last trade. */
export type TriggeredStop = { order: RestingOrder; terms: StopTerms; printTicks?: number };

/** Moves the trailing stops for which this trade price is the best so far. */
export function moveTrailingStops(stops: Stops, printTicks: number): void {
  for (const id of stops.trailingIds) {
    const order = stops.book.orders.get(id) as RestingOrder;
    const terms = stops.terms.get(id) as StopTerms;
    const { side } = order;
    if (side === 'buy' ? printTicks >= terms.markTicks : printTicks <= terms.markTicks) continue;
    terms.markTicks = printTicks;
    const priceTicks = trailedStop(side, printTicks, terms);
    // A stop that was placed closer than its distance stays until the market has moved far enough.
    if (side === 'buy' ? priceTicks >= order.priceTicks : priceTicks <= order.priceTicks) continue;
    remove(stops.book, order);
    rest(stops.book, { ...order, priceTicks });
  }
}
