import {
  centsFromDecimal,
  decimalFromCents,
  type Halt,
  type ListSymbol,
  MATCHING_RULES_VERSION,
  type MarketFact,
  type SetCalendar,
  sessionOf,
  sharesFromDecimal,
  timeOf,
} from '@brokerx/contracts';
import type { z } from 'zod';
import { type Refusal, raise } from '../refusal.ts';
import { marketMs } from './calendar.ts';
import { type Market, UNKNOWN } from './market.ts';
import { rulesRefusal } from './rulesRefusal.ts';

/**
 * Decides about commands on a symbol's market. Refusals are not recorded, because every event of `market-<symbol>` is an
 * engine input: a repeated command that was refused is decided again.
 */
export type MarketDecision = { fact: MarketFact } | { refusal: Refusal };

const refuse = (code: Refusal['code'], detail: string): MarketDecision => ({ refusal: { code, detail } });

export function listSymbol(market: Market | undefined, command: z.infer<typeof ListSymbol>): MarketDecision {
  const { symbol } = command;
  if (market) return refuse('SYMBOL_ALREADY_LISTED', `symbol ${symbol}`);
  const tickCents = centsOf(command.tick_size);
  const listingTicks = centsOf(command.listing_price) / tickCents;
  if (!Number.isInteger(listingTicks)) {
    const tick = decimalFromCents(tickCents);
    return refuse('PRICE_TICK', `listing_price ${command.listing_price}; the tick size is ${tick}`);
  }
  const rules = {
    tickCents,
    listingTicks,
    collarPpm: command.collar_ppm,
    ...(command.collar_ticks_min === undefined ? {} : { collarTicksMin: command.collar_ticks_min }),
    feePpm: command.fee_ppm,
    orderSharesMax: sharesOf(command.order_qty_max),
    dailyClose: command.daily_close,
    ...(command.band_ppm === undefined ? {} : { bandPpm: command.band_ppm }),
    ...(command.lot_size === undefined ? {} : { lotShares: sharesOf(command.lot_size) }),
    ...(command.notional_min === undefined ? {} : { notionalMinCents: centsOf(command.notional_min) }),
    ...(command.notional_max === undefined ? {} : { notionalMaxCents: centsOf(command.notional_max) }),
  };
  const refusal = rulesRefusal(rules);
  if (refusal !== undefined) return refuse('SYMBOL_RULES', refusal);
  return {
    fact: {
      type: 'SymbolListed.v1',
      data: { symbol, name: command.name, rules, matchingRules: MATCHING_RULES_VERSION },
    },
  };
}

export function haltTrading(
  market: Market | undefined,
  command: z.infer<typeof Halt> & { symbol: string; marketWide?: true },
): MarketDecision {
  const { symbol, reason, marketWide } = command;
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  if (market.halted) return refuse('SYMBOL_HALTED', `symbol ${symbol} is halted already`);
  return {
    fact: { type: 'TradingHalted.v1', data: { symbol, reason, ...(marketWide ? { marketWide } : {}) } },
  };
}

/** With the whole market, only what was halted with it is resumed. */
export function resumeTrading(
  market: Market | undefined,
  { symbol, marketWide }: { symbol: string; marketWide?: true },
): MarketDecision {
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  if (!market.halted) return refuse('SYMBOL_NOT_HALTED', `symbol ${symbol}`);
  if (marketWide && !market.marketWide)
    return refuse('SYMBOL_HALTED', `symbol ${symbol} was halted by itself`);
  return { fact: { type: 'TradingResumed.v1', data: { symbol, ...(marketWide ? { marketWide } : {}) } } };
}

/** The newest rules that this program knows; the engines know them, too, or the market stops until they do. */
export function adoptMatchingRules(
  market: Market | undefined,
  { symbol }: { symbol: string },
): MarketDecision {
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  if (market.matchingRules >= MATCHING_RULES_VERSION) {
    return refuse('MATCHING_RULES_CURRENT', `${symbol} follows version ${market.matchingRules}`);
  }
  return {
    fact: { type: 'MatchingRulesAdopted.v1', data: { symbol, matchingRules: MATCHING_RULES_VERSION } },
  };
}

/** A market that follows a clock of its own keeps what that shows: it never goes back. */
export function setCalendar(
  market: Market | undefined,
  { symbol, session, clock_factor: factor }: SetCalendar & { symbol: string },
  nowMs: number,
): MarketDecision {
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  if (market.matchingRules < 3) {
    const version = `${symbol} follows version ${market.matchingRules}`;
    return refuse('MATCHING_RULES', `${version}; the trading day needs version 3`);
  }
  const clock = { at: timeOf(marketMs(market, nowMs)), factor };
  return {
    fact: {
      type: 'TradingCalendarSet.v1',
      data: { symbol, session: session && sessionOf(session), clock },
    },
  };
}

export function setSymbolExemptions(
  market: Market | undefined,
  command: { symbol: string; bands_off: boolean; quotas_off: boolean },
): MarketDecision {
  const { symbol, bands_off: bandsOff, quotas_off: quotasOff } = command;
  if (!market) return refuse('UNKNOWN_SYMBOL', `symbol ${symbol}`);
  return { fact: { type: 'SymbolExemptionsChanged.v1', data: { symbol, bandsOff, quotasOff } } };
}

const DAY_MS = 24 * 3_600_000;

/**
 * The end of the latest trading day that is over and not recorded, or null. After a pause of several days it is one
 * event, for the last of them: days on which nobody could trade have no close.
 */
export function endDay(market: Market, nowMs: number): MarketFact | null {
  if (market.session) return endOfSession(market);
  const closesMs = latestCloseMs(market.rules.dailyClose, nowMs);
  const at = timeOf(closesMs);
  const day = at.slice(0, 10);
  if (closesMs <= market.listedAtMs || day <= market.lastDay) return null;
  const closeTicks = market.lastTradeTicks ?? market.referenceTicks;
  return { type: 'DayEnded.v1', data: { symbol: market.symbol, day, at, closeTicks } };
}

/** With a session the day is over once the market has closed. */
function endOfSession({ symbol, phase, phaseAt, lastDay, ...market }: Market): MarketFact | null {
  const day = phaseAt.slice(0, 10);
  const isOver = phase === 'closed' && (market.state === 'closed' || market.state === 'halt');
  if (!isOver || day <= lastDay) return null;
  const closeTicks = market.lastTradeTicks ?? market.referenceTicks;
  return { type: 'DayEnded.v1', data: { symbol, day, at: phaseAt, closeTicks } };
}

/** The market's time, where an order ends by now or it is not known whether one does; null otherwise. */
export function reachTime(market: Market, nowMs: number): MarketFact | null {
  const { symbol, nextExpiresAt } = market;
  const at = timeOf(nowMs);
  if (nextExpiresAt === null || (nextExpiresAt !== UNKNOWN && nextExpiresAt > at)) return null;
  return { type: 'TimeReached.v1', data: { symbol, at } };
}

/** The last moment at or before `nowMs` that the daily close (UTC, `HH:MM`) names. */
export function latestCloseMs(dailyClose: string, nowMs: number): number {
  const today = Date.parse(`${timeOf(nowMs).slice(0, 10)}T${dailyClose}:00.000Z`);
  return today <= nowMs ? today : today - DAY_MS;
}

const sharesOf = (qty: string): number =>
  sharesFromDecimal(qty) ?? raise('shares are checked for form before');
const centsOf = (amount: string): number =>
  centsFromDecimal(amount) ?? raise('amounts are checked for form before');
