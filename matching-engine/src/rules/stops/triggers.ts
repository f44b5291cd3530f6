import type { BookFact } from '@brokerx/contracts';
import { rest } from '../../book/book.ts';
import { BAND_EXEMPT, ENDS_WITH_CALL, EXPIRES_WITH_DAY, selfTradeOf, UNPRICED } from '../../book/flags.ts';
import type { Level, Levels, RestingOrder } from '../../book/levels.ts';
import { bandOf } from '../auction/bands.ts';
import { beginCall } from '../auction/call.ts';
import { isFull } from '../bound.ts';
import type { Incoming } from '../incoming.ts';
import { match } from '../match.ts';
import { type Engine, follows } from '../state.ts';
import { putAside, ratchet, removeStop, type Stops, type Triggered } from './stops.ts';

/** The prices of one order's trades, which rise or fall all the way, and the last price before them. */
export type Sweep = { readonly before: number; readonly first: number; readonly last: number };

/**
 * Triggers the stops that a sweep has reached. They join a queue: the nearest to the price before the sweep first, then
 * by arrival. Each is carried out completely before the next, and stops that its own trades reach join at the end.
 */
export function runTriggers(engine: Engine, sweep: Sweep, time: string, outputs: BookFact[]): void {
  const { stops } = engine;
  takeOwed(stops);
  join(stops, sweep, stops.queue);
  runQueue(engine, time, outputs);
}

/** Triggers stops that an earlier input had no room for, once the market trades. */
export function runOwed(engine: Engine, time: string, outputs: BookFact[]): void {
  if (engine.state !== 'continuous') return;
  takeOwed(engine.stops);
  runQueue(engine, time, outputs);
}

/** Triggers one stop that had been reached before it arrived. */
export function triggerAtOnce(
  engine: Engine,
  { order, printTicks }: { order: RestingOrder; printTicks: number },
  time: string,
  outputs: BookFact[],
): void {
  const { stops } = engine;
  stops.queue.push({ order, terms: removeStop(stops, order), printTicks });
  runQueue(engine, time, outputs);
}

function takeOwed(stops: Stops): void {
  for (const id of stops.owed) {
    const order = stops.book.orders.get(id);
    if (order) stops.queue.push({ order, terms: removeStop(stops, order) });
  }
  stops.owed.clear();
}

function runQueue(engine: Engine, time: string, outputs: BookFact[]): void {
  const { stops } = engine;
  const { queue } = stops;
  while (queue.length > 0) {
    if (isFull(engine, outputs)) return putBack(stops);
    const next = queue.shift() as Triggered;
    // Fills of the other order of its list may have taken all its shares meanwhile.
    if (next.order.leaves === 0) continue;
    const own = trigger(engine, next, time, outputs);
    if (own) join(engine.stops, own, queue);
  }
}

/** Puts the queued stops aside again; they are the first whose turn comes. */
function putBack(stops: Stops): void {
  for (const { order, terms } of stops.queue.splice(0)) {
    if (order.leaves === 0) continue;
    putAside(stops, order, terms);
    stops.owed.add(order.id);
  }
}

function join(stops: Stops, { before, first, last }: Sweep, queue: Triggered[]): void {
  if (stops.book.orders.size === 0) return;
  const reached: Triggered[] = [];
  for (const price of first === last ? [first] : [first, last]) {
    ratchet(stops, price);
    take(stops, stops.book.buys, (stopTicks) => price >= stopTicks, reached);
    take(stops, stops.book.sells, (stopTicks) => price <= stopTicks, reached);
  }
  const distance = ({ order }: Triggered) => Math.abs(order.priceTicks - before);
  reached.sort((a, b) => distance(a) - distance(b) || a.terms.arrival - b.terms.arrival);
  queue.push(...reached);
}

function take(
  stops: Stops,
  levels: Levels,
  reaches: (stopTicks: number) => boolean,
  into: Triggered[],
): void {
  for (let level = lastOf(levels); level && reaches(level.priceTicks); level = lastOf(levels)) {
    const order = level.first as RestingOrder;
    into.push({ order, terms: removeStop(stops, order) });
  }
}

const lastOf = ({ sorted }: Levels): Level | undefined => sorted[sorted.length - 1];

/** Turns a stop into a market order with its protection price, or a limit order. Returns the sweep of its own trades. */
function trigger(
  engine: Engine,
  { order, terms, printTicks = engine.lastTicks }: Triggered,
  time: string,
  outputs: BookFact[],
): Sweep | undefined {
  const { id, accountId, revision, side, flags, quantity, leaves } = order;
  const { limitTicks, type } = terms;
  const ref = { orderId: id, accountId, revision };
  const triggered: Extract<BookFact, { type: 'OrderTriggered.v1' }>['data'] = {
    order: ref,
    side,
    stopTicks: order.priceTicks,
    lastTicks: printTicks,
    limitTicks,
    quantity: leaves,
    restingQuantity: 0,
    entersAfter: 0,
  };
  const place = outputs.push({ type: 'OrderTriggered.v1', data: triggered });
  const incoming: Incoming = {
    orderId: id,
    accountId,
    revision,
    side,
    limitTicks,
    tickCents: engine.listing?.rules.tickCents ?? 1,
    selfTrade: selfTradeOf(flags),
    time,
    leaves,
    budget: null,
    band: bandOf(engine, (flags & BAND_EXEMPT) !== 0),
    ended: false,
    outside: false,
    bounded: false,
    prevented: false,
    firstTicks: 0,
  };
  const before = engine.lastTicks;
  // A market order ends with the day, because the call that it waits for may not come.
  const forCall = ENDS_WITH_CALL | (follows(engine, 4) ? UNPRICED | EXPIRES_WITH_DAY : 0);
  // A stop that was reached before a call began joins the call.
  const gathers = engine.state !== 'continuous';
  if (!gathers) match(engine, incoming, outputs);
  if (!incoming.ended && incoming.leaves > 0) {
    const joins = gathers || incoming.outside;
    if (!incoming.bounded && (type === 'stop_limit' || joins)) {
      triggered.restingQuantity = incoming.leaves;
      triggered.entersAfter = outputs.length - place;
      rest(engine.book, {
        id,
        accountId,
        revision,
        side,
        priceTicks: limitTicks,
        flags: type === 'stop_limit' ? flags : flags | forCall,
        quantity,
        leaves: incoming.leaves,
      });
    } else {
      outputs.push({
        type: 'OrderExpired.v1',
        data: {
          order: ref,
          side,
          priceTicks: limitTicks,
          quantity: incoming.leaves,
          resting: false,
          reason: incoming.bounded ? 'EXECUTION_BOUND' : 'INSUFFICIENT_LIQUIDITY',
        },
      });
    }
  }
  if (incoming.outside) beginCall(engine, 'volatility_auction', outputs);
  return incoming.firstTicks > 0 ? { before, first: incoming.firstTicks, last: engine.lastTicks } : undefined;
}
