import assert from 'node:assert/strict';
import type { BookFact, EventOf, OrderRef } from '@brokerx/contracts';
import { amend } from './amend.ts';
import { reportIndicative } from './auction/call.ts';
import { beginPhase, endCall, halt, resume } from './auction/phases.ts';
import { resetBound } from './bound.ts';
import { dormantOf, dropDormant, updateLists } from './bracket.ts';
import { hasDeferred, isEndDeferred, reportDeferred } from './deferredEnds.ts';
import { expireDay, reachTime, timeDueAgain } from './expiry.ts';
import { withdraw } from './iceberg.ts';
import { siblingsOf, startWatchingBrackets } from './orderList.ts';
import { place } from './place.ts';
import { placeList } from './placeList.ts';
import { type Engine, follows, listing, NOTED, type PlacedInput } from './state.ts';
import { removeStop } from './stops/stops.ts';
import { runDeferredTriggers } from './stops/triggers.ts';

/**
 * The matching engine of one symbol: a pure state machine. No clock, no randomness, no I/O: the same inputs in the
 * same order give the same outputs, for ever. Every input gives at least one output.
 */
export {
  type Engine,
  KNOWN_MATCHING_RULES,
  type Listing,
  listing,
  newEngine,
  outputTime,
  type PlacedInput,
  UnknownMatchingRules,
} from './state.ts';

/** Applies one input and returns its outputs. Throws only on bugs; the engine must not be used after that. */
export function apply(engine: Engine, input: PlacedInput): BookFact[] {
  engine.band = null;
  resetBound(engine);
  const outputs = hasDeferred(engine) ? carryOutAfterDeferred(engine, input) : carryOut(engine, input);
  if (engine.stops.deferredIds.size > 0) runDeferredTriggers(engine, input.event.time, outputs);
  if (engine.lists.size > 0) updateLists(engine, input.event, outputs);
  if (engine.call) reportIndicative(engine, engine.call, outputs);
  if (input.event.type !== 'TimeReached.v1' && hasDeferred(engine))
    outputs.push(timeDueAgain(engine, input.event.time));
  return outputs;
}

/** Carries out an input after the outputs that earlier inputs had no room for. */
function carryOutAfterDeferred(engine: Engine, input: PlacedInput): BookFact[] {
  const deferred = reportDeferred(engine);
  engine.outputsBound -= deferred.length;
  const outputs = carryOut(engine, input);
  // Added, not reset: an uncross may have raised the bound for its own outputs.
  engine.outputsBound += deferred.length;
  return deferred.concat(outputs);
}

function carryOut(engine: Engine, { event, revision }: PlacedInput): BookFact[] {
  switch (event.type) {
    case 'OrderPlaced.v1':
      return place(engine, event, revision);
    case 'OrderListPlaced.v1':
      return placeList(engine, event, revision);
    case 'TimeReached.v1':
      return reachTime(engine, event);
    case 'OrderCancelRequested.v1':
      return cancel(engine, event, revision);
    case 'OrderAmendRequested.v1':
      return amend(engine, event, revision);
    case 'TradingCalendarSet.v1':
      return [NOTED];
    case 'SymbolListed.v1':
      return listSymbol(engine, event);
    case 'MatchingRulesAdopted.v1':
      return adoptRules(engine, event);
    case 'SymbolExemptionsChanged.v1':
      engine.bandsOff = event.data.bandsOff;
      return [NOTED];
    case 'TradingHalted.v1':
      return halt(engine);
    case 'TradingResumed.v1':
      return resume(engine, event);
    case 'TradingPhaseBegan.v1':
      return beginPhase(engine, event);
    case 'AuctionCallEnded.v1':
      return endCall(engine, event);
    case 'DayEnded.v1':
      return endDay(engine, event);
    default:
      throw new Error('unknown input', { cause: event satisfies never });
  }
}

/** Cancels an order. Canceling an order of a list cancels the whole list. */
function cancel(engine: Engine, event: EventOf<'OrderCancelRequested.v1'>, revision: number): BookFact[] {
  const { orderId, accountId } = event.data;
  const siblings =
    engine.lists.size > 0 ? siblingsOf(engine, orderId).filter((id) => !isEndDeferred(engine, id)) : [];
  const canceled = cancelOne(engine, { orderId, accountId, revision });
  if (canceled.type !== 'OrderCanceled.v1' || siblings.length === 0) return [canceled];
  return [canceled, ...siblings.map((id) => cancelOne(engine, { orderId: id, accountId, revision }))];
}

function cancelOne(engine: Engine, order: OrderRef): BookFact {
  const { book, stops, closingOrders } = engine;
  const { orderId, accountId } = order;
  const resting = book.orders.get(orderId);
  const stop = resting ? undefined : stops.book.orders.get(orderId);
  const open = resting ?? stop ?? closingOrders.get(orderId);
  const dormant = open || engine.lists.size === 0 ? undefined : dormantOf(engine, orderId);
  if (dormant?.terms.accountId === accountId) {
    const { side, limitTicks: priceTicks, quantity } = dormant.terms;
    dropDormant(engine, orderId);
    return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, held: true } };
  }
  if (open?.accountId !== accountId) {
    return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
  }
  const { side, priceTicks, leaves } = open;
  const canceled: Canceled = { order, side, priceTicks, quantity: leaves };
  if (resting) {
    const { quantity, shownQuantity } = withdraw(engine, resting);
    canceled.quantity = quantity;
    if (shownQuantity !== undefined) canceled.shownQuantity = shownQuantity;
    return { type: 'OrderCanceled.v1', data: canceled };
  }
  if (stop) removeStop(stops, stop);
  else closingOrders.delete(orderId);
  canceled.held = true;
  return { type: 'OrderCanceled.v1', data: canceled };
}

type Canceled = Extract<BookFact, { type: 'OrderCanceled.v1' }>['data'];

function listSymbol(engine: Engine, event: EventOf<'SymbolListed.v1'>): BookFact[] {
  const { symbol, rules, matchingRules } = event.data;
  assert(symbol === engine.symbol && !engine.listing, `${symbol} is listed twice`);
  engine.listing = listing({ rules, matchingRules, referenceTicks: rules.listingTicks });
  engine.state = 'continuous';
  return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
}

function adoptRules(engine: Engine, event: EventOf<'MatchingRulesAdopted.v1'>): BookFact[] {
  const { matchingRules } = event.data;
  const isOlder = !follows(engine, 4);
  if (engine.listing) engine.listing = listing({ ...engine.listing, matchingRules });
  if (isOlder) startWatchingBrackets(engine);
  return [NOTED];
}

/** Ends the trading day: `day` orders expire, and the close becomes the static reference. */
function endDay(engine: Engine, event: EventOf<'DayEnded.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  if (event.data.at > engine.time) engine.time = event.data.at;
  expireDay(engine, outputs);
  if (engine.listing) {
    engine.listing = listing({ ...engine.listing, referenceTicks: event.data.closeTicks });
  }
  return outputs.length > 0 ? outputs : [NOTED];
}
