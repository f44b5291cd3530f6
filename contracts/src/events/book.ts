import { z } from 'zod';
import { Count } from '../base/domains.ts';
import { Auction, MarketState } from '../base/marketState.ts';
import { ExpiryReason, OrderType, SelfTradeMode, Side, TimeInForce } from '../base/order.ts';
import { RefusalCode } from '../base/refusals.ts';
import { Time } from '../base/time.ts';

/**
 * Events of `book-<symbol>`: the outputs of the engine, which alone writes them. Each names its input by `causationId`,
 * and every input has at least one output. Their revision is the sequence of market data. The stream is enough to
 * follow the book: every change of a resting quantity names side, price and amount.
 */
const count = Count;

/** An order, its account, and the revision of the account's stream from which on the account has the order. */
export const OrderRef = z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), revision: count });
export type OrderRef = z.infer<typeof OrderRef>;

/** The visible part of an iceberg's quantity; absent when all of it is visible. */
const shownQuantity = count.optional();
/** The size of the maker's next peak. The maker is an iceberg whose peak has traded; the next one goes to the back of its level. */
const makerPeak = count.optional();

/**
 * One order of a trade; `leaves` is its open quantity after the trade. For a market buy for an amount of money that is
 * what the rest of the money buys at the trade's price.
 */
const TradeSide = z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), revision: count, leaves: count });

/** The result of an auction call: final, or as it would be if the call ended now. */
const auctionResult = {
  /** The single price at which all trades happen; null when nothing can be executed. */
  priceTicks: count.nullable(),
  quantity: count,
  /** Quantity at this price that finds no counterparty, and its side; 0 and null when there is none. */
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
  /** The quantity that enters the book at `limitTicks` after the trades of this input, which follow. */
  restingQuantity: count,
  shownQuantity,
  /** The money that a market buy may spend; `quantity` is then 0. */
  notionalCents: count.optional(),
  /**
   * Outputs after which the rest enters the book; set when self-trade prevention stops matches. Absent: the rest enters
   * with the trade that leaves exactly `restingQuantity`.
   */
  entersAfter: count.optional(),
  /** The order waits until the entry of its bracket has ended. Such an order is `held`, too. */
  dormant: z.literal(true).optional(),
  /** The order waits for its trigger or its call, outside the book. */
  held: z.literal(true).optional(),
  expiresAt: Time.optional(),
});

