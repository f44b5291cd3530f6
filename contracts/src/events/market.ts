import { z } from 'zod';
import { CalendarDate, line } from '../base/domains.ts';
import { FEE_PPM_MAX } from '../base/fee.ts';
import { TradingPhase } from '../base/marketState.ts';
import { SymbolName } from '../base/order.ts';
import { Time } from '../base/time.ts';
import { CLOCK_FACTOR_MAX, TradingSession } from '../base/tradingSession.ts';
import { ORDER_SHARES_MAX, PRICE_CENTS_MAX } from '../base/units.ts';

/** Events of `market-<symbol>`: a symbol's listing and rules, and the phases of its market. All are engine inputs. */

/**
 * The newest version of the matching rules. Version 1 has limit and market orders, and reductions. Version 2 adds
 * post-only, minimum quantity, self-trade prevention, full amendments, lots, notional limits, stops and `gtd` orders.
 * Version 3 adds icebergs, market buys for an amount of money, OCO lists, brackets, and the trading day: call auctions
 * and orders for them, halts that end with an auction, trade bands. In version 4 only later trades trigger a stop,
 * brackets arm in continuous trading alone, every trade moves a trailing stop, the collar is at least one tick wide to
 * each side, and the work of one input is bounded.
 */
export const MATCHING_RULES_VERSION = 4;

export const SymbolRules = z.strictObject({
  /** One tick in cents. */
  tickCents: z.int().min(1).max(10_000),
  listingTicks: z.int().min(1).max(PRICE_CENTS_MAX),
  /** The entry collar: how far from the static reference a limit may be, and a market order may trade. */
  collarPpm: z.int().min(1_000).max(900_000),
  /** The least width of the collar to each side, in ticks; absent: 1. From version 4 of the matching rules on. */
  collarTicksMin: z.int().min(1).max(PRICE_CENTS_MAX).optional(),
  feePpm: z.int().min(0).max(FEE_PPM_MAX),
  orderSharesMax: z.int().min(1).max(ORDER_SHARES_MAX),
  /** Time of day (UTC, `HH:MM`) at which the trading day ends and DAY orders expire. */
  dailyClose: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  /** Quantities are multiples of this, except a sell of the whole odd rest; absent: 1. */
  lotShares: z.int().min(1).max(ORDER_SHARES_MAX).optional(),
  /** The least and the largest price times quantity; absent: no limit. */
  notionalMinCents: z.int().min(1).optional(),
  notionalMaxCents: z.int().min(1).optional(),
  /** The trade band: how far from the dynamic reference a trade may happen; absent: anywhere within the collar. */
  bandPpm: z.int().min(100).max(450_000).optional(),
});
export type SymbolRules = z.infer<typeof SymbolRules>;

/** The least width of the entry collar to each side, in ticks: a symbol at a low price must have a price to move to. */
export const collarTicksLeast = (
  { collarTicksMin = 1 }: Pick<SymbolRules, 'collarTicksMin'>,
  matchingRules: number,
): number => (matchingRules < 4 ? 0 : collarTicksMin);

const data = {
  'SymbolListed.v1': z.strictObject({
    symbol: SymbolName,
    name: line(100),
    rules: SymbolRules,
    /** The version of the matching rules that the engine applies from here on. */
    matchingRules: z.int().min(1),
  }),
  /** The engine applies newer matching rules from here on. */
  'MatchingRulesAdopted.v1': z.strictObject({ symbol: SymbolName, matchingRules: z.int().min(2) }),
  'SymbolExemptionsChanged.v1': z.strictObject({
    symbol: SymbolName,
    bandsOff: z.boolean(),
    quotasOff: z.boolean(),
  }),
  'TradingHalted.v1': z.strictObject({
    symbol: SymbolName,
    reason: line(200),
    /** The whole market was halted, and this symbol resumes with it. */
    marketWide: z.literal(true).optional(),
  }),
  'TradingResumed.v1': z.strictObject({ symbol: SymbolName, marketWide: z.literal(true).optional() }),
  /** Moves the market's time: orders whose `expiresAt` has come end. It is appended only when something is due. */
  'TimeReached.v1': z.strictObject({ symbol: SymbolName, at: Time }),
  /**
   * The next phase of the day begins, by the calendar or by an operator. It uncrosses a running call, except that the
   * closing call takes the orders of a running call over.
   */
  'TradingPhaseBegan.v1': z.strictObject({ symbol: SymbolName, phase: TradingPhase, at: Time }),
  /**
   * The trading day of the market from now on; null means it trades around the clock. `clock` is the market's time now,
   * and its speed as a multiple of real time.
   */
  'TradingCalendarSet.v1': z.strictObject({
    symbol: SymbolName,
    session: TradingSession.nullable(),
    clock: z.strictObject({ at: Time, factor: z.int().min(1).max(CLOCK_FACTOR_MAX) }),
  }),
  /** The running call ends and is uncrossed. The end is random, and no earlier event tells it. */
  'AuctionCallEnded.v1': z.strictObject({ symbol: SymbolName, at: Time }),
  /** A trading day ended by the calendar: `day` orders expire, and the close becomes the static reference. */
  'DayEnded.v1': z.strictObject({
    symbol: SymbolName,
    /** The trading day that ended, `YYYY-MM-DD`. */
    day: CalendarDate,
    at: Time,
    /** The price of the last trade, or the static reference if nothing was traded. */
    closeTicks: z.int().min(1),
  }),
} as const;

export const marketEvents = data;
type Data = typeof data;
export type MarketFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
