import type { BookFact, EventOf } from '@brokerx/contracts';
import type { NewOrder } from '../book/book.ts';
import { EXPIRES_WITH_DAY } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';
import { isAtBound } from './bound.ts';
import {
  dormantOf,
  expireDormantDay,
  expireDormantOrder,
  expireUnfilled,
  unfilledEntryOf,
} from './bracket.ts';
import { hasDeferred, reportEnd } from './deferredEnds.ts';
import { withdraw } from './iceberg.ts';
import { type Engine, follows } from './state.ts';
import { removeStop, stopsByArrival } from './stops/stops.ts';

/**
 * Expires orders by time. Only events of `market-<symbol>` move the market's time: an order whose end time has passed stays
 * open, and trades, until such an event expires it.
 */
export function reachTime(engine: Engine, { data }: EventOf<'TimeReached.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  if (data.at > engine.time) engine.time = data.at;
  expireDue(engine, outputs, () => isAtBound(engine, outputs));
  const endTimes = openExpiries(engine).map(([, expiresAt]) => expiresAt);
  if (hasDeferred(engine)) endTimes.push(engine.time);
  const nextExpiresAt = endTimes.length === 0 ? null : endTimes.reduce((a, b) => (a < b ? a : b));
  outputs.push(timeApplied(engine, engine.time, nextExpiresAt));
  return outputs;
}

/** Asks command-api's timer for another `TimeReached` at once, because outputs are deferred. */
export const timeDueAgain = (engine: Engine, inputTime: string): BookFact => {
  const at = engine.time || inputTime;
  return timeApplied(engine, at, at);
};

function timeApplied({ state, listing }: Engine, at: string, nextExpiresAt: string | null): BookFact {
  const marketTerms =
    listing && listing.matchingRules >= 3 ? { state, referenceTicks: listing.referenceTicks } : {};
  return { type: 'TimeApplied.v1', data: { at, nextExpiresAt, ...marketTerms } };
}

/**
 * Expires the orders whose time has come, the earliest end time first, then by arrival. Orders that the input has no room for
 * stay due.
 */
export function expireDue(engine: Engine, outputs: BookFact[], isFull: () => boolean = () => false): void {
  if (engine.expiries.size === 0) return;
  const due = openExpiries(engine).filter(([, expiresAt]) => expiresAt <= engine.time);
  // The sort is stable, and the list is in order of arrival.
  due.sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  const ids = new Set(due.map(([id]) => id));
  for (const id of ids) {
    if (isFull()) return;
    // This leg ends with its entry, which has bought nothing and is due, too.
    const entryId = follows(engine, 4) ? unfilledEntryOf(engine, id) : undefined;
    if (entryId !== undefined && ids.has(entryId)) continue;
    expireOrder(engine, id, outputs);
    if (follows(engine, 4)) expireUnfilled(engine, id, outputs);
  }
}

function expireOrder(engine: Engine, id: string, outputs: BookFact[]): void {
  const { book, stops } = engine;
  engine.expiries.delete(id);
  const resting = book.orders.get(id);
  const stop = stops.book.orders.get(id);
  if (resting) outputs.push(expireResting(engine, resting, 'EXPIRES_AT_REACHED'));
  else if (stop) outputs.push(expireStop(engine, stop, 'EXPIRES_AT_REACHED'));
  else expireDormantOrder(engine, id, 'EXPIRES_AT_REACHED', outputs);
}

/** Moves an order that lost its priority behind the others that end at the same time. */
export function expireAtNewPlace({ expiries }: Engine, id: string): void {
  const expiresAt = expiries.get(id);
  if (expiresAt === undefined) return;
  expiries.delete(id);
  expiries.set(id, expiresAt);
}

/**
 * Expires `day` orders: those in the book by priority, then stops by arrival, then orders for a closing auction that did not
 * take place, then dormant legs.
 */
export function expireDay(engine: Engine, outputs: BookFact[]): void {
  for (const resting of engine.book.orders.values()) {
    if ((resting.flags & EXPIRES_WITH_DAY) === 0) continue;
    reportEnd(engine, expireResting(engine, resting, 'DAY_ENDED'), outputs);
  }
  if (engine.stops.book.orders.size > 0) {
    for (const { order } of stopsByArrival(engine.stops)) {
      if ((order.flags & EXPIRES_WITH_DAY) !== 0)
        reportEnd(engine, expireStop(engine, order, 'DAY_ENDED'), outputs);
    }
  }
  for (const order of engine.closingOrders.values())
    reportEnd(engine, expiredFact(order, false, 'DAY_ENDED'), outputs);
  engine.closingOrders.clear();
  if (engine.lists.size === 0) return;
  const dormantEnds: BookFact[] = [];
  expireDormantDay(engine, dormantEnds);
  for (const end of dormantEnds) reportEnd(engine, end, outputs);
}

/** Whether the time of an open order has come and the order has not expired yet. */
export const hasDueOrders = (engine: Engine): boolean =>
  openExpiries(engine).some(([, expiresAt]) => expiresAt <= engine.time);

/** Open orders with an end time, in order of arrival. Removes those from `expiries` that have ended otherwise. */
export function openExpiries(engine: Engine): [id: string, expiresAt: string][] {
  const { expiries, book, stops } = engine;
  for (const id of expiries.keys()) {
    const isOpen = book.orders.has(id) || stops.book.orders.has(id) || dormantOf(engine, id) !== undefined;
    if (!isOpen) expiries.delete(id);
  }
  return [...expiries];
}

type Reason = 'DAY_ENDED' | 'EXPIRES_AT_REACHED';

function expireResting(engine: Engine, order: RestingOrder, reason: Reason): BookFact {
  const { quantity, shownQuantity } = withdraw(engine, order);
  const endFact = expiredFact({ ...order, leaves: quantity }, true, reason);
  if (shownQuantity !== undefined) endFact.data.shownQuantity = shownQuantity;
  return endFact;
}

function expireStop(engine: Engine, order: RestingOrder, reason: Reason): BookFact {
  const { limitTicks } = removeStop(engine.stops, order);
  return expiredFact({ ...order, priceTicks: limitTicks }, false, reason);
}

function expiredFact(
  { id, accountId, revision, side, priceTicks, leaves }: NewOrder,
  resting: boolean,
  reason: Reason,
): Extract<BookFact, { type: 'OrderExpired.v1' }> {
  const order = { orderId: id, accountId, revision };
  return { type: 'OrderExpired.v1', data: { order, side, priceTicks, quantity: leaves, resting, reason } };
}
