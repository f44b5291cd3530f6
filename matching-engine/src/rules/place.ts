import assert from 'node:assert/strict';
import {
  type BookFact,
  type EventOf,
  entryRefusal,
  hasLimit,
  isStop,
  type OrderRef,
  type RefusalCode,
  waitsForClosing,
} from '@brokerx/contracts';
import { matchable, type NewOrder } from '../book/book.ts';
import { flagsOf } from '../book/flags.ts';
import { bandOf } from './auction/bands.ts';
import { beginCall } from './auction/call.ts';
import { lookAheadMatches } from './bound.ts';
import { icebergRefusal, restWithPeak } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { canTrade } from './lookAhead.ts';
import { match } from './match.ts';
import { affordable, budgetOf, endOfBudget, keepToLots, notionalRefusal } from './notional.ts';
import { type Engine, follows, lastPrice } from './state.ts';
import { addStop, markOfStop, type StopTerms, trailedStop, triggersAt } from './stops/stops.ts';
import { runTriggers } from './stops/triggers.ts';

type Placed = EventOf<'OrderPlaced.v1'>;
type Accepted = Extract<BookFact, { type: 'OrderAccepted.v1' }>['data'];

/** Places a new order: rejects it, or accepts it and matches it; its rest enters the book or expires. */
export function place(engine: Engine, event: Placed, revision: number): BookFact[] {
  const request = event.data;
  if (request.symbol !== engine.symbol)
    assert.fail(`an order for ${request.symbol} in the book of ${engine.symbol}`);
  if (isOpen(engine, request.orderId)) assert.fail(`order ${request.orderId} was placed twice`);
  const code = refusal(engine, request);
  const order: OrderRef = { orderId: request.orderId, accountId: request.accountId, revision };
  return code ? [{ type: 'OrderRejected.v1', data: { order, code } }] : enter(engine, event, revision);
}

/** Enters an order that passed all checks: stops are put aside, others match and rest. */
export function enter(engine: Engine, event: Placed, revision: number): BookFact[] {
  const request = event.data;
  const order: OrderRef = { orderId: request.orderId, accountId: request.accountId, revision };
  const { side, type, timeInForce, quantity, limitTicks } = request;
  const accepted: Accepted = {
    order,
    side,
    type,
    timeInForce,
    quantity,
    limitTicks,
    restingQuantity: 0,
  };
  const outputs: BookFact[] = [{ type: 'OrderAccepted.v1', data: accepted }];
  const { expiresAt } = request;
  if (expiresAt !== undefined) accepted.expiresAt = expiresAt;
  if (request.notionalCents !== undefined) accepted.notionalCents = request.notionalCents;
  if (isStop(type)) {
    putStopAside(engine, event, revision);
    accepted.held = true;
    return outputs;
  }
  if (waitsForClosing(request, engine.state)) {
    engine.closingOrders.set(request.orderId, newOrder(engine, request, { revision, leaves: quantity }));
    accepted.held = true;
    return outputs;
  }
  const { listing } = engine;
  const { notionalCents } = request;
  const budget = notionalCents === undefined || !listing ? null : budgetOf(notionalCents, listing);
  const incoming: Incoming = {
    orderId: request.orderId,
    accountId: request.accountId,
    revision,
    side,
    limitTicks,
    tickCents: request.tickCents,
    selfTrade: request.selfTrade ?? 'none',
    time: event.time,
    leaves: budget ? affordable(budget, limitTicks * request.tickCents) : quantity,
    band: bandOf(engine, request.bandExempt),
    budget,
    ended: false,
    outsideBand: false,
    hitBound: false,
    hasOtherOutputs: false,
    firstTicks: 0,
  };
  const isUnfillable = !canFillEnough(engine, incoming, request);
  if (budget) keepToLots(engine, incoming, budget);
  const before = lastPrice(engine);
  const isGathering = engine.state !== 'continuous';
  if (!isUnfillable && !isGathering) match(engine, incoming, outputs);
  const mayRest = timeInForce === 'day' || timeInForce === 'gtc' || timeInForce === 'gtd';
  const { outsideBand } = incoming;
  const rests =
    isGathering || (!isUnfillable && !incoming.hitBound && mayRest && (type === 'limit' || outsideBand));
  if (rests) restInBook(engine, request, incoming, outputs, accepted);
  else if (budget) {
    const endFact = endOfBudget(incoming, budget, order);
    if (endFact) outputs.push(endFact);
  } else if (incoming.leaves > 0 && !incoming.ended)
    outputs.push(expiredRest(request, order, incoming, isUnfillable));
  if (outsideBand) beginCall(engine, 'volatility_auction', outputs);
  const { firstTicks } = incoming;
  if (firstTicks > 0 && engine.stops.terms.size > 0) {
    runTriggers(engine, { before, first: firstTicks, last: engine.lastTicks }, event.time, outputs);
  }
  return outputs;
}

