import type { BookFact, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { modelEnds } from './modelEnds.ts';
import { inputRules, isBounded } from './modelInput.ts';
import { modelLists } from './modelLists.ts';
import { buys, type Money, type Order } from './modelOrder.ts';
import { hear, type ModelStop } from './modelStops.ts';
import { type HeldStops, modelTriggers } from './modelTriggers.ts';

/** The model's orders, those in the book and those that wait for a trigger, and everything that changes them. */
export function modelBook() {
  let orders: Order[] = [];
  let trades = 0;
  let lastTradeTime = '';
  let arrivals = 0;
  let lastTicks = 0;
  /** Stops that wait, reached stops whose turn has not come, and the ids of those that an input had no room for. */
  const held: HeldStops = { stops: [], queued: [], owed: [] };
  let stopArrivals = 0;
  const lists = modelLists();

  const rules = inputRules();
  const isFull = (more = 0) => isBounded(rules, more);

  const refTo = (o: Order): OrderRef => ({ orderId: o.id, accountId: o.accountId, revision: o.revision });
  const enter = (order: Order) => {
    arrivals += 1;
    const shown = order.peak === null ? 0 : Math.min(order.peak, open(order));
    orders.push({ ...order, arrival: arrivals, shown });
    return order.peak === null ? {} : { shownQuantity: shown };
  };
  /** The visible part of an order. */
  const visible = (o: Order) => (o.peak === null ? open(o) : o.shown);
  const shownOf = (o: Order) => (o.peak === null ? {} : { shownQuantity: o.shown });
  /** Takes shares off the maker's visible part. An iceberg whose peak is used up shows its next one. */
  const takeShown = (maker: Order, quantity: number): { makerPeak?: number } => {
    if (maker.peak === null) return {};
    maker.shown -= quantity;
    if (maker.shown > 0 || open(maker) === 0) return {};
    maker.shown = Math.min(maker.peak, open(maker));
    arrivals += 1;
    maker.arrival = arrivals;
    orders = [...orders.filter((o) => o !== maker), maker];
    return { makerPeak: maker.shown };
  };
  const open = (order: Order) => order.quantity - order.done;
  const opposite = (side: 'buy' | 'sell', limit: number) =>
    orders
      .filter((o) => o.side !== side && (side === 'buy' ? o.price <= limit : o.price >= limit))
      .sort((a, b) => (side === 'buy' ? a.price - b.price : b.price - a.price) || a.arrival - b.arrival);

  /** Takes the shares that one order of a list filled off the others. */
  function lessen(id: string, shares: number, facts: BookFact[]): void {
    lists.lessen(
      id,
      shares,
      { orders: orders.filter((o) => open(o) > 0), stops: [...held.stops, ...held.queued] },
      facts,
    );
    orders = orders.filter((one) => open(one) > 0);
    held.stops = held.stops.filter(({ placed }) => placed.quantity > 0);
    held.queued = held.queued.filter(({ placed }) => placed.quantity > 0);
  }

  /** Matches the order against the book in priority and returns the outputs. Its rest does not enter the book. */
  function sweep(
    taker: Order,
    tickCents: number,
    time: string,
    money: Money | null = null,
  ): { facts: BookFact[]; ended: boolean; outside: boolean; bounded: boolean } {
    let outside = false;
    let bounded = false;
    if (rules.left.length > 0) return { facts: [], ended: false, outside, bounded: true };
    const facts: BookFact[] = [];
    let ended = false;
    const takerRef = refTo(taker);
    const expire = (order: Order, resting: boolean) => {
      const quantity = money && order === taker ? 0 : open(order);
      const shown = resting && open(order) > 0 ? shownOf(order) : {};
      const left = money && order === taker ? { leftCents: money.cents } : {};
      const data = { side: order.side, priceTicks: order.price, quantity, resting, ...shown, ...left };
      facts.push({
        type: 'OrderExpired.v1',
        data: { order: refTo(order), ...data, reason: 'SELF_TRADE_PREVENTED' },
      });
      orders = orders.filter((o) => o !== order);
    };
    for (;;) {
      const maker = opposite(taker.side, taker.price)[0];
      if (!maker) break;
      const wanted = money ? buys(money, maker.price * tickCents) : open(taker);
      if (wanted === 0 || money?.most === 0) break;
      bounded = isFull(facts.length);
      if (bounded) break;
      const mode = taker.selfTrade;
      const isOther = mode === 'none' || maker.accountId !== taker.accountId;
      const most = money && isOther ? money.most : wanted;
      const quantity = Math.min(wanted, visible(maker), most);
      const meeting = { priceTicks: maker.price, quantity, takerSide: taker.side };
      if (isOther) {
        const { low, high } = rules.band;
        outside = !taker.exempt && (maker.price < low || maker.price > high);
        if (outside) break;
        maker.done += quantity;
        taker.done += quantity;
        const next = takeShown(maker, quantity);
        if (money) {
          money.cents -= quantity * maker.price * tickCents;
          money.shares -= quantity;
          money.bought += quantity;
          money.most -= quantity;
          money.told = buys(money, maker.price * tickCents) === 0;
        }
        trades += 1;
        lastTicks = maker.price;
        if (time > lastTradeTime) lastTradeTime = time;
        const sides = {
          maker: { ...refTo(maker), leaves: open(maker) },
          taker: {
            ...takerRef,
            leaves: money ? buys(money, maker.price * tickCents) : open(taker),
          },
        };
        facts.push({
          type: 'TradeExecuted.v1',
          data: { trade: trades, tickCents, ...meeting, ...sides, ...next },
        });
        orders = orders.filter((o) => open(o) > 0);
        lessen(maker.id, quantity, facts);
        lessen(taker.id, quantity, facts);
        lists.hear(maker.price, [maker.id, taker.id]);
        continue;
      }
      let next = {};
      if (mode === 'decrement') {
        maker.done += quantity;
        taker.done += quantity;
        next = takeShown(maker, quantity);
      }
      const sides = {
        maker: { ...refTo(maker), leaves: open(maker) },
        taker: { ...takerRef, leaves: money ? wanted : open(taker) },
      };
      facts.push({ type: 'TradePrevented.v1', data: { mode, ...meeting, ...sides, ...next } });
      if (mode === 'cancel_oldest' || mode === 'cancel_both' || open(maker) === 0) expire(maker, true);
      if (mode === 'cancel_newest' || mode === 'cancel_both' || (!money && open(taker) === 0)) {
        expire(taker, false);
        ended = true;
        break;
      }
    }
    orders = orders.filter((o) => open(o) > 0);
    rules.told += facts.length;
    return { facts, ended, outside, bounded };
  }

  const triggers = modelTriggers({ held, rules, isFull, sweep, enter, last: () => lastTicks });

  /** Canceling an order of a list cancels the others, too. */
  function cancel(
    { orderId, accountId }: { orderId: string; accountId: string },
    revision: number,
  ): BookFact[] {
    const ended = rules.left.flatMap(({ data }) => ('order' in data ? [data.order.orderId] : []));
    const others = lists.others(orderId).filter((id) => !ended.includes(id));
    const first = cancelOne(orderId, accountId, revision);
    if (first.type !== 'OrderCanceled.v1') return [first];
    const rest = others.map((id) => cancelOne(id, accountId, revision));
    return [first, ...rest];
  }

  function cancelOne(orderId: string, accountId: string, revision: number): BookFact {
    const order = { orderId, accountId, revision };
    const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
    const stop = held.stops.find(
      ({ placed }) => placed.orderId === orderId && placed.accountId === accountId,
    );
    if (stop) {
      held.stops = held.stops.filter((one) => one !== stop);
      const data = { side: stop.placed.side, priceTicks: stop.stop, quantity: stop.placed.quantity };
      return { type: 'OrderCanceled.v1', data: { order, ...data, held: true } };
    }
    const later = lists.asleep(orderId);
    if (later?.placed.accountId === accountId) {
      lists.drop(orderId);
      const { side, limitTicks: priceTicks, quantity } = later.placed;
      return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, held: true } };
    }
    if (!found) return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
    orders = orders.filter((o) => o !== found);
    const rest = { side: found.side, priceTicks: found.price, quantity: open(found) };
    const data = { order, ...rest, ...shownOf(found) };
    return { type: 'OrderCanceled.v1', data };
  }

  /** Expires an order, in the book or waiting. */
  function expire(id: string, reason: ExpiryReason): BookFact[] {
    const o = orders.find((order) => order.id === id);
    const stop = held.stops.find(({ placed }) => placed.orderId === id);
    orders = orders.filter((order) => order.id !== id);
    held.stops = held.stops.filter(({ placed }) => placed.orderId !== id);
    if (o) {
      const data = {
        side: o.side,
        priceTicks: o.price,
        quantity: open(o),
        resting: true,
        reason,
        ...shownOf(o),
      };
      return [{ type: 'OrderExpired.v1', data: { order: refTo(o), ...data } }];
    }
    if (!stop) return lists.expireAsleep(id, reason);
    const { orderId, accountId, side, limitTicks: priceTicks, quantity } = stop.placed;
    const order = { orderId, accountId, revision: stop.revision };
    return [{ type: 'OrderExpired.v1', data: { order, side, priceTicks, quantity, resting: false, reason } }];
  }

  /** Returns a test of whether an order is open now. */
  const openNow = () => {
    const ids = new Set([...orders.map((o) => o.id), ...held.stops.map(({ placed }) => placed.orderId)]);
    return (id: string) => ids.has(id) || lists.asleep(id) !== undefined;
  };
  const ends = modelEnds({ openNow, expire, lists, rules, isFull });

  /** Runs something on copies and restores everything: a trial. */
  function trial<T>(think: () => T): T {
    const before = { orders, trades, lastTradeTime, lastTicks, arrivals };
    const { told, bounds, left } = rules;
    Object.assign(rules, { bounds: false, left: [] });
    const waiting = held.stops;
    const putBack = lists.keep();
    orders = orders.map((o) => ({ ...o }));
    held.stops = held.stops.map((one) => ({ ...one }));
    const result = think();
    ({ orders, trades, lastTradeTime, lastTicks, arrivals } = before);
    held.stops = waiting;
    putBack();
    Object.assign(rules, { told, bounds, left });
    return result;
  }

  /** The shares traded by these outputs, up to `needed`, or up to the matches that an order may look ahead over. */
  function tradedIn(facts: readonly BookFact[], needed: number): { traded: number; isTooFar: boolean } {
    let [traded, matches] = [0, 0];
    for (const { type, data } of facts) {
      if (traded >= needed) break;
      if (type !== 'TradeExecuted.v1' && type !== 'TradePrevented.v1') continue;
      matches += 1;
      if (rules.bounds && 2 * matches > rules.most - rules.before - 16) return { traded, isTooFar: true };
      if (type === 'TradeExecuted.v1') traded += data.quantity;
    }
    return { traded, isTooFar: false };
  }

  /** Whether the order would trade this much, as far as it may look ahead. */
  function wouldTrade(taker: Order, needed: number): 'enough' | 'less' | 'too far' {
    const facts = trial(() => sweep({ ...taker }, 1, '').facts);
    const { traded, isTooFar } = tradedIn(facts, needed);
    if (isTooFar) return 'too far';
    return traded >= needed ? 'enough' : 'less';
  }

  /** A trade's number; the price and time are the last ones from now on. */
  function print(priceTicks: number, time: string): number {
    trades += 1;
    lastTicks = priceTicks;
    if (time > lastTradeTime) lastTradeTime = time;
    return trades;
  }

  return {
    rules,
    isFull,
    print,
    refTo,
    takeShown,
    enter,
    open,
    visible,
    opposite,
    sweep,
    ...triggers,
    /** A price at which nothing is carried out. */
    hear: (price: number) => hear(held.stops, price),
    cancel,
    expire,
    ...ends,
    wouldTrade,
    trial,
    tradedIn,
    orders: () => orders,
    lists,
    openNow,
    effective: (order: Order) => lists.effective(order, orders),
    lessen,
    stops: () => held.stops,
    drop(order: Order) {
      orders = orders.filter((o) => o !== order);
    },
    wait(stop: Omit<ModelStop, 'arrival'>) {
      stopArrivals += 1;
      held.stops.push({ ...stop, arrival: stopArrivals });
    },
    changeStop(stop: ModelStop, quantity: number, limitTicks: number, keepsArrival: boolean) {
      stop.placed = { ...stop.placed, quantity, limitTicks };
      if (keepsArrival) return;
      ends.endLater(stop.placed.orderId);
      stopArrivals += 1;
      stop.arrival = stopArrivals;
      held.stops = [...held.stops.filter((one) => one !== stop), stop];
    },
    state: () => ({ trades, lastTradeTime, lastTicks, time: ends.time(), arrivals: stopArrivals }),
  };
}
