import { z } from 'zod';
import { MarketState } from '../base/marketState.ts';
import { Side } from '../base/order.ts';
import { level, money, quantity } from '../base/wire.ts';

/**
 * Views of public market data. A sequence is a revision of the symbol's book stream and is never reset: depth, orders,
 * trades and prices share it.
 */
const crossed = z.boolean().describe('The best bid is at or above the best ask, as it may be in an auction.');
const checksum = z
  .int()
  .describe(
    'CRC-32 of the text `<bids>|<asks>`: the ten best levels of each, `price:quantity` joined by commas.',
  );

/** The most levels of each side in a snapshot: more than any book that is not flooded has; about 150 KB for both sides. */
export const BOOK_LEVELS_MAX = 5_000;
/** The most orders of each side in a snapshot of the orders; about 1.5 MB for both sides. */
export const BOOK_ORDERS_MAX = 20_000;

/** A snapshot that a local book begins with. Updates of the depth channel continue after `last_update_id`. */
export const BookView = z.object({
  symbol: z.string(),
  last_update_id: z.int().describe('The sequence up to which it reflects the book.'),
  crossed,
  checksum,
  bids: z.array(level).describe('Best first.'),
  asks: z.array(level).describe('Best first.'),
});
export type BookView = z.infer<typeof BookView>;

/** The sequences that an update covers, those of private events included. */
const range = {
  U: z.int().describe('The first sequence that it covers: one more than `u` of the message before.'),
  u: z.int().describe('The last one.'),
};
/** The levels that changed. Quantities are absolute, not differences; `0` means that the level is gone. */
export const DepthUpdate = z.object({
  ...range,
  crossed,
  checksum: checksum.describe('Of the book with this update.'),
  bids: z.array(level),
  asks: z.array(level),
});
export type DepthUpdate = z.infer<typeof DepthUpdate>;

const orderId = z.string().describe('Says nothing about whose it is; new whenever the order comes in anew.');
/** Resting orders one by one: best price first, and within a level in the order of arrival. */
export const BookOrder = z.object({ id: orderId, price: money, qty: quantity });
export const BookOrdersView = z.object({
  symbol: z.string(),
  last_update_id: z.int(),
  bids: z.array(BookOrder),
  asks: z.array(BookOrder),
});
export type BookOrdersView = z.infer<typeof BookOrdersView>;
/** Changes to apply in this order: removed orders, orders with another quantity in the same place, new orders at the back. */
export const OrdersUpdate = z.object({
  ...range,
  removed: z.array(orderId),
  changed: z.array(z.object({ id: orderId, qty: quantity })),
  added: z.array(BookOrder.extend({ side: z.enum(['buy', 'sell']) })),
});
export type OrdersUpdate = z.infer<typeof OrdersUpdate>;

export const BestPricesView = z.object({
  bid: money.nullable(),
  bid_qty: quantity.nullable(),
  ask: money.nullable(),
  ask_qty: quantity.nullable(),
});
export type BestPricesView = z.infer<typeof BestPricesView>;

export const AuctionView = z.object({
  state: MarketState,
  indicative_price: money
    .nullable()
    .describe('While a call runs: where it would be executed if it ended now.'),
  indicative_qty: quantity.nullable(),
  surplus_side: Side.nullable(),
  surplus_qty: quantity.nullable(),
});
export type AuctionView = z.infer<typeof AuctionView>;

export const ReferencePriceView = z.object({
  symbol: z.string(),
  static_price: money.describe(
    'The last auction price of the day, else the last close, else the listing price.',
  ),
  dynamic_price: money.describe('The last trade; before the first one, the static price.'),
  limit_price_min: money.describe('The lowest limit that is taken, where bands are on.'),
  limit_price_max: money.describe('The highest one.'),
  trade_price_min: money
    .nullable()
    .describe('A trade below this starts a volatility auction instead; null: no price does.'),
  trade_price_max: money.nullable().describe('A trade above this one.'),
});
export type ReferencePriceView = z.infer<typeof ReferencePriceView>;
