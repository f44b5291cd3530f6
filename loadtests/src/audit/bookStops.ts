import type { MarketState } from '@brokerx/contracts';
import type { Findings } from './findings.ts';
import type { AuditedOrder } from './order.ts';
import type { RawEvent } from './rawEvent.ts';

type Held = { order: AuditedOrder; quantity: number; limitTicks: number };

/** Orders that wait outside a book, stops for their trigger and others for their call, as they are by now: a change is settled later than the book tells it. */
export function auditedStops(symbol: string, found: Findings) {
  const held = new Map<string, Held>();
  /** Prices of the trades of this input. */
  let tradedAt: number[] = [];
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  const release = (event: RawEvent, orderId: string): Held | undefined => {
    const stop = held.get(orderId);
    if (!stop) wrong(event, `${orderId} does not wait for a trigger`);
    else stop.order.held = false;
    held.delete(orderId);
    return stop;
  };

  return {
    has: (orderId: string) => held.has(orderId),
    release,
    hold(event: RawEvent, order: AuditedOrder, terms: Omit<Held, 'order'>) {
      const waits = order.stopTicks !== null || order.timeInForce === 'cls';
      if (!waits) wrong(event, `${order.id} is held and has nothing to wait for`);
      order.held = true;
      held.set(order.id, { order, ...terms });
    },
    traded(priceTicks: number) {
      tradedAt.push(priceTicks);
    },
    /** It waits no more; the order that arrives. */
    triggered(event: Extract<RawEvent, { type: 'OrderTriggered.v1' }>): AuditedOrder | undefined {
      const { order: ref, stopTicks, limitTicks, quantity } = event.data;
      const stop = release(event, ref.orderId);
      if (!stop) return undefined;
      const { order } = stop;
      // A trailing stop only ever comes nearer to the market.
      const first = order.stopTicks ?? 0;
      const moves = order.type === 'trailing_stop';
      const fits = order.side === 'buy' ? stopTicks <= first : stopTicks >= first;
      if (moves ? !fits : stopTicks !== first) wrong(event, `${order.id} is triggered at ${stopTicks}`);
      if (!tradedAt.some((price) => (order.side === 'buy' ? price >= stopTicks : price <= stopTicks)))
        wrong(event, `${order.id} is triggered at ${stopTicks}, which no trade has reached`);
      if (limitTicks !== stop.limitTicks || quantity !== stop.quantity)
        wrong(event, `${order.id} is triggered as another order than it was placed`);
      return order;
    },
    /** What the other order of its list filled. */
    lessen(event: Extract<RawEvent, { type: 'OrderReduced.v1' }>) {
      const { order, quantity, leaves } = event.data;
      const stop = held.get(order.orderId);
      if (stop) stop.quantity -= quantity;
      if (stop?.quantity !== leaves || leaves <= 0)
        wrong(event, `stop ${order.orderId} has not ${leaves} left`);
    },
    change(event: Extract<RawEvent, { type: 'OrderReplaced.v1' }>) {
      const { order, quantity, leavesBefore, leaves, limitTicks } = event.data;
      const stop = held.get(order.orderId);
      if (!stop || stop.quantity !== leavesBefore || quantity !== leaves) {
        wrong(event, `the change of stop ${order.orderId} does not add up`);
        return;
      }
      stop.quantity = quantity;
      stop.limitTicks = limitTicks ?? stop.limitTicks;
    },
    /** After an input no stop is left waiting that one of its trades has reached. */
    inputDone(state: MarketState) {
      if (tradedAt.length === 0) return;
      // After the last auction of a day nothing is carried out any more.
      if (state !== 'continuous') tradedAt = [];
      for (const { order } of held.values()) {
        const { id, side, stopTicks, type } = order;
        if (type === 'trailing_stop' || stopTicks === null) continue;
        if (tradedAt.some((price) => (side === 'buy' ? price >= stopTicks : price <= stopTicks)))
          found.add('mismatch', `${symbol}: stop ${id} at ${stopTicks} was reached and is still held`);
      }
      tradedAt = [];
    },
  };
}
