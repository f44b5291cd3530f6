import { z } from 'zod';
import { OrderType, Side, TimeInForce } from '../base/order.ts';
import { money, quantity } from '../base/wire.ts';

/** What an order would do if it were placed now. Checks and holds are exact; the fill is estimated from the shown book. */
export const OrderPreviewView = z.object({
  symbol: z.string(),
  side: Side,
  type: OrderType,
  time_in_force: TimeInForce,
  code: z.string().nullable().describe('Why it would be refused; null: it would be taken.'),
  detail: z.string().nullable().describe('The rule that fails, with its values.'),
  limit_price: money.nullable(),
  protection_price: money.nullable().describe('Beyond it an order without a limit never trades.'),
  hold_cash: money
    .nullable()
    .describe('Held from the wallet until the order ends: its worst case, with fees.'),
  hold_qty: quantity.nullable().describe('Held from the shares of the symbol until the order ends.'),
  expected: z
    .object({
      sequence: z.int().describe('Of the depth that it was worked out from, as `GET …/depth` shows it.'),
      filled_qty: quantity,
      filled_avg_price: money.nullable(),
      value: money,
      fees: money,
      leaves_qty: quantity,
      leaves: z
        .enum(['none', 'rests', 'expires', 'waits'])
        .describe('What becomes of the rest: it rests in the book, expires, or waits for its trigger.'),
    })
    .nullable()
    .describe('Null where it would be refused.'),
});
export type OrderPreviewView = z.infer<typeof OrderPreviewView>;
