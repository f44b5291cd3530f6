import { z } from 'zod';
import { OrderType, orderTerms, Side, StoredClientOrderId, TimeInForce } from '../base/order.ts';

/**
 * Lists of orders: one command places them, and one book takes them as one input. `oco` (one cancels the other): a
 * take-profit limit and a stop-loss of the same quantity; each loses what the other fills. `bracket`: a buy (the
 * entry), and a take-profit and a stop-loss that sell what the entry has bought, once it has ended.
 */
export const ListKind = z.enum(['oco', 'bracket']);
export type ListKind = z.infer<typeof ListKind>;
export const ListRole = z.enum(['entry', 'take_profit', 'stop_loss']);
export type ListRole = z.infer<typeof ListRole>;

/** The fields of one order of a list. It shares all others with the list. */
export const OrderInList = z.strictObject({
  orderId: z.uuid(),
  clientOrderId: StoredClientOrderId.nullable(),
  role: ListRole,
  side: Side,
  type: OrderType,
  timeInForce: TimeInForce,
  limitTicks: z.int().min(0),
  ...orderTerms,
});
