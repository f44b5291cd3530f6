import { z } from 'zod';
import { Liquidity, OrderStatus, OrderType, SelfTradeMode, Side, TimeInForce } from '../base/order.ts';
import { money, quantity, time } from '../base/wire.ts';
import { ListRole } from '../events/orderList.ts';

/**
 * One event in the life of an order, as its owner reads it in the order's timeline and in the private stream. The names
 * down to `order_closed` come from the account (decisions and settlement), the others from the book (the engine).
 */
export const OrderEventName = z.enum([
  'order_placed',
  'order_refused',
  'cancel_requested',
  'amend_requested',
  'order_filled',
  'order_amended',
  'order_decremented',
  'order_reduced',
  'order_activated',
  'amend_rejected',
  'order_armed',
  'order_closed',
  'order_accepted',
  'order_triggered',
  'order_entered',
  'order_rejected',
  'trade_executed',
  'trade_prevented',
  'order_replaced',
  'order_canceled',
  'order_expired',
  'order_completed',
  'cancel_rejected',
  'replace_rejected',
]);
export type OrderEventName = z.infer<typeof OrderEventName>;
const OrderEventFields = z.object({
  event: OrderEventName,
  source: z.enum(['account', 'book']),
  position: z.int().describe('Place in the whole event store.'),
  revision: z.int().describe('Place in the stream of the account or the book.'),
  time,
  order_id: z.string(),
  symbol: z.string(),
  /** The status after this event, a pending cancel or change aside; absent when this event does not determine it. */
  status: OrderStatus.optional(),
  client_order_id: z.string().nullable().optional(),
  side: Side.optional(),
  type: OrderType.optional(),
  time_in_force: TimeInForce.optional(),
  qty: quantity.optional().describe('The total quantity of the order.'),
  notional: money.optional().describe('What a market buy is to spend, fees aside.'),
  display_qty: quantity.optional(),
  limit_price: money.nullable().optional(),
  protection_price: money.nullable().optional(),
  stop_price: money.nullable().optional(),
  expires_at: time.optional(),
  /** The quantity, price and fee of this fill or trade alone. */
  last_qty: quantity.optional(),
  last_price: money.optional(),
  last_fee: money.optional(),
  liquidity: Liquidity.optional(),
  trade_id: z.string().optional(),
  filled_qty: quantity.optional(),
  filled_avg_price: money.nullable().optional(),
  leaves_qty: quantity.optional(),
  fees: money.optional(),
  prevented_qty: quantity.optional(),
  stp_mode: SelfTradeMode.optional(),
  post_only: z.boolean().optional(),
  min_qty: quantity.nullable().optional(),
  /** The number of this change of the order, from 1 on. */
  amendment: z.int().optional(),
  reason: z.string().nullable().optional(),
  detail: z.string().optional(),
  sequence: z.int().optional().describe("The book's revision that caused it."),
  list_id: z.string().optional(),
  list_role: ListRole.optional(),
});
export const OrderEventView = OrderEventFields.extend({
  legs: z
    .array(OrderEventFields.omit({ event: true, source: true, position: true, revision: true, time: true }))
    .optional()
    .describe('The other orders of a list that was placed, where they are told with the first one.'),
  sibling: z
    .object({ order_id: z.string(), qty: quantity, leaves_qty: quantity })
    .optional()
    .describe('The other order of its list, which has less by this fill.'),
});
export type OrderEventView = z.infer<typeof OrderEventView>;
