import type { BookFact } from '@brokerx/contracts';
import { enterWaiting } from './auction/closingOrders.ts';
import { isFull } from './bound.ts';
import type { Engine } from './state.ts';

/**
 * Reports the end of one of many orders that end together, with a day or a call. All of them have left the book at once
 * and trade no more; the outputs follow as far as the input has room, the rest first thing in the next inputs.
 */
export function tellEnd(engine: Engine, end: BookFact, outputs: BookFact[]): void {
  if (engine.left.length === 0 && !isFull(engine, outputs)) outputs.push(end);
  else engine.left.push(end);
}

/** The outputs that earlier inputs had no room for: ends of orders, and orders that enter the closing call. */
export function tellLeft(engine: Engine): BookFact[] {
  const outputs: BookFact[] = [];
  let next = 0;
  while (next < engine.left.length && !isFull(engine, outputs)) outputs.push(engine.left[next++] as BookFact);
  engine.left = engine.left.slice(next);
  if (isEntering(engine)) enterWaiting(engine, outputs);
  return outputs;
}

export const hasLeft = (engine: Engine): boolean => engine.left.length > 0 || isEntering(engine);

/** Whether the order has ended but its end awaits output. */
export const isUntold = ({ left }: Engine, id: string): boolean =>
  left.some(({ data }) => 'order' in data && data.order.orderId === id);

const isEntering = ({ state, waiting }: Engine): boolean => state === 'closing_auction' && waiting.size > 0;
