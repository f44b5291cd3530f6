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
import { icebergRefusal, restShown } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { canTrade } from './lookAhead.ts';
import { match } from './match.ts';
import { affordable, budgetOf, endOfBudget, keepToLots, notionalRefusal } from './notional.ts';
import { type Engine, follows, lastPrice } from './state.ts';
import { addStop, markBehind, type StopTerms, trailedStop, triggersAt } from './stops/stops.ts';
import { runTriggers } from './stops/triggers.ts';

type Placed = EventOf<'OrderPlaced.v1'>;
type Accepted = Extract<BookFact, { type: 'OrderAccepted.v1' }>['data'];

/** A new order: refused, or accepted, matched, and what is left of it put into the book or expired. */
export function place(engine: Engine, event: Placed, revision: number): BookFact[] {
  const asked = event.data;
  if (asked.symbol !== engine.symbol)
    assert.fail(`an order for ${asked.symbol} in the book of ${engine.symbol}`);
  if (isKnown(engine, asked.orderId)) assert.fail(`order ${asked.orderId} was placed twice`);
  const code = refusal(engine, asked);
  const order: OrderRef = { orderId: asked.orderId, accountId: asked.accountId, revision };
  return code ? [{ type: 'OrderRejected.v1', data: { order, code } }] : enter(engine, event, revision);
}

/** An order that nothing speaks against: it waits for its trigger, or arrives. */
export function enter(engine: Engine, event: Placed, revision: number): BookFact[] {
  const asked = event.data;
  const order: OrderRef = { orderId: asked.orderId, accountId: asked.accountId, revision };
  const { side, type, timeInForce, quantity, limitTicks } = asked;
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
  const { expiresAt } = asked;
  if (expiresAt !== undefined) accepted.expiresAt = expiresAt;
  if (asked.notionalCents !== undefined) accepted.notionalCents = asked.notionalCents;
  if (isStop(type)) {
    hold(engine, event, revision);
    accepted.held = true;
    return outputs;
  }
  if (waitsForClosing(asked, engine.state)) {
    engine.waiting.set(asked.orderId, newOrder(engine, asked, { revision, leaves: quantity }));
    accepted.held = true;
    return outputs;
  }
  const { listing } = engine;
  const { notionalCents } = asked;
  const budget = notionalCents === undefined || !listing ? null : budgetOf(notionalCents, listing);
  const incoming: Incoming = {
    orderId: asked.orderId,
    accountId: asked.accountId,
    revision,
    side,
    limitTicks,
    tickCents: asked.tickCents,
    selfTrade: asked.selfTrade ?? 'none',
    time: event.time,
    leaves: budget ? affordable(budget, limitTicks * asked.tickCents) : quantity,
    band: bandOf(engine, asked.bandExempt),
    budget,
    ended: false,
    outside: false,
    bounded: false,
    prevented: false,
    firstTicks: 0,
  };
  const fails = !isWorthBeginning(engine, incoming, asked);
  if (budget) keepToLots(engine, incoming, budget);
  const before = lastPrice(engine);
  const gathers = engine.state !== 'continuous';
  if (!fails && !gathers) match(engine, incoming, outputs);
  const stays = timeInForce === 'day' || timeInForce === 'gtc' || timeInForce === 'gtd';
  const { outside } = incoming;
  const rests = gathers || (!fails && !incoming.bounded && stays && (type === 'limit' || outside));
  if (rests) settleDown(engine, asked, incoming, outputs, accepted);
  else if (budget) {
    const end = endOfBudget(incoming, budget, order);
    if (end) outputs.push(end);
  } else if (incoming.leaves > 0 && !incoming.ended) outputs.push(expiredRest(asked, order, incoming, fails));
  if (outside) beginCall(engine, 'volatility_auction', outputs);
  const { firstTicks } = incoming;
  if (firstTicks > 0 && engine.stops.terms.size > 0) {
    runTriggers(engine, { before, first: firstTicks, last: engine.lastTicks }, event.time, outputs);
  }
  return outputs;
}

