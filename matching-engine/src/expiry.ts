import type { BookFact, EventOf } from '@brokerx/contracts';
import type { NewOrder } from './book.ts';
import { dormantOf, expireDormantDay, expireDormantOrder } from './bracket.ts';
import type { Engine } from './engineState.ts';
import { EXPIRES_WITH_DAY } from './flags.ts';
import { withdraw } from './iceberg.ts';
import type { RestingOrder } from './levels.ts';
import { removeStop, stopsByArrival } from './triggers.ts';

/**
 * Ends that come with time. Only what `market-<symbol>` says moves it: an order whose time has come is open, and
 * trades, until the event that ends it.
 */
export function reachTime(engine: Engine, { data }: EventOf<'TimeReached.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  if (data.at > engine.time) engine.time = data.at;
  const due = openExpiries(engine).filter(([, expiresAt]) => expiresAt <= engine.time);
  // The sort is stable, and they stand in the order of their arrival.
  due.sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [id] of due) {
    engine.expiries.delete(id);
    const resting = engine.book.orders.get(id);
    if (resting) {
      outputs.push(expireResting(engine, resting, 'EXPIRES_AT_REACHED'));
    } else if (dormantOf(engine, id)) expireDormantOrder(engine, id, 'EXPIRES_AT_REACHED', outputs);
    else
      outputs.push(
        expireStop(engine, engine.stops.book.orders.get(id) as RestingOrder, 'EXPIRES_AT_REACHED'),
      );
  }
  const left = openExpiries(engine).map(([, expiresAt]) => expiresAt);
  const nextExpiresAt = left.length === 0 ? null : left.reduce((a, b) => (a < b ? a : b));
  const { state, listing } = engine;
  const told = listing && listing.matchingRules >= 3 ? { state, referenceTicks: listing.referenceTicks } : {};
  outputs.push({ type: 'TimeApplied.v1', data: { at: engine.time, nextExpiresAt, ...told } });
  return outputs;
}

/**
 * DAY orders expire: those in the book in their order of priority, then those that wait for a trigger by arrival, then
 * those for a closing auction that did not come.
 */
export function expireDay(engine: Engine, outputs: BookFact[]): void {
  for (const resting of engine.book.orders.values()) {
    if ((resting.flags & EXPIRES_WITH_DAY) === 0) continue;
    outputs.push(expireResting(engine, resting, 'DAY_ENDED'));
  }
  if (engine.stops.book.orders.size > 0) {
    for (const { order } of stopsByArrival(engine.stops)) {
      if ((order.flags & EXPIRES_WITH_DAY) !== 0) outputs.push(expireStop(engine, order, 'DAY_ENDED'));
    }
  }
  for (const order of engine.waiting.values()) outputs.push(expired(order, false, 'DAY_ENDED'));
  engine.waiting.clear();
  if (engine.lists.size > 0) expireDormantDay(engine, outputs);
}

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
