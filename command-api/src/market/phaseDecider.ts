import { type MarketFact, type MarketState, type TradingPhase, timeOf } from '@brokerx/contracts';
import { knownState, type Market } from './market.ts';
import type { MarketDecision } from './marketDecider.ts';

/** How long a call runs at least, and what chance adds to that: long enough to be seen, short enough to wait for. */
export const CALL_MS = 10_000;
export const CALL_RANDOM_MS = 5_000;

/** Whence each phase may begin. A call that runs ends with it. */
const FROM: Readonly<Record<TradingPhase, readonly MarketState[]>> = {
  pre_open: ['closed'],
  opening_auction: ['closed', 'pre_open'],
  continuous: ['closed', 'pre_open', 'opening_auction', 'volatility_auction'],
  closing_auction: ['pre_open', 'opening_auction', 'continuous', 'volatility_auction'],
  closed: ['pre_open', 'opening_auction', 'continuous', 'volatility_auction', 'closing_auction'],
};

/** An operator's hand on the trading day. */
export function beginPhase(
  market: Market | undefined,
  { symbol, phase }: { symbol: string; phase: TradingPhase },
  nowMs: number,
): MarketDecision {
  const refuse = (
    code: 'UNKNOWN_SYMBOL' | 'MATCHING_RULES' | 'SYMBOL_HALTED' | 'TRADING_PHASE',
    detail: string,
  ) => ({
    refusal: { code, detail },
  });
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  if (market.matchingRules < 3) {
    const version = `${symbol} follows version ${market.matchingRules}`;
    return refuse('MATCHING_RULES', `${version}; the trading day needs version 3`);
  }
  if (market.halted) return refuse('SYMBOL_HALTED', `symbol ${symbol}; resume it first`);
  const state = knownState(market);
  if (state !== null && !FROM[phase].includes(state)) {
    return refuse('TRADING_PHASE', `${symbol} is in ${state}; ${phase} follows ${FROM[phase].join(', ')}`);
  }
  return { fact: { type: 'TradingPhaseBegan.v1', data: { symbol, phase, at: timeOf(nowMs) } } };
}

/** The end of the call that runs, once it is due; `randomMs` is what chance adds. */
export function endCall(market: Market, nowMs: number, randomMs: number): MarketFact | null {
  if (market.callSince === null) return null;
  const endsMs = Date.parse(market.callSince) + CALL_MS + randomMs;
  if (nowMs < endsMs) return null;
  return { type: 'AuctionCallEnded.v1', data: { symbol: market.symbol, at: timeOf(endsMs) } };
}