/** Looking ahead over the sweep: fill-or-kill and a minimum quantity are tested before anything changes. */
function isWorthBeginning(
  engine: Engine,
  incoming: Incoming,
  { timeInForce, quantity, minQuantity = 0 }: Placed['data'],
): boolean {
  const wanted = timeInForce === 'fok' ? quantity : minQuantity;
  if (wanted === 0) return true;
  const could = canTrade(engine, incoming, wanted, lookAheadMatches(engine));
  incoming.bounded = could === 'bounded';
  return could === 'enough';
}

/** What is left of a limit order goes into the book. */
function settleDown(
  engine: Engine,
  asked: Placed['data'],
  { leaves, ended, prevented, revision }: Incoming,
  outputs: readonly BookFact[],
  accepted: Accepted,
): void {
  if (leaves === 0 || ended) return;
  accepted.restingQuantity = leaves;
  if (prevented) accepted.entersAfter = outputs.length - 1;
  if (asked.expiresAt !== undefined) engine.expiries.set(asked.orderId, asked.expiresAt);
  const order = newOrder(engine, asked, { revision, leaves });
  const { shownQuantity } = restShown(engine, order, asked.displayQuantity);
  if (shownQuantity !== undefined) accepted.shownQuantity = shownQuantity;
}

/** As it stands in the book. What is meant for an auction ends with it, or with a day that has none. */
function newOrder(
  engine: Engine,
  asked: Placed['data'],
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
  } = asked;
  const forAuction = timeInForce === 'opg' || timeInForce === 'cls';
  return {
    id,
    accountId,
    revision,
    side,
    priceTicks: limitTicks,
    flags: flagsOf({
      day: timeInForce === 'day' || forAuction,
      postOnly,
      selfTrade,
      displayQuantity,
      endsWithCall: type === 'market' || forAuction,
      bandExempt: asked.bandExempt,
      unpriced: type === 'market' && follows(engine, 4),
    }),
    quantity,
    leaves,
  };
}

const isKnown = ({ book, stops, waiting }: Engine, orderId: string): boolean =>
  book.orders.has(orderId) ||
  (stops.terms.size > 0 && stops.terms.has(orderId)) ||
  (waiting.size > 0 && waiting.has(orderId));

/** Puts a stop aside until a trade reaches it. */
function hold(engine: Engine, { data: asked }: Placed, revision: number): void {
  const { orderId: id, accountId, side, type, quantity, limitTicks } = asked;
  const { trailTicks = 0, trailPpm = 0 } = asked;
  const stopTicks = stopOf(engine, asked);
  const markTicks = comesFromOrder(engine, type)
    ? markBehind(side, stopTicks, { trailTicks, trailPpm })
    : lastPrice(engine);
  if (asked.expiresAt !== undefined) engine.expiries.set(id, asked.expiresAt);
  const { timeInForce, selfTrade, bandExempt } = asked;
  const flags = flagsOf({ day: timeInForce === 'day', selfTrade, bandExempt });
  addStop(
    engine.stops,
    { id, accountId, revision, side, priceTicks: stopTicks, flags, quantity, leaves: quantity },
    { type: type as StopTerms['type'], limitTicks, trailTicks, trailPpm, markTicks },
  );
}

/** While nothing trades, only what the order says is known of a trailing stop: prints move it later. */
const comesFromOrder = (engine: Engine, type: Placed['data']['type']): boolean =>
  type === 'trailing_stop' && engine.state !== 'continuous' && follows(engine, 4);

/** A trailing stop begins no looser than it was decided: the market may have moved since. */
function stopOf(
  engine: Engine,
  { type, side, stopTicks = 0, trailTicks = 0, trailPpm = 0 }: Placed['data'],
): number {
  if (type !== 'trailing_stop' || comesFromOrder(engine, type)) return stopTicks;
  const trailed = trailedStop(side, lastPrice(engine), { trailTicks, trailPpm });
  return side === 'buy' ? Math.min(stopTicks, trailed) : Math.max(stopTicks, trailed);
}

