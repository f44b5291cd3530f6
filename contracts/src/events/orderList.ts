import { z } from 'zod';
import { OrderType, orderTerms, Side, StoredClientOrderId, TimeInForce } from '../base/order.ts';

/**
 * Orders that belong together: placed by one command, taken by one book as one input. `oco`: a take-profit limit and a
 * stop-loss of the same quantity; what one of them fills the other has less. `bracket`: a buy, and two such orders that
 * sell what it has bought, once it has ended.
 */
export const ListKind = z.enum(['oco', 'bracket']);
export type ListKind = z.infer<typeof ListKind>;
export const ListRole = z.enum(['entry', 'take_profit', 'stop_loss']);
export type ListRole = z.infer<typeof ListRole>;

/** What an order of a list has for itself; everything else is the list's. */
export const ListedOrder = z.strictObject({
  orderId: z.uuid(),
  clientOrderId: StoredClientOrderId.nullable(),
  role: ListRole,
  side: Side,
  type: OrderType,
  timeInForce: TimeInForce,
  limitTicks: z.int().min(0),
  ...orderTerms,
});
