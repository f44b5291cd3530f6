import { type AccountEvent, placedOrders } from '@brokerx/contracts';
import type { Admission } from '../commands/admission.ts';

/** Counts what was recorded among the orders that the market has not answered yet. */
export function countRecorded(admission: Pick<Admission, 'placed'>, event: AccountEvent): void {
  if (event.type === 'OrderPlaced.v1') admission.placed(event.data.orderId, event.data.symbol);
  if (event.type !== 'OrderListPlaced.v1') return;
  for (const { orderId, symbol } of placedOrders(event.data)) admission.placed(orderId, symbol);
}
