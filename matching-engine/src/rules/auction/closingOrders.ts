import type { BookFact } from '@brokerx/contracts';
import { rest } from '../../book/book.ts';
import { isFull } from '../bound.ts';
import type { Engine } from '../state.ts';

/**
 * Orders for the closing auction, outside the book and unseen until its call begins: then they enter by arrival, behind
 * what stands at their price; those that an input has no room for enter with the next ones.
 */
export function enterWaiting(engine: Engine, outputs: BookFact[]): void {
  const { book, waiting } = engine;
  for (const order of waiting.values()) {
    if (isFull(engine, outputs)) return;
    const { id: orderId, accountId, revision, side, priceTicks, leaves } = order;
    waiting.delete(orderId);
    rest(book, order);
    const ref = { orderId, accountId, revision };
    outputs.push({
      type: 'OrderEntered.v1',
      data: { order: ref, side, limitTicks: priceTicks, quantity: leaves },
    });
  }
}
