import type { BookFact } from '@brokerx/contracts';
import { enterWaiting } from './auction/closingOrders.ts';
import { isFull } from './bound.ts';
import type { Engine } from './state.ts';

/**
 * What ends all at once (a day, a call) ends at once: it has left the book, and trades with nobody. It is told as far as
 * the input has room; what is left is told first thing by the next inputs, before anything is matched.
 */
export function tellEnd(engine: Engine, end: BookFact, outputs: BookFact[]): void {
  if (engine.left.length === 0 && !isFull(engine, outputs)) outputs.push(end);
  else engine.left.push(end);
}

/** What inputs before had no room for: ends that are not told, and orders for the closing call that has begun. */
export function tellLeft(engine: Engine): BookFact[] {
  const outputs: BookFact[] = [];
  let next = 0;
  while (next < engine.left.length && !isFull(engine, outputs)) outputs.push(engine.left[next++] as BookFact);
  engine.left = engine.left.slice(next);
  if (isEntering(engine)) enterWaiting(engine, outputs);
  return outputs;
}

export const hasLeft = (engine: Engine): boolean => engine.left.length > 0 || isEntering(engine);

/** An order has ended, and nobody was told. */
export const isUntold = ({ left }: Engine, id: string): boolean =>
  left.some(({ data }) => 'order' in data && data.order.orderId === id);

const isEntering = ({ state, waiting }: Engine): boolean => state === 'closing_auction' && waiting.size > 0;