function expiredRest(
  asked: Placed['data'],
  order: OrderRef,
  { leaves: quantity, outside, bounded }: Incoming,
  fails: boolean,
): BookFact {
  const { side, type, timeInForce, limitTicks } = asked;
  const reason = bounded
    ? 'EXECUTION_BOUND'
    : timeInForce === 'fok'
      ? 'UNFILLED_FOK_ORDER_EXPIRED'
      : fails
        ? 'UNFILLED_MIN_QTY_ORDER_EXPIRED'
        : outside
          ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED'
          : type === 'market'
            ? 'INSUFFICIENT_LIQUIDITY'
            : 'UNFILLED_IOC_QUANTITY_EXPIRED';
  return {
    type: 'OrderExpired.v1',
    data: { order, side, priceTicks: limitTicks, quantity, resting: false, reason },
  };
}

/** The engine's own, binding checks, in order of precedence. Those of command-api may be a moment old. */
export function refusal(engine: Engine, order: Placed['data']): RefusalCode | undefined {
  const { listing, state, bandsOff, book } = engine;
  if (!listing) return 'UNKNOWN_SYMBOL';
  const { rules, collar, matchingRules } = listing;
  const { side, quantity, limitTicks, tickCents, type, bandExempt } = order;
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (state === 'closed') return 'MARKET_CLOSED';
  if (matchingRules < 3 && (order.timeInForce === 'opg' || order.timeInForce === 'cls'))
    return 'MATCHING_RULES';
  if (matchingRules < 2 && asksForMore(order)) return 'MATCHING_RULES';
  if (matchingRules < 3 && asksForEvenMore(order)) return 'MATCHING_RULES';
  if (order.notionalCents !== undefined) return notionalRefusal(order, listing) ?? entryRefusal(order, state);
  if (quantity < 1 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
  // Who sells may sell an odd rest whole; what is held is the account's to know.
  if (side === 'buy' && rules.lotShares !== undefined && quantity % rules.lotShares !== 0) return 'LOT_STEP';
  if (limitTicks < 1 || tickCents !== rules.tickCents) return 'PRICE_TICK';
  // A market order's protection price is no limit of the client's: it was made from the reference of then.
  const banded = hasLimit(type) && !bandExempt && !bandsOff;
  if (banded && (limitTicks < collar.lowTicks || limitTicks > collar.highTicks)) return 'PRICE_BAND';
  const { notionalMinCents, notionalMaxCents } = rules;
  if (notionalMinCents !== undefined || notionalMaxCents !== undefined) {
    const value = limitTicks * tickCents * quantity;
    if (side === 'buy' && notionalMinCents !== undefined && value < notionalMinCents) return 'MIN_NOTIONAL';
    if (notionalMaxCents !== undefined && value > notionalMaxCents) return 'MAX_NOTIONAL';
  }
  const untaken = matchingRules < 3 ? undefined : entryRefusal(order, state);
  if (untaken) return untaken;
  if (order.expiresAt !== undefined && order.expiresAt <= engine.time) return 'EXPIRES_AT';
  const iceberg = icebergRefusal(order, rules.lotShares ?? 1, matchingRules);
  if (iceberg) return iceberg;
  if (isStop(type)) {
    if (order.timeInForce === 'ioc' || order.timeInForce === 'fok') return 'TIME_IN_FORCE';
    const stopTicks = stopOf(engine, order);
    if (stopTicks < 1) return 'PRICE_TICK';
    const trades = state === 'continuous';
    if (trades && triggersAt(side, stopTicks, lastPrice(engine))) return 'WOULD_TRIGGER_IMMEDIATELY';
    return undefined;
  }
  // Orders of its own account count: post-only is about the book, before any prevention.
  if (order.postOnly && state === 'continuous' && matchable(book, side, limitTicks)) return 'WOULD_TAKE';
  return undefined;
}

const asksForMore = (order: Placed['data']): boolean =>
  isStop(order.type) ||
  order.postOnly === true ||
  order.minQuantity !== undefined ||
  order.selfTrade !== undefined ||
  order.expiresAt !== undefined;

const asksForEvenMore = (order: Placed['data']): boolean =>
  order.displayQuantity !== undefined || order.notionalCents !== undefined;