/** Whether a fill-or-kill order or a minimum quantity can be filled. This looks ahead before anything changes. */
function canFillEnough(
  engine: Engine,
  incoming: Incoming,
  { timeInForce, quantity, minQuantity = 0 }: Placed['data'],
): boolean {
  const sharesNeeded = timeInForce === 'fok' ? quantity : minQuantity;
  if (sharesNeeded === 0) return true;
  const lookAhead = canTrade(engine, incoming, sharesNeeded, lookAheadMatches(engine));
  incoming.hitBound = lookAhead === 'bounded';
  return lookAhead === 'enough';
}

/** Puts the rest of a limit order into the book. */
function restInBook(
  engine: Engine,
  request: Placed['data'],
  { leaves, ended, hasOtherOutputs, revision }: Incoming,
  outputs: readonly BookFact[],
  accepted: Accepted,
): void {
  if (leaves === 0 || ended) return;
  accepted.restingQuantity = leaves;
  if (hasOtherOutputs) accepted.entersAfter = outputs.length - 1;
  if (request.expiresAt !== undefined) engine.expiries.set(request.orderId, request.expiresAt);
  const order = newOrder(engine, request, { revision, leaves });
  const { shownQuantity } = restWithPeak(engine, order, request.displayQuantity);
  if (shownQuantity !== undefined) accepted.shownQuantity = shownQuantity;
}

/** The order as the book stores it. An order for an auction ends with that, or with the day if there is no auction. */
function newOrder(
  engine: Engine,
  request: Placed['data'],
  { revision, leaves }: { revision: number; leaves: number },
): NewOrder {
  const {
    orderId: id,
    accountId,
    side,
    type,
    timeInForce,
    quantity,
    limitTicks,
    postOnly,
    selfTrade,
    displayQuantity,
  } = request;
  const isForAuction = timeInForce === 'opg' || timeInForce === 'cls';
  return {
    id,
    accountId,
    revision,
    side,
    priceTicks: limitTicks,
    flags: flagsOf({
      day: timeInForce === 'day' || isForAuction,
      postOnly,
      selfTrade,
      displayQuantity,
      endsWithCall: type === 'market' || isForAuction,
      bandExempt: request.bandExempt,
      unpriced: type === 'market' && follows(engine, 4),
    }),
    quantity,
    leaves,
  };
}

const isOpen = ({ book, stops, closingOrders }: Engine, orderId: string): boolean =>
  book.orders.has(orderId) ||
  (stops.terms.size > 0 && stops.terms.has(orderId)) ||
  (closingOrders.size > 0 && closingOrders.has(orderId));

/** Puts a stop aside until a trade reaches it. */
function putStopAside(engine: Engine, { data: request }: Placed, revision: number): void {
  const { orderId: id, accountId, side, type, quantity, limitTicks } = request;
  const { trailTicks = 0, trailPpm = 0 } = request;
  const stopTicks = firstStopTicks(engine, request);
  const markTicks = keepsRequestedStop(engine, type)
    ? markOfStop(side, stopTicks, { trailTicks, trailPpm })
    : lastPrice(engine);
  if (request.expiresAt !== undefined) engine.expiries.set(id, request.expiresAt);
  const { timeInForce, selfTrade, bandExempt } = request;
  const flags = flagsOf({ day: timeInForce === 'day', selfTrade, bandExempt });
  addStop(
    engine.stops,
    { id, accountId, revision, side, priceTicks: stopTicks, flags, quantity, leaves: quantity },
    { type: type as StopTerms['type'], limitTicks, trailTicks, trailPpm, markTicks },
  );
}

/** While nothing trades, a trailing stop's first price comes from the order alone; later trades move it. */
const keepsRequestedStop = (engine: Engine, type: Placed['data']['type']): boolean =>
  type === 'trailing_stop' && engine.state !== 'continuous' && follows(engine, 4);

/** The first stop price. A trailing stop follows the present market, but never starts further away than was requested. */
function firstStopTicks(
  engine: Engine,
  { type, side, stopTicks = 0, trailTicks = 0, trailPpm = 0 }: Placed['data'],
): number {
  if (type !== 'trailing_stop' || keepsRequestedStop(engine, type)) return stopTicks;
  const trailedTicks = trailedStop(side, lastPrice(engine), { trailTicks, trailPpm });
  return side === 'buy' ? Math.min(stopTicks, trailedTicks) : Math.max(stopTicks, trailedTicks);
}

