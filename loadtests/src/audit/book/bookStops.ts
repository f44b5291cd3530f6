import type { MarketState } from '@brokerx/contracts';
import type { Findings } from '../findings.ts';
import type { AuditedList, AuditedOrder } from '../order.ts';
import type { RawEvent, RawEventOf } from '../rawEvent.ts';

/** An order that is put aside, with its terms as the book has changed them: the accounts settle changes later. */
type Held = {
  order: AuditedOrder;
  quantity: number;
  limitTicks: number;
  /** The index of the first trade of this input that may trigger it. */
  from: number;
  /** Whether a trade has reached it in an input that had no room left for its trigger. */
  isOwed: boolean;
};

/** Checks the orders that are put aside outside a book, until their trigger, their call, or the end of their bracket's entry. */
export function auditedStops(symbol: string, findings: Findings, version: () => number) {
  const held = new Map<string, Held>();
  /** Prices of the trades of this input. */
  let tradedAt: number[] = [];
  /** Whether a bracket has armed in this input. */
  let hasArmed = false;
  /** For each bracket whose entry has bought something, the lowest price of other trades since. */
  const bought = new Map<AuditedList, number>();
  /** For each bracket that has armed, that price at the moment when it did. */
  const lowest = new Map<AuditedList, number>();
  /** Orders of brackets whose entry has not ended. */
  const dormant = new Map<string, AuditedOrder>();
  const wrong = (event: RawEvent, what: string) =>
    findings.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  /** Takes out an order that was put aside. The result is undefined for one of a bracket that has not armed. */
  const release = (event: RawEvent, orderId: string): Held | undefined => {
    const dormantOrder = dormant.get(orderId);
    if (dormantOrder) {
      dormantOrder.held = false;
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
    /** Activates an order of a bracket that arms. Returns the order if it was dormant. */
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
      const mayWait = order.stopTicks !== null || order.timeInForce === 'cls';
      if (!mayWait) wrong(event, `${order.id} is held and has nothing to wait for`);
      order.held = true;
      held.set(order.id, { order, ...terms, from: tradedAt.length, isOwed: false });
    },
    traded(priceTicks: number, parties: readonly (AuditedOrder | undefined)[]) {
      tradedAt.push(priceTicks);
      const lists = parties.flatMap((party) => (party?.role === 'entry' && party.list ? [party.list] : []));
      for (const list of lists) if (!bought.has(list)) bought.set(list, Number.MAX_SAFE_INTEGER);
      for (const [list, lowestTicks] of bought)
        if (priceTicks < lowestTicks && !(version() >= 4 && lists.includes(list)))
          bought.set(list, priceTicks);
    },
    /** Checks the reason by which an order of a bracket that has not armed ends. */
    ends(event: RawEventOf<'OrderExpired.v1'>) {
      const list = dormant.get(event.data.order.orderId)?.list;
      if (!list || version() < 4) return;
      const isUnfilled = !bought.has(list);
      if (isUnfilled !== (event.data.reason === 'ENTRY_NOT_FILLED'))
        wrong(event, `${event.data.order.orderId} ends by ${event.data.reason}`);
    },
    waiting: (): AuditedOrder[] => [...held.values()].map(({ order }) => order),
    /** Checks a trigger, and returns the order that arrives. */
    triggered(event: RawEventOf<'OrderTriggered.v1'>): AuditedOrder | undefined {
      const { order: reference, stopTicks, limitTicks, quantity } = event.data;
      const stop = release(event, reference.orderId);
      if (!stop) return undefined;
      const { order } = stop;
      if (!mayTriggerAt(order, stopTicks)) wrong(event, `${order.id} is triggered at ${stopTicks}`);
      // The stop of a bracket is triggered at once if a trade since its entry's first fill has reached it. Before version 4
      // of the rules an earlier price was enough, and when a bracket armed this was so for all stops.
      const entry = order.list?.entry ?? null;
      const mayBeAtOnce =
        version() < 4
          ? entry !== null || hasArmed
          : order.list !== null && (lowest.get(order.list) ?? Number.MAX_SAFE_INTEGER) <= stopTicks;
      const reached =
        stop.isOwed || tradedAt.slice(version() < 4 ? 0 : stop.from).some(reaches(order, stopTicks));
      if (!reached && !mayBeAtOnce)
        wrong(event, `${order.id} is triggered at ${stopTicks}, which no trade has reached`);
      if (limitTicks !== stop.limitTicks || quantity !== stop.quantity)
        wrong(event, `${order.id} is triggered as another order than it was placed`);
      return order;
    },
    /** Reduces a stop by what the other order of its list filled. */
    lessen(event: RawEventOf<'OrderReduced.v1'>) {
      const { order, quantity, leaves } = event.data;
      const stop = held.get(order.orderId);
      if (stop) stop.quantity -= quantity;
      if (stop?.quantity !== leaves || leaves <= 0)
        wrong(event, `stop ${order.orderId} has not ${leaves} left`);
    },
    change(event: RawEventOf<'OrderReplaced.v1'>) {
      const { order, quantity, leavesBefore, leaves, limitTicks } = event.data;
      const stop = held.get(order.orderId);
      if (!stop || stop.quantity !== leavesBefore || quantity !== leaves) {
        wrong(event, `the change of stop ${order.orderId} does not add up`);
        return;
      }
      stop.quantity = quantity;
      stop.limitTicks = limitTicks ?? stop.limitTicks;
    },
    /** Checks that after an input no stop is left that one of its trades has reached. */
    inputDone(state: MarketState, isFull: boolean) {
      hasArmed = false;
      if (tradedAt.length === 0) return;
      // If trading has ended with this input, as with the last auction of a day, its trades trigger no stops.
      if (state !== 'continuous') tradedAt = [];
      for (const stop of held.values()) {
        const { order, from } = stop;
        stop.from = 0;
        const { id, stopTicks, type } = order;
        if (stopTicks === null) continue;
        if (isFull) stop.isOwed = true;
        if (type === 'trailing_stop' || isFull) continue;
        if (tradedAt.slice(from).some(reaches(order, stopTicks)))
          findings.add('mismatch', `${symbol}: stop ${id} at ${stopTicks} was reached and is still held`);
      }
      tradedAt = [];
    },
  };
}

/** Whether a trade reaches a stop. */
const reaches =
  ({ side }: AuditedOrder, stopTicks: number) =>
  (priceTicks: number): boolean =>
    side === 'buy' ? priceTicks >= stopTicks : priceTicks <= stopTicks;

/** A stop is triggered where it was placed; a trailing stop may have moved towards the market. */
function mayTriggerAt(order: AuditedOrder, stopTicks: number): boolean {
  const placedTicks = order.stopTicks ?? 0;
  if (order.type !== 'trailing_stop') return stopTicks === placedTicks;
  return order.side === 'buy' ? stopTicks <= placedTicks : stopTicks >= placedTicks;
}
