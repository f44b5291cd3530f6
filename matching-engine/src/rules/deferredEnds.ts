import type { BookFact } from '@brokerx/contracts';
import { enterClosingOrders } from './auction/closingOrders.ts';
import { isAtBound } from './bound.ts';
import type { Engine } from './state.ts';

/**
 * Reports the end of one of many orders that end together, with a day or a call. All of them leave the book at once and
 * trade no more. One input reports as many ends as it has room for; the next inputs begin with the deferred rest.
 */
export function reportEnd(engine: Engine, end: BookFact, outputs: BookFact[]): void {
  if (engine.deferredEnds.length === 0 && !isAtBound(engine, outputs)) outputs.push(end);
  else engine.deferredEnds.push(end);
}

/** Returns outputs that earlier inputs had no room for: ends of orders, and orders that enter the closing call. */
export function reportDeferred(engine: Engine): BookFact[] {
  const outputs: BookFact[] = [];
  let reported = 0;
  while (reported < engine.deferredEnds.length && !isAtBound(engine, outputs))
    outputs.push(engine.deferredEnds[reported++] as BookFact);
  engine.deferredEnds = engine.deferredEnds.slice(reported);
  if (closingOrdersRemain(engine)) enterClosingOrders(engine, outputs);
  return outputs;
}

export const hasDeferred = (engine: Engine): boolean =>
  engine.deferredEnds.length > 0 || closingOrdersRemain(engine);

/** Whether the order has ended and its end is not reported yet. */
export const isEndDeferred = ({ deferredEnds }: Engine, id: string): boolean =>
  deferredEnds.some(({ data }) => 'order' in data && data.order.orderId === id);

const closingOrdersRemain = ({ state, closingOrders }: Engine): boolean =>
  state === 'closing_auction' && closingOrders.size > 0;
