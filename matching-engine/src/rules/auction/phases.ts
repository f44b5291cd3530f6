import { type BookFact, type EventOf, isAuction } from '@brokerx/contracts';
import { isFull } from '../bound.ts';
import { expireDay, expireDue, isDue } from '../expiry.ts';
import { type Engine, follows, NOTED } from '../state.ts';
import { hasLeft } from '../untoldEnds.ts';
import { isExtended } from './bands.ts';
import { beginCall, equilibriumOf } from './call.ts';
import { beginContinuous, uncrossAtClose } from './uncross.ts';

/**
 * The trading day, from version 3 of the matching rules on: pre_open → opening_auction → continuous → closing_auction →
 * closed. A volatility auction and a halt interrupt it; a halt keeps the phase that it will come back to, and ends with
 * an auction. What does not follow from what the market does is noted, and changes nothing.
 */
export function beginPhase(engine: Engine, event: EventOf<'TradingPhaseBegan.v1'>): BookFact[] {
  const { phase, at } = event.data;
  if (!hasDays(engine)) return [NOTED];
  passTime(engine, at);
  if (engine.state === 'halt') return beginHalted(engine, phase);
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
      if (isReady(engine, outputs)) open(engine, event.time, outputs);
      else runOn(engine, outputs);
      break;
    case 'closing_auction':
      if (state === 'closed' || state === 'closing_auction') return [NOTED];
      beginCall(engine, 'closing_auction', outputs);
      break;
    case 'closed':
      if (state === 'closed') return [NOTED];
      if (state === 'continuous' || isReady(engine, outputs)) close(engine, event.time, outputs);
      else runOn(engine, outputs);
      break;
  }
  engine.phase = phase;
  return outputs;
}

/** The call that runs is uncrossed, or runs for another while. */
export function endCall(engine: Engine, event: EventOf<'AuctionCallEnded.v1'>): BookFact[] {
  if (!engine.call) return [NOTED];
  passTime(engine, event.data.at);
  const outputs: BookFact[] = [];
  if (!isReady(engine, outputs)) {
    runOn(engine, outputs);
    return outputs;
  }
  // The market was to close before, and the call ran on.
  if (engine.state === 'closing_auction' || engine.phase === 'closed') {
    close(engine, event.time, outputs);
    engine.phase = 'closed';
    return outputs;
  }
  if (engine.state === 'volatility_auction' && !engine.call.extended) {
    const result = equilibriumOf(engine);
    if (isExtended(engine, result)) {
      engine.call.extended = true;
      outputs.push({ type: 'AuctionExtended.v1', data: result });
      return outputs;
    }
  }
  open(engine, event.time, outputs);
  engine.phase = 'continuous';
  return outputs;
}

/**
 * What has ended by now is in no uncross, nor in the price that decides about one, and what enters it is told before; false:
 * there is no room for all of that.
 */
function isReady(engine: Engine, outputs: BookFact[]): boolean {
  if (!follows(engine, 4)) return true;
  if (hasLeft(engine)) return false;
  expireDue(engine, outputs, () => isFull(engine, outputs));
  return !isDue(engine);
}

/** The call runs for another while, or one begins: whoever keeps the market's time ends it. */
const runOn = (engine: Engine, outputs: BookFact[]): void =>
  beginCall(engine, isAuction(engine.state) ? engine.state : 'opening_auction', outputs);

/** A call that runs goes with it: nothing is uncrossed. */
export function halt(engine: Engine): BookFact[] {
  if (!engine.listing || engine.state === 'halt') return [NOTED];
  engine.state = 'halt';
  engine.call = null;
  return [{ type: 'MarketStateChanged.v1', data: { state: 'halt' } }];
}

/** A market that was halted at its close is closed; one that would trade by now begins with an auction. */
export function resume(engine: Engine, event: EventOf<'TradingResumed.v1'>): BookFact[] {
  if (!engine.listing || engine.state !== 'halt') return [NOTED];
  const outputs: BookFact[] = [];
  if (!hasDays(engine)) {
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
      close(engine, event.time, outputs);
      engine.phase = 'closed';
      break;
  }
  return outputs;
}

function open(engine: Engine, time: string, outputs: BookFact[]): void {
  const auction = engine.state === 'volatility_auction' ? engine.state : 'opening_auction';
  engine.opened = true;
  beginContinuous(engine, auction, time, outputs);
}

/** DAY orders expire after the closing uncross. A market that comes out of a halt has none. */
function close(engine: Engine, time: string, outputs: BookFact[]): void {
  const { state } = engine;
  if (state === 'pre_open') uncrossAtClose(engine, 'opening_auction', time, outputs);
  else if (state !== 'continuous' && state !== 'halt' && state !== 'closed')
    uncrossAtClose(engine, state, time, outputs);
  expireDay(engine, outputs);
  engine.state = 'closed';
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'closed' } });
}

/** The day goes on while a market is halted; what ends with it, ends. */
function beginHalted(engine: Engine, phase: Engine['phase']): BookFact[] {
  const isNewDay = engine.phase === 'closed' && phase === 'continuous' && follows(engine, 4);
  if (phase === 'pre_open' || phase === 'opening_auction' || isNewDay) engine.opened = false;
  engine.phase = phase;
  const outputs: BookFact[] = [];
  if (phase === 'closed') expireDay(engine, outputs);
  return outputs.length > 0 ? outputs : [NOTED];
}

const hasDays = (engine: Engine): boolean => follows(engine, 3);

function passTime(engine: Engine, at: string): void {
  if (at > engine.time) engine.time = at;
}
