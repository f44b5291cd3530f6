import assert from 'node:assert/strict';
import type { BookFact, EventOf, MarketState } from '@brokerx/contracts';
import { amend } from './amend.ts';
import { remove } from './book.ts';
import { type Engine, listing, type PlacedInput } from './engineState.ts';
import { EXPIRES_WITH_DAY } from './flags.ts';
import { place } from './place.ts';

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

function cancel({ book }: Engine, event: EventOf<'OrderCancelRequested.v1'>, revision: number): BookFact {
  const { orderId, accountId } = event.data;
  const order = { orderId, accountId, revision };
  const resting = book.orders.get(orderId);
  if (resting?.accountId !== accountId) {
    return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
  }
  remove(book, resting);
  const { side, priceTicks, leaves } = resting;
  return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity: leaves } };
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

/** DAY orders expire, the oldest first, and the close becomes the static reference. */
function endDay(engine: Engine, event: EventOf<'DayEnded.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  for (const resting of engine.book.orders.values()) {
    if ((resting.flags & EXPIRES_WITH_DAY) === 0) continue;
    const { id: orderId, accountId, revision, side, priceTicks, leaves: quantity } = resting;
    const order = { orderId, accountId, revision };
    // Taking an entry out of a Map while it is walked is defined: the walk goes on with the next one.
    remove(engine.book, resting);
    outputs.push({
      type: 'OrderExpired.v1',
      data: { order, side, priceTicks, quantity, resting: true, reason: 'DAY_ENDED' },
    });
  }
  if (engine.listing) {
    engine.listing = listing({ ...engine.listing, referenceTicks: event.data.closeTicks });
  }
  return outputs.length > 0 ? outputs : [NOTED];
}
