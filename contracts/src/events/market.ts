import { z } from 'zod';
import { CalendarDate, line } from '../base/domains.ts';
import { TradingPhase } from '../base/marketState.ts';
import { SymbolName } from '../base/order.ts';
import { Time } from '../base/time.ts';
import { CLOCK_FACTOR_MAX, TradingSession } from '../base/tradingSession.ts';
import { FEE_PPM_MAX, ORDER_SHARES_MAX, PRICE_CENTS_MAX } from '../base/units.ts';

/** Events of `market-<symbol>`: what a symbol is and what its market may do. All of them are engine inputs. */
/**
 * 1: limit and market orders, reduce. 2: post-only, minimum quantity, self-trade prevention, amend in full, lots and
 * notional limits, stops, orders that end at a time of their own. 3: icebergs, market buys for an amount of money,
 * one-cancels-the-other, brackets; the trading day: call auctions, orders for them, halts that end with an auction, trade bands.
 * 4: only later trades trigger a stop, brackets arm in continuous trading alone, every print moves a trailing stop; the
 * collar reaches a tick to each side; one input has bounded work.
 */
export const MATCHING_RULES_VERSION = 4;

export const SymbolRules = z.strictObject({
  /** One tick in cents. */
  tickCents: z.int().min(1).max(10_000),
  listingTicks: z.int().min(1).max(PRICE_CENTS_MAX),
  /** Entry collar: how far from the static reference a limit may be, and a market order may trade. */
  collarPpm: z.int().min(1_000).max(900_000),
  /** Ticks that the collar reaches to each side at least; absent: 1. Version 4 of the matching rules. */
  collarTicksMin: z.int().min(1).max(PRICE_CENTS_MAX).optional(),
  feePpm: z.int().min(0).max(FEE_PPM_MAX),
  orderSharesMax: z.int().min(1).max(ORDER_SHARES_MAX),
  /** Time of day (UTC, `HH:MM`) at which the trading day ends and DAY orders expire. */
  dailyClose: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  /** Quantities are multiples of this, but for a sell of the whole odd rest; absent: 1. */
  lotShares: z.int().min(1).max(ORDER_SHARES_MAX).optional(),
  /** Least and most that price times quantity may be; absent: no limit. */
  notionalMinCents: z.int().min(1).optional(),
  notionalMaxCents: z.int().min(1).optional(),
  /** Trade band: how far from the dynamic reference a trade may happen; absent: as far as limits reach. */
  bandPpm: z.int().min(100).max(450_000).optional(),
});
export type SymbolRules = z.infer<typeof SymbolRules>;

/** Ticks that the entry collar reaches to each side at least: a symbol of few ticks must have a price to move to. */
export const collarTicksLeast = (
  { collarTicksMin = 1 }: Pick<SymbolRules, 'collarTicksMin'>,
  matchingRules: number,
): number => (matchingRules < 4 ? 0 : collarTicksMin);

const data = {
  'SymbolListed.v1': z.strictObject({
    symbol: SymbolName,
    name: line(100),
    rules: SymbolRules,
    /** Version of the matching rules that the engine applies from here on. */
    matchingRules: z.int().min(1),
  }),
  /** Newer matching rules apply from here on. */
  'MatchingRulesAdopted.v1': z.strictObject({ symbol: SymbolName, matchingRules: z.int().min(2) }),
  'SymbolExemptionsChanged.v1': z.strictObject({
    symbol: SymbolName,
    bandsOff: z.boolean(),
    quotasOff: z.boolean(),
  }),
  'TradingHalted.v1': z.strictObject({
    symbol: SymbolName,
    reason: line(200),
    /** With the whole market, and resumed with it. */
    marketWide: z.literal(true).optional(),
  }),
  'TradingResumed.v1': z.strictObject({ symbol: SymbolName, marketWide: z.literal(true).optional() }),
  /** Moves the market's time: orders whose `expiresAt` has come end. Appended when something is due, not before. */
  'TimeReached.v1': z.strictObject({ symbol: SymbolName, at: Time }),
  /**
   * The next phase of the day: by the calendar, or by an operator's hand. A call that runs is uncrossed by it; only the
   * closing one takes it in.
   */
  'TradingPhaseBegan.v1': z.strictObject({ symbol: SymbolName, phase: TradingPhase, at: Time }),
  /**
   * The market's days from now on; null: around the clock. `clock`: the market's time at this moment, and how many times
   * as fast as ours it passes.
   */
  'TradingCalendarSet.v1': z.strictObject({
    symbol: SymbolName,
    session: TradingSession.nullable(),
    clock: z.strictObject({ at: Time, factor: z.int().min(1).max(CLOCK_FACTOR_MAX) }),
  }),
  /** The call that runs ends, and is uncrossed. When it ends is random, and told by nothing before this. */
  'AuctionCallEnded.v1': z.strictObject({ symbol: SymbolName, at: Time }),
  /** A calendar event: DAY orders expire and the close becomes the static reference. */
  'DayEnded.v1': z.strictObject({
    symbol: SymbolName,
    /** The trading day that ended, `YYYY-MM-DD`. */
    day: CalendarDate,
    at: Time,
    /** The last trade's price, or the static reference where nothing was traded. */
    closeTicks: z.int().min(1),
  }),
} as const;

export const marketEvents = data;
type Data = typeof data;
export type MarketFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
