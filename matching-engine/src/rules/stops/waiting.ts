import type { BookFact } from '@brokerx/contracts';
import { type NewOrder, rest } from '../../book/book.ts';
import type { Engine } from '../state.ts';

/**
 * Orders for the closing auction, outside the book and unseen until its call begins: then they enter by arrival, behind
 * what stands at their price.
 */
export type Waiting = Map<string, NewOrder>;

export function enterWaiting({ book, waiting }: Engine, outputs: BookFact[]): void {
  for (const order of waiting.values()) {
    const { id: orderId, accountId, revision, side, priceTicks, leaves } = order;
    rest(book, order);
    const ref = { orderId, accountId, revision };
    outputs.push({
      type: 'OrderEntered.v1',
      data: { order: ref, side, limitTicks: priceTicks, quantity: leaves },
    });
  }
  waiting.clear();
}
