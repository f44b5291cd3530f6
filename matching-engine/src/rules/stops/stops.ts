import { type Book, bookOf, remove, rest } from '../../book/book.ts';
import type { RestingOrder } from '../../book/levels.ts';

/**
 * Orders that wait for their trigger. They stand in levels like those of the book, by stop price, the one that
 * triggers first last; what only they need is kept beside, so that an order in the book is no larger for it.
 */
export type Stops = {
  /** Its `priceTicks` are stop prices: the lowest of the buys and the highest of the sells come first. */
  readonly book: Book;
  /** By arrival. */
  readonly terms: Map<string, StopTerms>;
  /** Ids of those whose stop follows the market. */
  readonly trailing: Set<string>;
  /** Counts the stops that came; the newest has this number, so that arrival can be told. */
  arrivals: number;
  /** Triggered ones whose turn has not come; empty between inputs. */
  readonly queue: Triggered[];
  /** Ids of those that were reached and put aside again, since the input had no room for them: it is their turn first. */
  readonly owed: Set<string>;
};

export type StopTerms = {
  readonly type: 'stop' | 'stop_limit' | 'trailing_stop';
  /** The limit, or the protection price, once it is triggered. */
  readonly limitTicks: number;
  /** How far a trailing stop follows; one of them is 0. */
  readonly trailTicks: number;
  readonly trailPpm: number;
  /** The best price since it came: the highest for a sell, the lowest for a buy. */
  markTicks: number;
  readonly arrival: number;
};

export const noStops = (): Stops => ({
  // Turned round: of the buys the lowest stop is reached first, of the sells the highest.
  book: bookOf('sell', 'buy'),
  terms: new Map(),
  trailing: new Set(),
  arrivals: 0,
  queue: [],
  owed: new Set(),
});

/** A trailing stop's price for a mark: sells round down, buys up. */
export function trailedStop(
  side: 'buy' | 'sell',
  markTicks: number,
  { trailTicks, trailPpm }: Pick<StopTerms, 'trailTicks' | 'trailPpm'>,
): number {
  const exact = trailTicks > 0 ? trailTicks : (markTicks * trailPpm) / 1_000_000;
  return side === 'buy' ? Math.ceil(markTicks + exact) : Math.floor(markTicks - exact);
}

/** The mark that a trailing stop's price stands for: no price that is worse moves it. */
export function markBehind(
  side: 'buy' | 'sell',
  stopTicks: number,
  { trailTicks, trailPpm }: Pick<StopTerms, 'trailTicks' | 'trailPpm'>,
): number {
  if (trailTicks > 0) return side === 'buy' ? stopTicks - trailTicks : stopTicks + trailTicks;
  return side === 'buy'
    ? Math.ceil((stopTicks * 1_000_000) / (1_000_000 + trailPpm))
    : Math.floor((stopTicks * 1_000_000) / (1_000_000 - trailPpm));
}

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
  if (terms.type === 'trailing_stop') stops.trailing.add(order.id);
}

export function removeStop(stops: Stops, order: RestingOrder): StopTerms {
  const terms = stops.terms.get(order.id);
  if (!terms) throw new Error(`stop ${order.id} has no terms`);
  remove(stops.book, order);
  stops.terms.delete(order.id);
  stops.trailing.delete(order.id);
  return terms;
}

/** All of them, the oldest first. */
export function stopsByArrival({ book, terms }: Stops): { order: RestingOrder; terms: StopTerms }[] {
  return Array.from(terms, ([id, its]) => ({
    order: book.orders.get(id) as RestingOrder,
    terms: its,
  })).sort((a, b) => a.terms.arrival - b.terms.arrival);
}

/** A stop whose turn it is. `printTicks`: the print that reached it, where that is not the last one. */
export type Triggered = { order: RestingOrder; terms: StopTerms; printTicks?: number };

/** Trailing stops follow a price that is better for them than all before. */
export function ratchet(stops: Stops, price: number): void {
  for (const id of stops.trailing) {
    const order = stops.book.orders.get(id) as RestingOrder;
    const terms = stops.terms.get(id) as StopTerms;
    const { side } = order;
    if (side === 'buy' ? price >= terms.markTicks : price <= terms.markTicks) continue;
    terms.markTicks = price;
    const priceTicks = trailedStop(side, price, terms);
    // A stop that was set tighter than its distance from the market waits until the market has come to it.
    if (side === 'buy' ? priceTicks >= order.priceTicks : priceTicks <= order.priceTicks) continue;
    remove(stops.book, order);
    rest(stops.book, { ...order, priceTicks });
  }
}
