import type { BookFact } from '@brokerx/contracts';
import { rest } from '../../book/book.ts';
import { BAND_EXEMPT, ENDS_WITH_CALL, EXPIRES_WITH_DAY, selfTradeOf, UNPRICED } from '../../book/flags.ts';
import type { Level, Levels, RestingOrder } from '../../book/levels.ts';
import { bandOf } from '../auction/bands.ts';
import { beginCall } from '../auction/call.ts';
import { isAtBound } from '../bound.ts';
import type { Incoming } from '../incoming.ts';
import { match } from '../match.ts';
import { type Engine, follows } from '../state.ts';
import { moveTrailingStops, putAside, removeStop, type Stops, type TriggeredStop } from './stops.ts';

/** The first and the last price of one order's trades, which only rise or only fall, and the last trade's price before. */
export type Sweep = { readonly before: number; readonly first: number; readonly last: number };

/**
 * Triggers the stops that a sweep has reached. They are queued: the nearest to the price before the sweep first, then by
 * arrival. Each is matched completely before the next one, and stops that its trades reach are queued at the end.
 */
export function runTriggers(engine: Engine, sweep: Sweep, time: string, outputs: BookFact[]): void {
  const { stops } = engine;
  queueDeferred(stops);
  queueReached(stops, sweep, stops.queue);
  runQueue(engine, time, outputs);
}

/** Triggers stops that an earlier input had no room for, once the market trades. */
export function runDeferredTriggers(engine: Engine, time: string, outputs: BookFact[]): void {
  if (engine.state !== 'continuous') return;
  queueDeferred(engine.stops);
  runQueue(engine, time, outputs);
}

/** Triggers a stop of a bracket that trades reached before it was activated. */
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

function queueDeferred(stops: Stops): void {
  for (const id of stops.deferredIds) {
    const order = stops.book.orders.get(id);
    if (order) stops.queue.push({ order, terms: removeStop(stops, order) });
  }
  stops.deferredIds.clear();
}

function runQueue(engine: Engine, time: string, outputs: BookFact[]): void {
  const { stops } = engine;
  const { queue } = stops;
  while (queue.length > 0) {
    if (isAtBound(engine, outputs)) return deferQueued(stops);
    const next = queue.shift() as TriggeredStop;
    // Fills of the other order of its list may have taken all its shares since it was queued.
    if (next.order.leaves === 0) continue;
    const ownSweep = trigger(engine, next, time, outputs);
    if (ownSweep) queueReached(engine.stops, ownSweep, queue);
  }
}

/** Puts the queued stops aside again; they are the first whose turn comes. */
function deferQueued(stops: Stops): void {
  for (const { order, terms } of stops.queue.splice(0)) {
    if (order.leaves === 0) continue;
    putAside(stops, order, terms);
    stops.deferredIds.add(order.id);
  }
}

function queueReached(stops: Stops, { before, first, last }: Sweep, queue: TriggeredStop[]): void {
  if (stops.book.orders.size === 0) return;
  const reached: TriggeredStop[] = [];
  for (const price of first === last ? [first] : [first, last]) {
    moveTrailingStops(stops, price);
    takeReached(stops, stops.book.buys, (stopTicks) => price >= stopTicks, reached);
    takeReached(stops, stops.book.sells, (stopTicks) => price <= stopTicks, reached);
  }
  const distance = ({ order }: TriggeredStop) => Math.abs(order.priceTicks - before);
  reached.sort((a, b) => distance(a) - distance(b) || a.terms.arrival - b.terms.arrival);
  queue.push(...reached);
}

/** Takes the reached stops of a side out of their book, best level first. */
function takeReached(
  stops: Stops,
  levels: Levels,
  reaches: (stopTicks: number) => boolean,
  reached: TriggeredStop[],
): void {
  for (let level = nearestLevel(levels); level && reaches(level.priceTicks); level = nearestLevel(levels)) {
    const order = level.first as RestingOrder;
    reached.push({ order, terms: removeStop(stops, order) });
  }
}

const nearestLevel = ({ sorted }: Levels): Level | undefined => sorted[sorted.length - 1];

/** Turns a stop into a market order with its protection price, or a limit order. Returns the sweep of its own trades. */
function trigger(
  engine: Engine,
  { order, terms, printTicks = engine.lastTicks }: TriggeredStop,
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
  const triggerIndex = outputs.push({ type: 'OrderTriggered.v1', data: triggered });
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
    outsideBand: false,
    hitBound: false,
    hasOtherOutputs: false,
    firstTicks: 0,
  };
  const before = engine.lastTicks;
  // A market order also expires with the day, because the call that it waits for may never be uncrossed.
  const callFlags = ENDS_WITH_CALL | (follows(engine, 4) ? UNPRICED | EXPIRES_WITH_DAY : 0);
  // A stop that was reached before a call began joins the call.
  const isGathering = engine.state !== 'continuous';
  if (!isGathering) match(engine, incoming, outputs);
  if (!incoming.ended && incoming.leaves > 0) {
    const joinsCall = isGathering || incoming.outsideBand;
    if (!incoming.hitBound && (type === 'stop_limit' || joinsCall)) {
      triggered.restingQuantity = incoming.leaves;
      triggered.entersAfter = outputs.length - triggerIndex;
      rest(engine.book, {
        id,
        accountId,
        revision,
        side,
        priceTicks: limitTicks,
        flags: type === 'stop_limit' ? flags : flags | callFlags,
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
          reason: incoming.hitBound ? 'EXECUTION_BOUND' : 'INSUFFICIENT_LIQUIDITY',
        },
      });
    }
  }
  if (incoming.outsideBand) beginCall(engine, 'volatility_auction', outputs);
  return incoming.firstTicks > 0 ? { before, first: incoming.firstTicks, last: engine.lastTicks } : undefined;
}
