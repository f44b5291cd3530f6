import { z } from 'zod';
import { Count } from '../base/domains.ts';
import { Auction, MarketState } from '../base/marketState.ts';
import { ExpiryReason, OrderType, SelfTradeMode, Side, TimeInForce } from '../base/order.ts';
import { RefusalCode } from '../base/refusals.ts';
import { Time } from '../base/time.ts';

/**
 * Events of `book-<symbol>`, written by the engine alone: its outputs. Each names its input by `causationId`, and
 * every input has at least one. Their revision is the sequence of market data. What they say is enough to follow
 * the book without any other stream: every change of resting quantity names side, price and amount.
 */
const count = Count;

/** The order and a revision of its account's stream at or after which the account knows it. */
export const OrderRef = z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), revision: count });
export type OrderRef = z.infer<typeof OrderRef>;

/** What of a quantity the book shows, where an iceberg hides the rest; absent: all of it. */
const shownQuantity = count.optional();
/** The maker is an iceberg that has shown all of its peak: so much is shown anew, behind all others at its price. */
const makerPeak = count.optional();

/**
 * An order's part in a trade; `leaves` is what it still wants afterwards. A market buy for an amount of money wants
 * what the rest of it buys at the trade's price.
 */
const TradeSide = z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), revision: count, leaves: count });

/** What a call would bring if it ended now, or has brought. */
const auctionResult = {
  /** The one price; null where nothing can be executed. */
  priceTicks: count.nullable(),
  quantity: count,
  /** What more could be executed at this price, and the side that wants it; null where there is none. */
  surplus: count,
  surplusSide: Side.nullable(),
};

const Arrival = z.strictObject({
  order: OrderRef,
  side: Side,
  type: OrderType,
  timeInForce: TimeInForce,
  quantity: count,
  limitTicks: count,
  /** What enters the book at `limitTicks` once all trades of this input (which follow) have happened. */
  restingQuantity: count,
  shownQuantity,
  /** A market buy for so much money; `quantity` is 0. */
  notionalCents: count.optional(),
  /** Where matches were prevented: it enters after so many further outputs. Absent: once its trades leave so much. */
  entersAfter: count.optional(),
  /** An order of a bracket that waits until its entry has ended; `held`, too. */
  dormant: z.literal(true).optional(),
  /** It waits for its trigger, outside the book. */
  held: z.literal(true).optional(),
  expiresAt: Time.optional(),
});