const data = {
  /** The first commit of an engine that takes over a symbol. It fences the engine before. */
  'EngineStarted.v1': z.strictObject({ epoch: count, matchingRules: count }),
  'OrderAccepted.v1': Arrival,
  /** The entry of a bracket has ended: this order arrives as if accepted now, for the quantity that the entry bought. */
  'OrderActivated.v1': Arrival,
  /** A stop was reached: it arrives as an order with this limit or protection price; its rest enters the book or expires. */
  'OrderTriggered.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    /**
     * The stop price, and the price of the trade that triggered it. A bracket's stop may have been reached before the
     * order arrived: then the price of that earlier trade.
     */
    stopTicks: count,
    lastTicks: count,
    limitTicks: count,
    quantity: count,
    restingQuantity: count,
    /** Outputs of this input after which the rest enters the book. */
    entersAfter: count,
  }),
  /** The other order of the list traded, so this one loses the same shares. It keeps its place, or stays `held`. */
  'OrderReduced.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    /** Shares taken off, and shares left. */
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
    /** The size of the seller's next peak; only in an auction. */
    takerPeak: makerPeak,
    /**
     * Set when the orders were paired at the end of a call, where nobody takes: `maker` is the buyer and `taker` the
     * seller, and both were in the book at these limits.
     */
    auction: z.strictObject({ buyTicks: count, sellTicks: count }).optional(),
  }),
  /** An order that waited outside the book for its call enters the book. */
  'OrderEntered.v1': z.strictObject({ order: OrderRef, side: Side, limitTicks: count, quantity: count }),
  /** The present result of a running call. It follows each input that changes the result. */
  'IndicativePriceChanged.v1': z.strictObject(auctionResult),
  /** The result is too far from the last price: the volatility auction runs for one more period, once. */
  'AuctionExtended.v1': z.strictObject(auctionResult),
  /**
   * A call has ended. Its trades follow, then the ends of the orders that were for this call alone. The price, if there
   * is one, becomes the static reference.
   */
  'AuctionUncrossed.v1': z.strictObject({ auction: Auction, ...auctionResult }),
  /** Two orders of one account met and did not trade. Orders that the mode expires follow as outputs of their own. */
  'TradePrevented.v1': z.strictObject({
    mode: SelfTradeMode,
    /** The maker's price, and the quantity that would have been traded. */
    priceTicks: count,
    quantity: count,
    takerSide: Side,
    /** Their `leaves` afterwards: lower by `quantity` if the mode is `decrement`, else unchanged. */
    maker: TradeSide,
    taker: TradeSide,
    makerPeak,
  }),
  /**
   * A resting order was amended: `leaves` of it stay in the book at `priceTicks`. With `entry` it leaves that place
   * (with `leavesBefore`) and arrives again: it may trade, and its rest goes to the back of its level.
   */
  'OrderReplaced.v1': z.strictObject({
    order: OrderRef,
    amendment: count,
    side: Side,
    priceTicks: count,
    /** The new total quantity, filled shares included. */
    quantity: count,
    leavesBefore: count,
    leaves: count,
    /** The visible parts of `leavesBefore` and `leaves`, for an iceberg. */
    shownBefore: count.optional(),
    shown: count.optional(),
    entry: z
      .strictObject({
        priceTicks: count,
        /** The quantity that enters the book there, after `entersAfter` further outputs of this input. */
        restingQuantity: count,
        shownQuantity,
        entersAfter: count,
      })
      .optional(),
    /** The order waits outside the book and stays there: `priceTicks` is its stop price, or its limit before. */
    held: z.literal(true).optional(),
    /** The new limit of a held order, if it changed. */
    limitTicks: count.optional(),
  }),
  'OrderCanceled.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    quantity: count,
    shownQuantity,
    /** The order waited outside the book, which does not change. */
    held: z.literal(true).optional(),
  }),
  'OrderExpired.v1': z.strictObject({
    order: OrderRef,
    side: Side,
    priceTicks: count,
    /** Unfilled shares that expire. */
    quantity: count,
    /** True if these shares were in the book until now; false for the rest of an order that never entered it. */
    resting: z.boolean(),
    shownQuantity,
    /** The unspent money of a market buy for an amount of money; `quantity` is then 0. */
    leftCents: count.optional(),
    reason: ExpiryReason,
  }),
  /** A market buy for an amount of money is filled: the rest of its money buys no lot at the next price. */
  'OrderCompleted.v1': z.strictObject({ order: OrderRef, side: Side, leftCents: count }),
  'OrderCancelRejected.v1': z.strictObject({ order: OrderRef, code: RefusalCode }),
  'OrderReplaceRejected.v1': z.strictObject({ order: OrderRef, amendment: count, code: RefusalCode }),
  /** The market's time moved on. `nextExpiresAt` is when the next open order ends. */
  'TimeApplied.v1': z.strictObject({
    at: Time,
    nextExpiresAt: Time.nullable(),
    /** The state and the static reference, for readers that did not follow the market; absent under older rules. */
    state: MarketState.optional(),
    referenceTicks: count.optional(),
  }),
  'MarketStateChanged.v1': z.strictObject({ state: MarketState }),
  /** The input was applied and has no other output. */
  'InputNoted.v1': z.strictObject({}),
} as const;

export const bookEvents = data;
type Data = typeof data;
export type BookFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
/** `AAPL-17`: a trade's public name. */
export const tradeId = (symbol: string, trade: number): string => `${symbol}-${trade}`;
