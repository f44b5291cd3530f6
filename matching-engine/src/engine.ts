import assert from 'node:assert/strict';
import type { BookFact, EventOf, MarketState } from '@brokerx/contracts';
import { amend } from './amend.ts';
import { type Engine, listing, type PlacedInput } from './engineState.ts';
import { expireDay, reachTime } from './expiry.ts';
import { withdraw } from './iceberg.ts';
import { place } from './place.ts';
import { removeStop } from './triggers.ts';

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
} from './engineState.ts';

/** Applies one input and says what came of it. Throws only on bugs; the engine must not be used after that. */
export function apply(engine: Engine, input: PlacedInput): BookFact[] {
  const { event, revision } = input;
  switch (event.type) {
    case 'OrderPlaced.v1':
      return place(engine, event, revision);
    case 'TimeReached.v1':
      return reachTime(engine, event);
    case 'OrderCancelRequested.v1':
      return [cancel(engine, event, revision)];
    case 'OrderAmendRequested.v1':
      return amend(engine, event, revision);
    case 'SymbolListed.v1':
      return list(engine, event);
    case 'MatchingRulesAdopted.v1':
      return adopt(engine, event);
    case 'SymbolExemptionsChanged.v1':
      engine.bandsOff = event.data.bandsOff;
      return [NOTED];
    case 'TradingHalted.v1':
      return changeState(engine, 'halt');
    case 'TradingResumed.v1':
      return changeState(engine, 'continuous');
    case 'DayEnded.v1':
      return endDay(engine, event);
    default:
      throw new Error('unknown input', { cause: event satisfies never });
  }
}

const NOTED: BookFact = { type: 'InputNoted.v1', data: {} };

function cancel(engine: Engine, event: EventOf<'OrderCancelRequested.v1'>, revision: number): BookFact {
  const { book, stops } = engine;
  const { orderId, accountId } = event.data;
  const order = { orderId, accountId, revision };
  const resting = book.orders.get(orderId) ?? stops.book.orders.get(orderId);
  if (resting?.accountId !== accountId) {
    return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
  }
  const { side, priceTicks, leaves } = resting;
  if (!book.orders.has(orderId)) {
    removeStop(stops, resting);
    const held = { side, priceTicks, quantity: leaves, held: true as const };
    return { type: 'OrderCanceled.v1', data: { order, ...held } };
  }
  const { quantity, shownQuantity } = withdraw(engine, resting);
  const shown = shownQuantity === undefined ? {} : { shownQuantity };
  return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, ...shown } };
}

function list(engine: Engine, event: EventOf<'SymbolListed.v1'>): BookFact[] {
  const { symbol, rules, matchingRules } = event.data;
  assert(symbol === engine.symbol && !engine.listing, `${symbol} is listed twice`);
  engine.listing = listing({ rules, matchingRules, referenceTicks: rules.listingTicks });
  engine.state = 'continuous';
  return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
}

function adopt(engine: Engine, event: EventOf<'MatchingRulesAdopted.v1'>): BookFact[] {
  const { matchingRules } = event.data;
  if (engine.listing) engine.listing = listing({ ...engine.listing, matchingRules });
  return [NOTED];
}

function changeState(engine: Engine, state: MarketState): BookFact[] {
  if (!engine.listing || engine.state === state) return [NOTED];
  engine.state = state;
  return [{ type: 'MarketStateChanged.v1', data: { state } }];
}

/** DAY orders expire, and the close becomes the static reference. */
function endDay(engine: Engine, event: EventOf<'DayEnded.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  if (event.data.at > engine.time) engine.time = event.data.at;
  expireDay(engine, outputs);
  if (engine.listing) {
    engine.listing = listing({ ...engine.listing, referenceTicks: event.data.closeTicks });
  }
  return outputs.length > 0 ? outputs : [NOTED];
}
