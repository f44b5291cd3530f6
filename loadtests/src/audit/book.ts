import type { MarketState } from '@brokerx/contracts';
import { auditedAuctions } from './auctions.ts';
import type { Findings } from './findings.ts';
import type { AuditedOrder } from './order.ts';
import type { RawEvent } from './rawEvent.ts';
import { type Resting, restingOrders } from './restingOrders.ts';

/**
 * A symbol's book, followed from its public events with code that shares nothing with the engine: every trade must
 * take the oldest order of the best opposite price, at that order's price, within the taker's limit; or, in an auction,
 * pair the oldest orders of the best prices of both sides, at the price at which most could be executed.
 */
export type AuditedBook = {
  apply(event: RawEvent): void;
  /** Everything that one input brought about has been applied. */
  inputDone(): void;
  /** The static reference, as the market's own events set it. */
  refer(ticks: number): void;
  trades: number;
  openOrders(): number;
};

/** `ticks`: its limit; `filled`: by this arrival; `changed`: it was in the book before, and comes in anew. */
type Incoming = {
  order: AuditedOrder;
  ticks: number;
  leaves: number;
  toRest: number;
  filled: number;
  changed: boolean;
};

export function auditedBook(
  symbol: string,
  orders: ReadonlyMap<string, AuditedOrder>,
  found: Findings,
): AuditedBook {
  const resting = restingOrders();
  const { best, remove, enter } = resting;
  let incoming: Incoming | undefined;
  /** Stops that wait, as they are by now: a change is settled later than the book tells it. */
  const held = new Map<string, { order: AuditedOrder; quantity: number; limitTicks: number }>();
  /** Prices of the trades of this input. */
  let tradedAt: number[] = [];
  let trades = 0;
  let state: MarketState = 'continuous';
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  const auctions = auditedAuctions({
    standing: resting.standing,
    best,
    remove,
    wrong,
  });

  /** The two that meet: the one that is arriving, and the one in the book that has priority. */
  const meet = (
    event: Extract<RawEvent, { type: 'TradeExecuted.v1' | 'TradePrevented.v1' }>,
  ): { arriving: Incoming; made: Resting } | undefined => {
    const { maker, taker, priceTicks, takerSide } = event.data;
    if (!incoming || incoming.order.id !== taker.orderId) {
      wrong(event, `taker ${taker.orderId} is not the order that is arriving`);
      return undefined;
    }
    if (incoming.order.side !== takerSide) wrong(event, 'the taker’s side is wrong');
    const limit = incoming.ticks;
    if (takerSide === 'buy' ? priceTicks > limit : priceTicks < limit) {
      wrong(event, `the trade at ${priceTicks} is beyond the taker’s limit ${limit}`);
    }
    const first = best(takerSide === 'buy' ? 'sell' : 'buy');
    if (first?.id !== maker.orderId) {
      wrong(event, `${maker.orderId} traded, but ${first?.id ?? 'nobody'} had priority`);
    }
    if (incoming.order.postOnly) wrong(event, `${taker.orderId} is post-only and meets another order`);
    const made = resting.get(maker.orderId);
    if (!made) {
      wrong(event, `maker ${maker.orderId} is not in the book`);
      return undefined;
    }
    if (made.ticks !== priceTicks) wrong(event, `the price is ${priceTicks}, the maker’s is ${made.ticks}`);
    return { arriving: incoming, made };
  };
  const lessBy = (
    event: Extract<RawEvent, { type: 'TradeExecuted.v1' | 'TradePrevented.v1' }>,
    { arriving, made }: { arriving: Incoming; made: Resting },
    quantity: number,
  ) => {
    const { maker, taker } = event.data;
    arriving.leaves -= quantity;
    if (arriving.leaves !== taker.leaves || taker.leaves < 0)
      wrong(event, 'the taker’s leaves do not add up');
    made.leaves -= quantity;
    if (made.leaves !== maker.leaves || maker.leaves < 0) wrong(event, 'the maker’s leaves do not add up');
  };

  const trade = (event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>) => {
    const { maker, taker, quantity } = event.data;
    trades += 1;
    tradedAt.push(event.data.priceTicks);
    if (event.data.trade !== trades) wrong(event, `trade ${event.data.trade} is the ${trades}th`);
    if (event.data.auction) return auctions.paired(event);
    if (state !== 'continuous') wrong(event, `a trade while the market is in ${state}`);
    const met = meet(event);
    if (!met) return;
    if (met.arriving.order.selfTrade !== 'none' && maker.accountId === taker.accountId) {
      wrong(event, `${taker.orderId} traded with its own account`);
    }
    met.arriving.filled += quantity;
    lessBy(event, met, quantity);
    if (met.made.leaves <= 0) remove(met.made);
  };

  const entered = (event: Extract<RawEvent, { type: 'OrderEntered.v1' }>) => {
    const { order, limitTicks, quantity } = event.data;
    const waited = unheld(event, order.orderId);
    if (!waited) return;
    if (state !== 'closing_auction' || waited.order.timeInForce !== 'cls')
      wrong(event, `${order.orderId} enters while the market is in ${state}`);
    if (waited.limitTicks !== limitTicks || waited.quantity !== quantity)
      wrong(event, `${order.orderId} enters as another order than it was placed`);
    enter(waited.order, limitTicks, quantity);
  };

  const prevented = (event: Extract<RawEvent, { type: 'TradePrevented.v1' }>) => {
    const { maker, taker, quantity, mode } = event.data;
    const met = meet(event);
    if (!met) return;
    if (maker.accountId !== taker.accountId) wrong(event, 'a match of two accounts was prevented');
    if (mode !== met.arriving.order.selfTrade)
      wrong(event, `${taker.orderId} prevents by ${met.arriving.order.selfTrade}`);
    if (quantity !== Math.min(met.arriving.leaves, met.made.leaves))
      wrong(event, 'the prevented quantity is wrong');
    lessBy(event, met, mode === 'decrement' ? quantity : 0);
  };

  /** All that was told of the arriving order is applied: what is left of it goes into the book. */
  const arrived = () => {
    if (!incoming) return;
    const { order, ticks, leaves, toRest, filled, changed } = incoming;
    incoming = undefined;
    if (leaves !== toRest) {
      found.add('mismatch', `${symbol}: ${order.id} has ${leaves} left, ${toRest} were to rest`);
    }
    const least = order.timeInForce === 'fok' ? order.quantity : order.minQuantity;
    if (!changed && (filled > 0 || toRest > 0) && filled < least) {
      found.add('mismatch', `${symbol}: ${order.id} filled ${filled} at once and rests, it wanted ${least}`);
    }
    if (toRest === 0) return;
    const opposite = state === 'continuous' && best(order.side === 'buy' ? 'sell' : 'buy');
    if (opposite && (order.side === 'buy' ? opposite.ticks <= ticks : opposite.ticks >= ticks)) {
      found.add('mismatch', `${symbol}: the book is crossed after ${order.id}`);
    }
    enter(order, ticks, toRest);
  };

  const unheld = (event: RawEvent, orderId: string) => {
    const stop = held.get(orderId);
    if (!stop) wrong(event, `${orderId} does not wait for a trigger`);
    else stop.order.held = false;
    held.delete(orderId);
    return stop;
  };

  const triggered = (event: Extract<RawEvent, { type: 'OrderTriggered.v1' }>) => {
    arrived();
    const {
      order: ref,
      stopTicks,
      limitTicks: ticks,
      quantity: leaves,
      restingQuantity: toRest,
    } = event.data;
    const stop = unheld(event, ref.orderId);
    if (!stop) return;
    const { order } = stop;
    // A trailing stop only ever comes nearer to the market.
    const first = order.stopTicks ?? 0;
    const moves = order.type === 'trailing_stop';
    const fits = order.side === 'buy' ? stopTicks <= first : stopTicks >= first;
    if (moves ? !fits : stopTicks !== first) wrong(event, `${order.id} is triggered at ${stopTicks}`);
    if (!tradedAt.some((price) => (order.side === 'buy' ? price >= stopTicks : price <= stopTicks)))
      wrong(event, `${order.id} is triggered at ${stopTicks}, which no trade has reached`);
    if (ticks !== stop.limitTicks || leaves !== stop.quantity || (toRest > 0 && order.type !== 'stop_limit'))
      wrong(event, `${order.id} is triggered as another order than it was placed`);
    incoming = { order, ticks, leaves, toRest, filled: 0, changed: true };
  };

  const changeHeld = (event: Extract<RawEvent, { type: 'OrderReplaced.v1' }>) => {
    const { order, quantity, leavesBefore, leaves, limitTicks } = event.data;
    const stop = held.get(order.orderId);
    if (!stop || stop.quantity !== leavesBefore || quantity !== leaves) {
      wrong(event, `the change of stop ${order.orderId} does not add up`);
      return;
    }
    stop.quantity = quantity;
    stop.limitTicks = limitTicks ?? stop.limitTicks;
  };

  /** After an input no stop is left waiting that one of its trades has reached. */
  const noneLeftBehind = () => {
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
          const atOnce = order.timeInForce === 'ioc' || order.timeInForce === 'fok';
          const mayRest = !atOnce && (order.type === 'limit' || state !== 'continuous');
          if (restingQuantity > 0 && !mayRest) wrong(event, `${order.id} must not rest`);
          arrived();
          if (event.data.held) {
            const waits = order.stopTicks !== null || order.timeInForce === 'cls';
            if (!waits) wrong(event, `${order.id} is held and has nothing to wait for`);
            order.held = true;
            held.set(order.id, { order, quantity, limitTicks });
            return;
          }
          incoming = {
            order,
            ticks: limitTicks,
            leaves: quantity,
            toRest: restingQuantity,
            filled: 0,
            changed: false,
          };
          return;
        }
        case 'TradeExecuted.v1':
          return trade(event);
        case 'TradePrevented.v1':
          return prevented(event);
        case 'MarketStateChanged.v1':
          state = event.data.state;
          return;
        case 'AuctionUncrossed.v1':
          return auctions.uncrossed(event);
        case 'OrderEntered.v1':
          return entered(event);
        case 'OrderTriggered.v1':
          return triggered(event);
        case 'OrderCanceled.v1':
          if (event.data.held) return unheld(event, event.data.order.orderId);
          return gone(event, event.data.order.orderId, event.data.quantity);
        case 'OrderExpired.v1': {
          if (event.data.resting) return gone(event, event.data.order.orderId, event.data.quantity);
          if (held.has(event.data.order.orderId)) return unheld(event, event.data.order.orderId);
          if (incoming?.order.id !== event.data.order.orderId || incoming.leaves !== event.data.quantity) {
            wrong(event, `the expired rest of ${event.data.order.orderId} does not add up`);
          } else incoming.leaves = 0;
          return;
        }
        case 'OrderReplaced.v1': {
          const { order, leavesBefore, leaves, entry: anew, priceTicks } = event.data;
          if (event.data.held) return changeHeld(event);
          const entry = resting.get(order.orderId);
          const known = orders.get(order.orderId);
          if (!entry || entry.leaves !== leavesBefore || entry.ticks !== priceTicks || !known) {
            wrong(event, `the change of ${order.orderId} does not add up`);
            return;
          }
          if (!anew) {
            if (leaves >= entry.leaves)
              wrong(event, `${order.orderId} keeps its place without being reduced`);
            entry.leaves = leaves;
            if (entry.leaves === 0) remove(entry);
            return;
          }
          remove(entry);
          const { priceTicks: ticks, restingQuantity: toRest } = anew;
          incoming = { order: known, ticks, leaves, toRest, filled: 0, changed: true };
          return;
        }
        default:
          return;
      }
    },
    inputDone() {
      arrived();
      noneLeftBehind();
      auctions.inputDone();
    },
    refer: auctions.refer,
    get trades() {
      return trades;
    },
    openOrders: resting.size,
  };
}
