import { type MarketFact, type MarketState, type TradingPhase, timeOf } from '@brokerx/contracts';
import { callLength, marketMs, nextPhase } from './calendar.ts';
import { knownState, type Market, UNKNOWN } from './market.ts';
import { endDay, type MarketDecision, reachTime } from './marketDecider.ts';

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
  return {
    fact: { type: 'TradingPhaseBegan.v1', data: { symbol, phase, at: timeOf(marketMs(market, nowMs)) } },
  };
}

/** The end of the call that runs, once it is due; `chance` is from 0 up to 1. */
export function endCall(market: Market, nowMs: number, chance: number): MarketFact | null {
  if (market.callSince === null) return null;
  const { leastMs, randomMs } = callLength(market);
  const endsMs = Date.parse(market.callSince) + leastMs + Math.floor(randomMs * chance);
  if (marketMs(market, nowMs) < endsMs) return null;
  return { type: 'AuctionCallEnded.v1', data: { symbol: market.symbol, at: timeOf(endsMs) } };
}

/**
 * What has come due, one thing at a time, each once the engine has answered the one before: the end of a call, the
 * end of the day, the next phase, orders that end.
 */
export function due(market: Market, nowMs: number, chance: number): MarketFact | null {
  if (market.awaiting !== null) return null;
  const unknown = market.nextExpiresAt === UNKNOWN;
  const now = marketMs(market, nowMs);
  const time = reachTime(market, now);
  if (unknown) return time;
  return endCall(market, nowMs, chance) ?? endDay(market, now) ?? nextPhase(market, nowMs) ?? time;
}