function expiredRest(
  request: Placed['data'],
  order: OrderRef,
  { leaves: quantity, outsideBand, hitBound }: Incoming,
  isUnfillable: boolean,
): BookFact {
  const { side, type, timeInForce, limitTicks } = request;
  const reason = hitBound
    ? 'EXECUTION_BOUND'
    : timeInForce === 'fok'
      ? 'UNFILLED_FOK_ORDER_EXPIRED'
      : isUnfillable
        ? 'UNFILLED_MIN_QTY_ORDER_EXPIRED'
        : outsideBand
          ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED'
          : type === 'market'
            ? 'INSUFFICIENT_LIQUIDITY'
            : 'UNFILLED_IOC_QUANTITY_EXPIRED';
  return {
    type: 'OrderExpired.v1',
    data: { order, side, priceTicks: limitTicks, quantity, resting: false, reason },
  };
}

/** The engine's checks, in order of precedence. They are binding; command-api's rest on a state that may be older. */
export function refusal(engine: Engine, order: Placed['data']): RefusalCode | undefined {
  const { listing, state, bandsOff, book } = engine;
  if (!listing) return 'UNKNOWN_SYMBOL';
  const { rules, collar, matchingRules } = listing;
  const { side, quantity, limitTicks, tickCents, type, bandExempt } = order;
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (state === 'closed') return 'MARKET_CLOSED';
  if (matchingRules < 3 && (order.timeInForce === 'opg' || order.timeInForce === 'cls'))
    return 'MATCHING_RULES';
  if (matchingRules < 2 && needsRules2(order)) return 'MATCHING_RULES';
  if (matchingRules < 3 && needsRules3(order)) return 'MATCHING_RULES';
  if (order.notionalCents !== undefined) return notionalRefusal(order, listing) ?? entryRefusal(order, state);
  if (quantity < 1 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
  // A sell may be of the whole odd rest. Only the account knows its holding, so the engine does not check sells.
  if (side === 'buy' && rules.lotShares !== undefined && quantity % rules.lotShares !== 0) return 'LOT_STEP';
  if (limitTicks < 1 || tickCents !== rules.tickCents) return 'PRICE_TICK';
  // A protection price is not checked: command-api made it from the reference at that time.
  const isCollared = hasLimit(type) && !bandExempt && !bandsOff;
  if (isCollared && (limitTicks < collar.lowTicks || limitTicks > collar.highTicks)) return 'PRICE_BAND';
  const { notionalMinCents, notionalMaxCents } = rules;
  if (notionalMinCents !== undefined || notionalMaxCents !== undefined) {
    const value = limitTicks * tickCents * quantity;
    if (side === 'buy' && notionalMinCents !== undefined && value < notionalMinCents) return 'MIN_NOTIONAL';
    if (notionalMaxCents !== undefined && value > notionalMaxCents) return 'MAX_NOTIONAL';
  }
  const entryCode = matchingRules < 3 ? undefined : entryRefusal(order, state);
  if (entryCode) return entryCode;
  if (order.expiresAt !== undefined && order.expiresAt <= engine.time) return 'EXPIRES_AT';
  const icebergCode = icebergRefusal(order, rules.lotShares ?? 1, matchingRules);
  if (icebergCode) return icebergCode;
  if (isStop(type)) {
    if (order.timeInForce === 'ioc' || order.timeInForce === 'fok') return 'TIME_IN_FORCE';
    const stopTicks = firstStopTicks(engine, order);
    if (stopTicks < 1) return 'PRICE_TICK';
    const isTrading = state === 'continuous';
    if (isTrading && triggersAt(side, stopTicks, lastPrice(engine))) return 'WOULD_TRIGGER_IMMEDIATELY';
    return undefined;
  }
  // Orders of the same account count, too: post-only looks at the book, before self-trade prevention.
  if (order.postOnly && state === 'continuous' && matchable(book, side, limitTicks)) return 'WOULD_TAKE';
  return undefined;
}

const needsRules2 = (order: Placed['data']): boolean =>
  isStop(order.type) ||
  order.postOnly === true ||
  order.minQuantity !== undefined ||
  order.selfTrade !== undefined ||
  order.expiresAt !== undefined;

const needsRules3 = (order: Placed['data']): boolean =>
  order.displayQuantity !== undefined || order.notionalCents !== undefined;
