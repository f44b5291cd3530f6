import type { BookFact, EventOf } from '@brokerx/contracts';
import type { NewOrder } from '../book/book.ts';
import { EXPIRES_WITH_DAY } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';
import { isFull } from './bound.ts';
import {
  dormantOf,
  expireDormantDay,
  expireDormantOrder,
  expireUnfilled,
  unfilledEntryOf,
} from './bracket.ts';
import { withdraw } from './iceberg.ts';
import { type Engine, follows } from './state.ts';
import { removeStop, stopsByArrival } from './stops/stops.ts';
import { hasLeft, tellEnd } from './untoldEnds.ts';

/**
 * Ends that come with time. Only what `market-<symbol>` says moves it: an order whose time has come is open, and
 * trades, until the event that ends it.
 */
export function reachTime(engine: Engine, { data }: EventOf<'TimeReached.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  if (data.at > engine.time) engine.time = data.at;
  expireDue(engine, outputs, () => isFull(engine, outputs));
  const ends = openExpiries(engine).map(([, expiresAt]) => expiresAt);
  if (hasLeft(engine)) ends.push(engine.time);
  const nextExpiresAt = ends.length === 0 ? null : ends.reduce((a, b) => (a < b ? a : b));
  outputs.push(timeApplied(engine, engine.time, nextExpiresAt));
  return outputs;
}

/** Whoever keeps the market's time moves it again, until nothing is left. */
export const timeIsDue = (engine: Engine, inputTime: string): BookFact => {
  const at = engine.time || inputTime;
  return timeApplied(engine, at, at);
};

function timeApplied({ state, listing }: Engine, at: string, nextExpiresAt: string | null): BookFact {
  const told = listing && listing.matchingRules >= 3 ? { state, referenceTicks: listing.referenceTicks } : {};
  return { type: 'TimeApplied.v1', data: { at, nextExpiresAt, ...told } };
}

/**
 * Ends what is due by the market's time, the earliest first, then by arrival. What stays for want of room is due still,
 * and told so.
 */
export function expireDue(engine: Engine, outputs: BookFact[], isFull: () => boolean = () => false): void {
  if (engine.expiries.size === 0) return;
  const due = openExpiries(engine).filter(([, expiresAt]) => expiresAt <= engine.time);
  // The sort is stable, and they stand in the order of their arrival.
  due.sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  const ids = new Set(due.map(([id]) => id));
  for (const id of ids) {
    if (isFull()) return;
    // It ends with its entry, which bought nothing and is due, too.
    const entryId = follows(engine, 4) ? unfilledEntryOf(engine, id) : undefined;
    if (entryId !== undefined && ids.has(entryId)) continue;
    expireOne(engine, id, outputs);
    if (follows(engine, 4)) expireUnfilled(engine, id, outputs);
  }
}

function expireOne(engine: Engine, id: string, outputs: BookFact[]): void {
  const { book, stops } = engine;
  engine.expiries.delete(id);
  const resting = book.orders.get(id);
  const stop = stops.book.orders.get(id);
  if (resting) outputs.push(expireResting(engine, resting, 'EXPIRES_AT_REACHED'));
  else if (stop) outputs.push(expireStop(engine, stop, 'EXPIRES_AT_REACHED'));
  else expireDormantOrder(engine, id, 'EXPIRES_AT_REACHED', outputs);
}

/** An order that changed its place stands behind those that end at the same time. */
export function expireAtNewPlace({ expiries }: Engine, id: string): void {
  const expiresAt = expiries.get(id);
  if (expiresAt === undefined) return;
  expiries.delete(id);
  expiries.set(id, expiresAt);
}

/**
 * DAY orders expire: those in the book in their order of priority, then those that wait for a trigger by arrival, then
 * those for a closing auction that did not come.
 */
export function expireDay(engine: Engine, outputs: BookFact[]): void {
  for (const resting of engine.book.orders.values()) {
    if ((resting.flags & EXPIRES_WITH_DAY) === 0) continue;
    tellEnd(engine, expireResting(engine, resting, 'DAY_ENDED'), outputs);
  }
  if (engine.stops.book.orders.size > 0) {
    for (const { order } of stopsByArrival(engine.stops)) {
      if ((order.flags & EXPIRES_WITH_DAY) !== 0)
        tellEnd(engine, expireStop(engine, order, 'DAY_ENDED'), outputs);
    }
  }
  for (const order of engine.waiting.values()) tellEnd(engine, expired(order, false, 'DAY_ENDED'), outputs);
  engine.waiting.clear();
  if (engine.lists.size === 0) return;
  const dormant: BookFact[] = [];
  expireDormantDay(engine, dormant);
  for (const end of dormant) tellEnd(engine, end, outputs);
}

/** Something is due still, by the market's time. */
export const isDue = (engine: Engine): boolean =>
  openExpiries(engine).some(([, expiresAt]) => expiresAt <= engine.time);

/** Open orders that end at a time of their own, by arrival. Those that ended otherwise are forgotten here. */
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
  const end = expired({ ...order, leaves: quantity }, true, reason);
  if (shownQuantity !== undefined) end.data.shownQuantity = shownQuantity;
  return end;
}

function expireStop(engine: Engine, order: RestingOrder, reason: Reason): BookFact {
  const { limitTicks } = removeStop(engine.stops, order);
  return expired({ ...order, priceTicks: limitTicks }, false, reason);
}

function expired(
  { id, accountId, revision, side, priceTicks, leaves }: NewOrder,
  resting: boolean,
  reason: Reason,
): Extract<BookFact, { type: 'OrderExpired.v1' }> {
  const order = { orderId: id, accountId, revision };
  return { type: 'OrderExpired.v1', data: { order, side, priceTicks, quantity: leaves, resting, reason } };
}