const data = {
  /** The first commit of an engine that took over: it fences the one before. */
  'EngineStarted.v1': z.strictObject({ epoch: count, matchingRules: count }),
  'OrderAccepted.v1': Arrival,
  /** An order of a bracket, whose entry has ended, for what that has bought: it arrives as if it were accepted now. */
  'OrderActivated.v1': Arrival,
  /** A stop was reached: it arrives like an order of this limit (or protection), and the rest enters the book or expires. */
  'OrderTriggered.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    /** Where its stop stood, and the last trade's price; of a bracket's that was reached before it came, that print's. */
    stopTicks: count,
    lastTicks: count,
    limitTicks: count,
    quantity: count,
    restingQuantity: count,
    /** The rest enters after so many further outputs of this input. */
    entersAfter: count,
  }),
  /** What the other order of its list filled; it keeps its place, in the book or (`held`) outside of it. */
  'OrderReduced.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    /** Shares taken off, and what is left. */
    quantity: count,
    leaves: count,
    held: z.literal(true).optional(),
  }),
  'OrderRejected.v1': z.strictObject({ order: OrderRef, code: RefusalCode }),
  'TradeExecuted.v1': z.strictObject({
    /** 1 for the symbol's first trade, and so on. */
    trade: count,
    /** The maker's price. */
    priceTicks: count,
    tickCents: count,
    quantity: count,
    takerSide: Side,
    maker: TradeSide,
    taker: TradeSide,
    makerPeak,
    /** In an auction: the same of the seller. */
    takerPeak: makerPeak,
    /**
     * Paired at the end of a call: nobody took. `maker` is the buyer, `taker` the seller, and both stood in the book, at
     * these limits.
     */
    auction: z.strictObject({ buyTicks: count, sellTicks: count }).optional(),
  }),
  /** An order that waited for its call, outside the book, enters it. */
  'OrderEntered.v1': z.strictObject({ order: OrderRef, side: Side, limitTicks: count, quantity: count }),
  /** Told while a call runs, after each input that changed it. */
  'IndicativePriceChanged.v1': z.strictObject(auctionResult),
  /** Its price is too far from the last one: the volatility auction runs for another while, once. */
  'AuctionExtended.v1': z.strictObject(auctionResult),
  /**
   * A call has ended. Its trades follow, then the ends of the orders that were meant for it. A price becomes the static
   * reference.
   */
  'AuctionUncrossed.v1': z.strictObject({ auction: Auction, ...auctionResult }),
  /** Two orders of one account met and did not trade. What the mode expires is told by the outputs that follow. */
  'TradePrevented.v1': z.strictObject({
    mode: SelfTradeMode,
    /** The maker's price, and what would have been traded. */
    priceTicks: count,
    quantity: count,
    takerSide: Side,
    /** `leaves` after it: less by `quantity` where the mode is `decrement`, else as before. */
    maker: TradeSide,
    taker: TradeSide,
    makerPeak,
  }),
  /**
   * A resting order changed: `leaves` of it stay in the book at `priceTicks`. With `entry` it left that place with
   * `leavesBefore` and comes in anew, like an order that arrives: it may trade, and the rest goes behind all others.
   */
  'OrderReplaced.v1': z.strictObject({
    order: OrderRef,
    amendment: count,
    side: Side,
    priceTicks: count,
    /** New total quantity, what is filled included. */
    quantity: count,
    leavesBefore: count,
    leaves: count,
    /** Of an iceberg: what of `leavesBefore` and `leaves` the book shows. */
    shownBefore: count.optional(),
    shown: count.optional(),
    entry: z
      .strictObject({
        priceTicks: count,
        /** What enters the book there, after so many further outputs of this input. */
        restingQuantity: count,
        shownQuantity,
        entersAfter: count,
      })
      .optional(),
    /** It waits outside the book, and does so still: `priceTicks` is its stop price, or the limit that it had. */
    held: z.literal(true).optional(),
    /** The new limit of a held order, where it changed. */
    limitTicks: count.optional(),
  }),
  'OrderCanceled.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    quantity: count,
    shownQuantity,
    /** It waited outside the book: nothing leaves that. */
    held: z.literal(true).optional(),
  }),
  'OrderExpired.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    /** Unfilled shares that expire. */
    quantity: count,
    /** True when they were in the book until now; false for the rest of an order that never entered it. */
    resting: z.boolean(),
    shownQuantity,
    /** Of a market buy for an amount of money: what of it was not spent; `quantity` is 0. */
    leftCents: count.optional(),
    reason: ExpiryReason,
  }),
  /** A market buy for an amount of money is filled: what is left of the money buys no lot where it would trade next. */
  'OrderCompleted.v1': z.strictObject({ order: OrderRef, side: Side, leftCents: count }),
  'OrderCancelRejected.v1': z.strictObject({ order: OrderRef, code: RefusalCode }),
  'OrderReplaceRejected.v1': z.strictObject({ order: OrderRef, amendment: count, code: RefusalCode }),
  /** The market's time, and the next moment at which an open order ends. */
  'TimeApplied.v1': z.strictObject({
    at: Time,
    nextExpiresAt: Time.nullable(),
    /** What the market does, and its static reference, for who has not followed it; absent under older rules. */
    state: MarketState.optional(),
    referenceTicks: count.optional(),
  }),
  'MarketStateChanged.v1': z.strictObject({ state: MarketState }),
  /** The input was applied and there is nothing else to say of it. */
  'InputNoted.v1': z.strictObject({}),
} as const;

export const bookEvents = data;
type Data = typeof data;
export type BookFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
/** `AAPL-17`: a trade's public name. */
export const tradeId = (symbol: string, trade: number): string => `${symbol}-${trade}`;
