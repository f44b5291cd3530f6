import type { BookFact } from '@brokerx/contracts';
import { rest } from '../../book/book.ts';
import { isAtBound } from '../bound.ts';
import type { Engine } from '../state.ts';

/**
 * Enters the orders for the closing auction when its call begins. Until then they are outside the book, and nobody sees them.
 * They enter in order of arrival, behind the orders at their price. Those that an input has no room for enter with the next
 * inputs.
 */
export function enterClosingOrders(engine: Engine, outputs: BookFact[]): void {
  const { book, closingOrders } = engine;
  for (const order of closingOrders.values()) {
    if (isAtBound(engine, outputs)) return;
    const { id: orderId, accountId, revision, side, priceTicks, leaves } = order;
    closingOrders.delete(orderId);
    rest(book, order);
    const ref = { orderId, accountId, revision };
    outputs.push({
      type: 'OrderEntered.v1',
      data: { order: ref, side, limitTicks: priceTicks, quantity: leaves },
    });
  }
}
