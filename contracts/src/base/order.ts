import { z } from 'zod';
import { Time } from './time.ts';
import { ORDER_SHARES_MAX } from './units.ts';

/** The vocabulary of orders, shared by events, commands and views. */
export const Side = z.enum(['buy', 'sell']);
export type Side = z.infer<typeof Side>;
export const OrderType = z.enum(['limit', 'market', 'stop', 'stop_limit', 'trailing_stop']);
export type OrderType = z.infer<typeof OrderType>;
/** It has a limit of the client's own; the others a protection price, beyond which they never trade. */
export const hasLimit = (type: OrderType): boolean => type === 'limit' || type === 'stop_limit';
/** It waits for a trade to reach its stop price. */
export const isStop = (type: OrderType): boolean => type !== 'limit' && type !== 'market';
/**
 * `day` ends with the trading day, `gtd` at its time, `gtc` stays, `ioc` fills what it can at once, `fok` all at once
 * or nothing; `opg` and `cls` are for the opening and the closing auction, and end with it.
 */
export const TimeInForce = z.enum(['day', 'gtc', 'gtd', 'ioc', 'fok', 'opg', 'cls']);
export type TimeInForce = z.infer<typeof TimeInForce>;

/**
 * What happens where an order would trade with one of its own account; the arriving order's mode decides. `none`: they
 * trade. `cancel_newest`: the rest of the arriving one expires. `cancel_oldest`: the resting one expires and the
 * arriving one goes on. `cancel_both`: both expire. `decrement`: both lose the smaller one's quantity.
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
 * `pending_new`: durable, the engine has not answered. `held`: it waits outside the book, a stop for its trigger, a `cls`
 * order for its call. `rejected`: refused by command-api or by the engine.
 * `pending_cancel` and `pending_replace` lie over a status that is still open.
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
 * What a status may be followed by: the whole status machine, documented in `docs/orders.md`. An answer that is
 * outstanding lies over the state beneath it, and that shows again where a change is refused. A cancel is refused only where
 * the order has ended.
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

/** Which part an order had in a trade; in an auction both sides stood in the book. */
export const Liquidity = z.enum(['maker', 'taker', 'auction']);
export type Liquidity = z.infer<typeof Liquidity>;

/** Why the unfilled rest of an order ended without being canceled. */
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

/** Peaks of an iceberg at most, its quantity over its display quantity: each is a trade of its own in whoever meets it. */
export const ICEBERG_PEAKS_MAX = 100;
/** Ticks that the trade band reaches to each side at least, from version 4 of the matching rules on: a narrower one would stop every move. */
export const BAND_TICKS_MIN = 1;

/** A client's own name for an order: unique among its open orders and kept keys. As events have it. */
export const StoredClientOrderId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,48}$/, '1 to 48 of A-Z a-z 0-9 . _ : -');
/** One that is asked for: `.` and `..` are none, because whatever normalises a path takes them off. */
export const ClientOrderId = z
  .string()
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,48}$/, '1 to 48 of A-Z a-z 0-9 . _ : - but not . or ..');
export const SymbolName = z
  .string()
  .regex(/^[A-Z][A-Z0-9.]{0,11}$/, '1 to 12 of A-Z 0-9 . beginning with a letter');
/** As it is asked for: small letters are taken for capital ones. */
export const SymbolInput = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9.]{0,11}$/, '1 to 12 of A-Z 0-9 . beginning with a letter')
  .toUpperCase();
/** What an order may ask for besides; what is absent is not asked for. */
export const orderTerms = {
  /** Refused where it would trade at once: it only ever makes. */
  postOnly: z.literal(true).optional(),
  /** Less than this at once, and it expires untouched; tested on entry alone. */
  minQuantity: z.int().min(1).optional(),
  /** Absent is `none`. */
  selfTrade: SelfTradeMode.optional(),
  /** A stop's price; a trailing stop's first one, which later ones never fall behind. */
  stopTicks: z.int().min(0).optional(),
  /** How far a trailing stop follows the market: in ticks, or in parts per million of the price. */
  trailTicks: z.int().min(1).optional(),
  trailPpm: z.int().min(1).max(999_999).optional(),
  /** When a `gtd` order ends. */
  expiresAt: Time.optional(),
  /** An iceberg shows so much of itself at a time; below its quantity. */
  displayQuantity: z.int().min(1).optional(),
  /** A market buy for so much money, fees aside; its quantity is 0. */
  notionalCents: z.int().min(1).optional(),
};
export type OrderTerms = z.infer<z.ZodObject<typeof orderTerms>>;
export const ShareCount = z.int().min(0).max(ORDER_SHARES_MAX);
