import { z } from 'zod';
import { ORDER_SHARES_MAX } from './units.ts';

/** The vocabulary of orders, shared by events, commands and views. */
export const Side = z.enum(['buy', 'sell']);
export type Side = z.infer<typeof Side>;
export const OrderType = z.enum(['limit', 'market']);
export type OrderType = z.infer<typeof OrderType>;
/** `day` ends with the trading day, `gtc` stays, `ioc` fills what it can at once, `fok` all at once or nothing. */
export const TimeInForce = z.enum(['day', 'gtc', 'ioc', 'fok']);
export type TimeInForce = z.infer<typeof TimeInForce>;

export const ORDER_STATUSES = [
  'pending_new',
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
 * `pending_new`: durable, the engine has not answered. `rejected`: refused by command-api or by the engine.
 * `pending_cancel` and `pending_replace` lie over a status that is still open.
 */
export const OrderStatus = z.enum(ORDER_STATUSES);
export type OrderStatus = z.infer<typeof OrderStatus>;
export const OPEN_STATUSES = [
  'pending_new',
  'new',
  'partially_filled',
  'pending_cancel',
  'pending_replace',
] as const;

/** Why the unfilled rest of an order ended without being canceled. */
export const ExpiryReason = z.enum([
  'UNFILLED_IOC_QUANTITY_EXPIRED',
  'UNFILLED_FOK_ORDER_EXPIRED',
  'INSUFFICIENT_LIQUIDITY',
  'DAY_ENDED',
]);
export type ExpiryReason = z.infer<typeof ExpiryReason>;

/** A client's own name for an order: unique among its open orders and kept keys. */
export const ClientOrderId = z.string().regex(/^[A-Za-z0-9._:-]{1,48}$/, '1 to 48 of A-Z a-z 0-9 . _ : -');
export const SymbolName = z
  .string()
  .regex(/^[A-Z][A-Z0-9.]{0,11}$/, '1 to 12 of A-Z 0-9 . beginning with a letter');
export const ShareCount = z.int().min(0).max(ORDER_SHARES_MAX);
