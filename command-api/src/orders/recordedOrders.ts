import { type AccountEvent, placedOrders } from '@brokerx/contracts';
import type { Admission } from '../commands/admission.ts';

/** Counts the orders of a recorded event as not answered by the engine yet. */
export function countRecorded(admission: Pick<Admission, 'placed'>, event: AccountEvent): void {
  if (event.type === 'OrderPlaced.v1') admission.placed(event.data.orderId, event.data.symbol);
  if (event.type !== 'OrderListPlaced.v1') return;
  for (const { orderId, symbol } of placedOrders(event.data)) admission.placed(orderId, symbol);
}
