import { type BookFact, type EventOf, isAuction } from '@brokerx/contracts';
import { isAtBound } from '../bound.ts';
import { hasDeferred } from '../deferredEnds.ts';
import { expireDay, expireDue, hasDueOrders } from '../expiry.ts';
import { type Engine, follows, NOTED } from '../state.ts';
import { needsExtension } from './bands.ts';
import { beginCall, equilibriumOf } from './call.ts';
import { beginContinuous, uncrossAtClose } from './uncross.ts';

/**
 * The trading day, from version 3 of the matching rules on: pre_open → opening_auction → continuous → closing_auction →
 * closed. A volatility auction and a halt interrupt it. During a halt `engine.phase` follows the day, and `resume` returns to
 * it; where that phase trades, an auction comes first. A phase that cannot follow the present state is only noted.
 */
export function beginPhase(engine: Engine, event: EventOf<'TradingPhaseBegan.v1'>): BookFact[] {
  const { phase, at } = event.data;
  if (!hasTradingDay(engine)) return [NOTED];
  advanceTime(engine, at);
  if (engine.state === 'halt') return beginPhaseInHalt(engine, phase);
  const outputs: BookFact[] = [];
  const { state } = engine;
  switch (phase) {
    case 'pre_open':
      if (state !== 'closed') return [NOTED];
      engine.state = 'pre_open';
      engine.opened = false;
      outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'pre_open' } });
      break;
    case 'opening_auction':
      if (state !== 'closed' && state !== 'pre_open') return [NOTED];
      engine.opened = false;
      beginCall(engine, 'opening_auction', outputs);
      break;
    case 'continuous':
      if (state === 'continuous' || state === 'closing_auction') return [NOTED];
      if (expireBeforeUncross(engine, outputs)) openMarket(engine, event.time, outputs);
      else prolongCall(engine, outputs);
      break;
    case 'closing_auction':
      if (state === 'closed' || state === 'closing_auction') return [NOTED];
      beginCall(engine, 'closing_auction', outputs);
      break;
    case 'closed':
      if (state === 'closed') return [NOTED];
      if (state === 'continuous' || expireBeforeUncross(engine, outputs))
        closeMarket(engine, event.time, outputs);
      else prolongCall(engine, outputs);
      break;
  }
  engine.phase = phase;
  return outputs;
}

/** Ends the running call: uncrosses it, or prolongs it. */
export function endCall(engine: Engine, event: EventOf<'AuctionCallEnded.v1'>): BookFact[] {
  if (!engine.call) return [NOTED];
  advanceTime(engine, event.data.at);
  const outputs: BookFact[] = [];
  if (!expireBeforeUncross(engine, outputs)) {
    prolongCall(engine, outputs);
    return outputs;
  }
  // The closing auction ends; or the market was to close earlier, and this call was prolonged instead.
  if (engine.state === 'closing_auction' || engine.phase === 'closed') {
    closeMarket(engine, event.time, outputs);
    engine.phase = 'closed';
    return outputs;
  }
  if (engine.state === 'volatility_auction' && !engine.call.extended) {
    const result = equilibriumOf(engine);
    if (needsExtension(engine, result)) {
      engine.call.extended = true;
      outputs.push({ type: 'AuctionExtended.v1', data: result });
      return outputs;
    }
  }
  openMarket(engine, event.time, outputs);
  engine.phase = 'continuous';
  return outputs;
}

/**
 * Expires due orders before an uncross, so that they neither trade in it nor count for its price. Returns false if the input
 * has no room for all of them, or for outputs that are deferred: then nothing may be uncrossed yet.
 */
function expireBeforeUncross(engine: Engine, outputs: BookFact[]): boolean {
  if (!follows(engine, 4)) return true;
  if (hasDeferred(engine)) return false;
  expireDue(engine, outputs, () => isAtBound(engine, outputs));
  return !hasDueOrders(engine);
}

/** Prolongs the running call, or begins one. Command-api's timer will end it. */
const prolongCall = (engine: Engine, outputs: BookFact[]): void =>
  beginCall(engine, isAuction(engine.state) ? engine.state : 'opening_auction', outputs);

/** Halts the market. A running call is dropped without an uncross. */
export function halt(engine: Engine): BookFact[] {
  if (!engine.listing || engine.state === 'halt') return [NOTED];
  engine.state = 'halt';
  engine.call = null;
  return [{ type: 'MarketStateChanged.v1', data: { state: 'halt' } }];
}

/** Ends a halt. If the close has come meanwhile, the market closes; if it would trade by now, an auction begins. */
export function resume(engine: Engine, event: EventOf<'TradingResumed.v1'>): BookFact[] {
  if (!engine.listing || engine.state !== 'halt') return [NOTED];
  const outputs: BookFact[] = [];
  if (!hasTradingDay(engine)) {
    engine.state = 'continuous';
    return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
  }
  switch (engine.phase) {
    case 'pre_open':
      engine.state = 'pre_open';
      outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'pre_open' } });
      break;
    case 'opening_auction':
    case 'continuous':
      beginCall(engine, engine.opened ? 'volatility_auction' : 'opening_auction', outputs);
      break;
    case 'closing_auction':
    case 'closed':
      closeMarket(engine, event.time, outputs);
      engine.phase = 'closed';
      break;
  }
  return outputs;
}

function openMarket(engine: Engine, time: string, outputs: BookFact[]): void {
  const auction = engine.state === 'volatility_auction' ? engine.state : 'opening_auction';
  engine.opened = true;
  beginContinuous(engine, auction, time, outputs);
}

/** Closes the market. `day` orders expire after the closing uncross, which does not take place after a halt. */
function closeMarket(engine: Engine, time: string, outputs: BookFact[]): void {
  const { state } = engine;
  if (state === 'pre_open') uncrossAtClose(engine, 'opening_auction', time, outputs);
  else if (state !== 'continuous' && state !== 'halt' && state !== 'closed')
    uncrossAtClose(engine, state, time, outputs);
  expireDay(engine, outputs);
  engine.state = 'closed';
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'closed' } });
}

/** Begins a phase of a halted market: it does not trade, and `day` orders expire at the close. */
function beginPhaseInHalt(engine: Engine, phase: Engine['phase']): BookFact[] {
  const isNewDay = engine.phase === 'closed' && phase === 'continuous' && follows(engine, 4);
  if (phase === 'pre_open' || phase === 'opening_auction' || isNewDay) engine.opened = false;
  engine.phase = phase;
  const outputs: BookFact[] = [];
  if (phase === 'closed') expireDay(engine, outputs);
  return outputs.length > 0 ? outputs : [NOTED];
}

const hasTradingDay = (engine: Engine): boolean => follows(engine, 3);

function advanceTime(engine: Engine, at: string): void {
  if (at > engine.time) engine.time = at;
}
