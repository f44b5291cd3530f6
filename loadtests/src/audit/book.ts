import type { Side } from '@brokerx/contracts';
import type { Findings } from './findings.ts';
import type { AuditedOrder } from './order.ts';
import type { RawEvent } from './rawEvent.ts';

/**
 * A symbol's book, followed from its public events with code that shares nothing with the engine: every trade must
 * take the oldest order of the best opposite price, at that order's price, within the taker's limit.
 */
export type AuditedBook = {
  apply(event: RawEvent): void;
  /** Everything that one input brought about has been applied. */
  inputDone(): void;
  trades: number;
  openOrders(): number;
};

type Resting = { id: string; side: Side; ticks: number; leaves: number; live: boolean };
type Level = { queue: Resting[]; head: number };
type Incoming = { order: AuditedOrder; leaves: number; toRest: number };

export function auditedBook(
  symbol: string,
  orders: ReadonlyMap<string, AuditedOrder>,
  found: Findings,
): AuditedBook {
  const levels: Record<Side, Map<number, Level>> = { buy: new Map(), sell: new Map() };
  const resting = new Map<string, Resting>();
  let incoming: Incoming | undefined;
  let trades = 0;
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  const best = (side: Side): Resting | undefined => {
    const ofSide = levels[side];
    let ticks: number | undefined;
    for (const price of ofSide.keys()) {
      if (ticks === undefined || (side === 'buy' ? price > ticks : price < ticks)) ticks = price;
    }
    return ticks === undefined ? undefined : oldest(ofSide.get(ticks) as Level);
  };
  const remove = (order: Resting) => {
    order.live = false;
    resting.delete(order.id);
    const level = levels[order.side].get(order.ticks);
    if (level && !oldest(level)) levels[order.side].delete(order.ticks);
  };
  const enter = (order: AuditedOrder, leaves: number) => {
    const entry: Resting = { id: order.id, side: order.side, ticks: order.limitTicks, leaves, live: true };
    resting.set(order.id, entry);
    const level = levels[order.side].get(order.limitTicks);
    if (level) level.queue.push(entry);
    else levels[order.side].set(order.limitTicks, { queue: [entry], head: 0 });
  };

  const trade = (event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>) => {
    const { maker, taker, priceTicks, quantity, takerSide } = event.data;
    trades += 1;
    if (event.data.trade !== trades) wrong(event, `trade ${event.data.trade} is the ${trades}th`);
    if (!incoming || incoming.order.id !== taker.orderId) {
      wrong(event, `taker ${taker.orderId} is not the order that is arriving`);
      return;
    }
    incoming.leaves -= quantity;
    if (incoming.leaves !== taker.leaves || taker.leaves < 0)
      wrong(event, 'the taker’s leaves do not add up');
    if (incoming.order.side !== takerSide) wrong(event, 'the taker’s side is wrong');
    const limit = incoming.order.limitTicks;
    if (takerSide === 'buy' ? priceTicks > limit : priceTicks < limit) {
      wrong(event, `the trade at ${priceTicks} is beyond the taker’s limit ${limit}`);
    }
    const first = best(takerSide === 'buy' ? 'sell' : 'buy');
    if (first?.id !== maker.orderId) {
      wrong(event, `${maker.orderId} traded, but ${first?.id ?? 'nobody'} had priority`);
    }
    const made = resting.get(maker.orderId);
    if (!made) {
      wrong(event, `maker ${maker.orderId} is not in the book`);
      return;
    }
    if (made.ticks !== priceTicks) wrong(event, `the price is ${priceTicks}, the maker’s is ${made.ticks}`);
    made.leaves -= quantity;
    if (made.leaves !== maker.leaves || maker.leaves < 0) wrong(event, 'the maker’s leaves do not add up');
    if (made.leaves <= 0) remove(made);
  };

  const gone = (event: RawEvent, orderId: string, quantity: number) => {
    const entry = resting.get(orderId);
    if (!entry) {
      wrong(event, `${orderId} is not in the book`);
      return;
    }
    if (entry.leaves !== quantity) wrong(event, `${quantity} left the book, ${entry.leaves} were in it`);
    remove(entry);
  };

  return {
    apply(event) {
      switch (event.type) {
        case 'OrderAccepted.v1': {
          const order = orders.get(event.data.order.orderId);
          if (!order) {
            found.add('phantom', `${symbol}@${event.revision}: accepted an order that nobody placed`);
            return;
          }
          if (order.accepted)
            found.add('duplicate', `${symbol}@${event.revision}: ${order.id} is accepted again`);
          order.accepted = true;
          const { quantity, limitTicks, side, restingQuantity } = event.data;
          if (quantity !== order.quantity || limitTicks !== order.limitTicks || side !== order.side) {
            wrong(event, `${order.id} is not what was placed`);
          }
          const mayRest =
            order.type === 'limit' && (order.timeInForce === 'day' || order.timeInForce === 'gtc');
          if (restingQuantity > 0 && !mayRest) wrong(event, `${order.id} must not rest`);
          incoming = { order, leaves: quantity, toRest: restingQuantity };
          return;
        }
        case 'TradeExecuted.v1':
          return trade(event);
        case 'OrderCanceled.v1':
          return gone(event, event.data.order.orderId, event.data.quantity);
        case 'OrderExpired.v1': {
          if (event.data.resting) return gone(event, event.data.order.orderId, event.data.quantity);
          if (incoming?.order.id !== event.data.order.orderId || incoming.leaves !== event.data.quantity) {
            wrong(event, `the expired rest of ${event.data.order.orderId} does not add up`);
          } else incoming.leaves = 0;
          return;
        }
        case 'OrderReplaced.v1': {
          const entry = resting.get(event.data.order.orderId);
          if (!entry || entry.leaves !== event.data.leavesBefore || event.data.leaves > entry.leaves) {
            wrong(event, `the reduction of ${event.data.order.orderId} does not add up`);
          }
          if (!entry) return;
          entry.leaves = event.data.leaves;
          if (entry.leaves === 0) remove(entry);
          return;
        }
        default:
          return;
      }
    },
    inputDone() {
      if (!incoming) return;
      const { order, leaves, toRest } = incoming;
      incoming = undefined;
      if (leaves !== toRest) {
        found.add('mismatch', `${symbol}: ${order.id} has ${leaves} left, ${toRest} were to rest`);
      }
      if (toRest === 0) return;
      const opposite = best(order.side === 'buy' ? 'sell' : 'buy');
      if (
        opposite &&
        (order.side === 'buy' ? opposite.ticks <= order.limitTicks : opposite.ticks >= order.limitTicks)
      ) {
        found.add('mismatch', `${symbol}: the book is crossed after ${order.id}`);
      }
      enter(order, toRest);
    },
    get trades() {
      return trades;
    },
    openOrders: () => resting.size,
  };
}

/** First order of the level that still stands; those before it are passed for good. */
function oldest(level: Level): Resting | undefined {
  while (level.head < level.queue.length && !level.queue[level.head]?.live) level.head += 1;
  if (level.head > 1_000 && level.head * 2 > level.queue.length) {
    level.queue.splice(0, level.head);
    level.head = 0;
  }
  return level.queue[level.head];
}
