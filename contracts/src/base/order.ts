import { z } from 'zod';
import { Time } from './time.ts';
import { ORDER_SHARES_MAX } from './units.ts';

/** The vocabulary of orders that events, commands and views share: sides, types, terms and statuses. */
export const Side = z.enum(['buy', 'sell']);
export type Side = z.infer<typeof Side>;
export const OrderType = z.enum(['limit', 'market', 'stop', 'stop_limit', 'trailing_stop']);
export type OrderType = z.infer<typeof OrderType>;
/** Whether the client sets the limit. Other types get a protection price, beyond which they never trade. */
export const hasLimit = (type: OrderType): boolean => type === 'limit' || type === 'stop_limit';
/** Whether the order waits until a trade reaches its stop price. */
export const isStop = (type: OrderType): boolean => type !== 'limit' && type !== 'market';
/**
 * How long an order lives. `day`: until the trading day ends. `gtd`: until its `expiresAt`. `gtc`: until it is
 * canceled. `ioc`: it fills what it can at once, the rest expires. `fok`: it fills completely at once or expires.
 * `opg` and `cls`: until the opening or the closing auction ends.
 */
export const TimeInForce = z.enum(['day', 'gtc', 'gtd', 'ioc', 'fok', 'opg', 'cls']);
export type TimeInForce = z.infer<typeof TimeInForce>;

/**
 * What happens when two orders of one account would trade with each other. The arriving order's mode decides.
 * `none`: they trade. `cancel_newest`: the rest of the arriving order expires. `cancel_oldest`: the resting order
 * expires and the arriving order goes on. `cancel_both`: both expire. `decrement`: both lose the smaller quantity.
 */
export const SELF_TRADE_MODES = [
  'none',
  'cancel_newest',
  'cancel_oldest',
  'cancel_both',
  'decrement',
] as const;
export const SelfTradeMode = z.enum(SELF_TRADE_MODES);
export type SelfTradeMode = z.infer<typeof SelfTradeMode>;

export const ORDER_STATUSES = [
  'pending_new',
  'held',
  'new',
  'partially_filled',
  'filled',
  'canceled',
  'expired',
  'rejected',
  'pending_cancel',
  'pending_replace',
] as const;
/**
 * `pending_new`: the order is durable, the engine has not answered. `held`: the order waits outside the book, a stop
 * for its trigger, a `cls` order for its call. `rejected`: command-api or the engine refused it. `pending_cancel` and
 * `pending_replace` hide an open status until the engine has answered the request.
 */
export const OrderStatus = z.enum(ORDER_STATUSES);
export type OrderStatus = z.infer<typeof OrderStatus>;
export const OPEN_STATUSES = [
  'pending_new',
  'held',
  'new',
  'partially_filled',
  'pending_cancel',
  'pending_replace',
] as const;

/**
 * The statuses that may follow each status: the whole status machine, documented in `docs/orders.md`. While a request
 * is unanswered its pending status hides the one beneath, which shows again when a change is refused. A cancel is
 * refused only when the order has ended.
 */
const ENDS = ['filled', 'canceled', 'expired', 'rejected'] as const;
const OPEN = ['new', 'held', 'partially_filled', 'pending_cancel', 'pending_replace'] as const;
export const STATUS_NEXT: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending_new: [...OPEN, ...ENDS],
  held: ['new', 'pending_cancel', 'pending_replace', 'partially_filled', ...ENDS],
  new: ['partially_filled', 'pending_cancel', 'pending_replace', ...ENDS],
  partially_filled: ['pending_cancel', 'pending_replace', ...ENDS],
  pending_cancel: [...ENDS],
  pending_replace: ['pending_new', 'held', 'new', 'partially_filled', 'pending_cancel', ...ENDS],
  filled: [],
  canceled: [],
  expired: [],
  rejected: [],
};

/** The part that an order had in a trade. In an auction nobody takes: both orders were in the book. */
export const Liquidity = z.enum(['maker', 'taker', 'auction']);
export type Liquidity = z.infer<typeof Liquidity>;

/** Why the unfilled rest of an order expired. */
export const ExpiryReason = z.enum([
  'UNFILLED_IOC_QUANTITY_EXPIRED',
  'UNFILLED_FOK_ORDER_EXPIRED',
  'UNFILLED_MIN_QTY_ORDER_EXPIRED',
  'INSUFFICIENT_LIQUIDITY',
  'EXECUTION_RULE_PRICE_RANGE_EXCEEDED',
  'AUCTION_ENDED',
  'DAY_ENDED',
  'EXPIRES_AT_REACHED',
  'SELF_TRADE_PREVENTED',
  'OCO_TRIGGER',
  'ENTRY_NOT_FILLED',
  'EXECUTION_BOUND',
]);
export type ExpiryReason = z.infer<typeof ExpiryReason>;

/**
 * The most peaks that an iceberg may have (quantity divided by display quantity). Each peak is a trade of its own for
 * the order that takes it, so this bounds the work of one input.
 */
export const ICEBERG_PEAKS_MAX = 100;
/**
 * The least width of the trade band to each side, in ticks, from version 4 of the matching rules on. In a band of no
 * tick the price could never move.
 */
export const BAND_TICKS_MIN = 1;

/** A client's own name for an order as events store it: unique among the account's open orders and remembered keys. */
export const StoredClientOrderId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,48}$/, '1 to 48 of A-Z a-z 0-9 . _ : -');
/** The name in a request. `.` and `..` are refused: programs that normalise a path would remove them. */
export const ClientOrderId = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,48}$/, '1 to 48 of A-Z a-z 0-9 . _ : - but not . or ..');
export const SymbolName = z
  .string()
  .regex(/^[A-Z][A-Z0-9.]{0,11}$/, '1 to 12 of A-Z 0-9 . beginning with a letter');
/** A symbol in a request: lower case is converted to upper case. */
export const SymbolInput = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9.]{0,11}$/, '1 to 12 of A-Z 0-9 . beginning with a letter')
  .toUpperCase();
/** Optional terms of an order. */
export const orderTerms = {
  /** The order is refused if it would trade at once: it is always the maker. */
  postOnly: z.literal(true).optional(),
  /** The order expires without a trade if it cannot fill this much at once. Checked on entry only. */
  minQuantity: z.int().min(1).optional(),
  /** Defaults to `none`. */
  selfTrade: SelfTradeMode.optional(),
  /** A stop's price. For a trailing stop the first one, from which it only moves closer to the market. */
  stopTicks: z.int().min(0).optional(),
  /** How far a trailing stop follows the market: in ticks, or in parts per million of the price. */
  trailTicks: z.int().min(1).optional(),
  trailPpm: z.int().min(1).max(999_999).optional(),
  /** When a `gtd` order ends. */
  expiresAt: Time.optional(),
  /** The shares that an iceberg shows at a time: less than its quantity. */
  displayQuantity: z.int().min(1).optional(),
  /** The money that a market buy may spend, without fees. Its quantity is then 0. */
  notionalCents: z.int().min(1).optional(),
};
export type OrderTerms = z.infer<z.ZodObject<typeof orderTerms>>;
export const ShareCount = z.int().min(0).max(ORDER_SHARES_MAX);
