import type { MarketState } from '@brokerx/contracts';
import type { Findings } from '../findings.ts';
import type { AuditedList, AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';

/**
 * `from`: the first trade of an input that may reach it. `isOwed`: one has, and the input had no room for what comes of it.
 */
type Held = { order: AuditedOrder; quantity: number; limitTicks: number; from: number; isOwed: boolean };

/** Orders that wait outside a book, stops for their trigger and others for their call, as they are by now: a change is settled later than the book tells it. */
export function auditedStops(symbol: string, found: Findings, version: () => number) {
  const held = new Map<string, Held>();
  /** Prices of the trades of this input. */
  let tradedAt: number[] = [];
  /** Whether a bracket has armed in this input. */
  let hasArmed = false;
  /** Brackets whose entry has bought something, by the lowest price of others since; and what that was when they armed. */
  const bought = new Map<AuditedList, number>();
  const lowest = new Map<AuditedList, number>();
  /** Orders of a bracket that are not for anything yet. */
  const dormant = new Map<string, AuditedOrder>();
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  const release = (event: RawEvent, orderId: string): Held | undefined => {
    const asleep = dormant.get(orderId);
    if (asleep) {
      asleep.held = false;
      dormant.delete(orderId);
      return undefined;
    }
    const stop = held.get(orderId);
    if (!stop) wrong(event, `${orderId} does not wait for a trigger`);
    else stop.order.held = false;
    held.delete(orderId);
    return stop;
  };

  return {
    has: (orderId: string) => held.has(orderId) || dormant.has(orderId),
    sleep(order: AuditedOrder) {
      order.held = true;
      dormant.set(order.id, order);
    },
    /** It was told to arrive: the order, if it was asleep. */
    wake(event: RawEvent, orderId: string): AuditedOrder | undefined {
      const order = dormant.get(orderId);
      if (!order) wrong(event, `${orderId} is activated and was not asleep`);
      else order.held = false;
      dormant.delete(orderId);
      hasArmed = true;
      if (order?.list) {
        lowest.set(order.list, bought.get(order.list) ?? lowest.get(order.list) ?? Number.MAX_SAFE_INTEGER);
        bought.delete(order.list);
      }
      return order;
    },
    release,
    hold(event: RawEvent, order: AuditedOrder, terms: Pick<Held, 'quantity' | 'limitTicks'>) {
      const waits = order.stopTicks !== null || order.timeInForce === 'cls';
      if (!waits) wrong(event, `${order.id} is held and has nothing to wait for`);
      order.held = true;
      held.set(order.id, { order, ...terms, from: tradedAt.length, isOwed: false });
    },
    traded(priceTicks: number, parties: readonly (AuditedOrder | undefined)[]) {
      tradedAt.push(priceTicks);
      const own = parties.flatMap((party) => (party?.role === 'entry' && party.list ? [party.list] : []));
      for (const list of own) if (!bought.has(list)) bought.set(list, Number.MAX_SAFE_INTEGER);
      for (const [list, low] of bought)
        if (priceTicks < low && !(version() >= 4 && own.includes(list))) bought.set(list, priceTicks);
    },
    /** An order of a bracket that has not armed ends by itself. */
    ends(event: Extract<RawEvent, { type: 'OrderExpired.v1' }>) {
      const list = dormant.get(event.data.order.orderId)?.list;
      if (!list || version() < 4) return;
      const isUnfilled = !bought.has(list);
      if (isUnfilled !== (event.data.reason === 'ENTRY_NOT_FILLED'))
        wrong(event, `${event.data.order.orderId} ends by ${event.data.reason}`);
    },
    waiting: (): AuditedOrder[] => [...held.values()].map(({ order }) => order),
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
      const reaches = (price: number) => (order.side === 'buy' ? price >= stopTicks : price <= stopTicks);
      // The stop of a bracket is triggered at once where a trade since its entry's first fill had reached it. By older
      // rules it was where the price of before had, and so were all others.
      const entry = order.list?.entry ?? null;
      const mayBeAtOnce =
        version() < 4
          ? entry !== null || hasArmed
          : order.list !== null && (lowest.get(order.list) ?? Number.MAX_SAFE_INTEGER) <= stopTicks;
      const reached = stop.isOwed || tradedAt.slice(version() < 4 ? 0 : stop.from).some(reaches);
      if (!reached && !mayBeAtOnce)
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
    inputDone(state: MarketState, isFull: boolean) {
      hasArmed = false;
      if (tradedAt.length === 0) return;
      // After the last auction of a day nothing is carried out any more.
      if (state !== 'continuous') tradedAt = [];
      for (const waits of held.values()) {
        const { order, from } = waits;
        waits.from = 0;
        const { id, side, stopTicks, type } = order;
        if (stopTicks === null) continue;
        if (isFull) waits.isOwed = true;
        if (type === 'trailing_stop' || isFull) continue;
        if (tradedAt.slice(from).some((price) => (side === 'buy' ? price >= stopTicks : price <= stopTicks)))
          found.add('mismatch', `${symbol}: stop ${id} at ${stopTicks} was reached and is still held`);
      }
      tradedAt = [];
    },
  };
}
