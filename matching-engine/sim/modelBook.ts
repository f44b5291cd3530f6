import type { BookFact, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { modelEnds } from './modelEnds.ts';
import { inputRules, isAtBound } from './modelInput.ts';
import { modelLists } from './modelLists.ts';
import { affordable, type Money, type Order } from './modelOrder.ts';
import { type ModelStop, moveTrailingStops } from './modelStops.ts';
import { type HeldStops, modelTriggers } from './modelTriggers.ts';

/** The model's orders, in the book and waiting for a trigger, with all functions that change them. */
export function modelBook() {
  let orders: Order[] = [];
  let trades = 0;
  let lastTradeTime = '';
  let arrivals = 0;
  let lastTicks = 0;
  /** Stops that wait for a trade, reached stops in their queue, and the ids of those that an input had no room for. */
  const heldStops: HeldStops = { stops: [], queue: [], deferredIds: [] };
  let stopArrivals = 0;
  const lists = modelLists();

  const rules = inputRules();
  const isFull = (more = 0) => isAtBound(rules, more);

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
  const fillShown = (maker: Order, quantity: number): { makerPeak?: number } => {
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
  function reduceSiblings(id: string, shares: number, facts: BookFact[]): void {
    lists.reduceSiblings(
      id,
      shares,
      { orders: orders.filter((o) => open(o) > 0), stops: [...heldStops.stops, ...heldStops.queue] },
      facts,
    );
    orders = orders.filter((one) => open(one) > 0);
    heldStops.stops = heldStops.stops.filter(({ placed }) => placed.quantity > 0);
    heldStops.queue = heldStops.queue.filter(({ placed }) => placed.quantity > 0);
  }

  /** Matches the order against the book by priority and returns the outputs. The unmatched rest does not enter the book. */
  function sweep(
    taker: Order,
    tickCents: number,
    time: string,
    money: Money | null = null,
  ): { facts: BookFact[]; ended: boolean; outside: boolean; bounded: boolean } {
    let outside = false;
    let bounded = false;
    if (rules.deferredEnds.length > 0) return { facts: [], ended: false, outside, bounded: true };
    const facts: BookFact[] = [];
    let ended = false;
    const takerRef = refTo(taker);
    const expire = (order: Order, resting: boolean) => {
      const quantity = money && order === taker ? 0 : open(order);
      const shown = resting && open(order) > 0 ? shownOf(order) : {};
      const moneyLeft = money && order === taker ? { leftCents: money.cents } : {};
      const data = { side: order.side, priceTicks: order.price, quantity, resting, ...shown, ...moneyLeft };
      facts.push({
        type: 'OrderExpired.v1',
        data: { order: refTo(order), ...data, reason: 'SELF_TRADE_PREVENTED' },
      });
      orders = orders.filter((o) => o !== order);
    };
    for (;;) {
      const maker = opposite(taker.side, taker.price)[0];
      if (!maker) break;
      const wanted = money ? affordable(money, maker.price * tickCents) : open(taker);
      if (wanted === 0 || money?.sharesMax === 0) break;
      bounded = isFull(facts.length);
      if (bounded) break;
      const mode = taker.selfTrade;
      const isOther = mode === 'none' || maker.accountId !== taker.accountId;
      const sharesMax = money && isOther ? money.sharesMax : wanted;
      const quantity = Math.min(wanted, visible(maker), sharesMax);
      const meeting = { priceTicks: maker.price, quantity, takerSide: taker.side };
      if (isOther) {
        const { low, high } = rules.band;
        outside = !taker.exempt && (maker.price < low || maker.price > high);
        if (outside) break;
        maker.done += quantity;
        taker.done += quantity;
        const next = fillShown(maker, quantity);
        if (money) {
          money.cents -= quantity * maker.price * tickCents;
          money.sharesLeft -= quantity;
          money.bought += quantity;
          money.sharesMax -= quantity;
          money.isSpent = affordable(money, maker.price * tickCents) === 0;
        }
        trades += 1;
        lastTicks = maker.price;
        if (time > lastTradeTime) lastTradeTime = time;
        const sides = {
          maker: { ...refTo(maker), leaves: open(maker) },
          taker: {
            ...takerRef,
            leaves: money ? affordable(money, maker.price * tickCents) : open(taker),
          },
        };
        facts.push({
          type: 'TradeExecuted.v1',
          data: { trade: trades, tickCents, ...meeting, ...sides, ...next },
        });
        orders = orders.filter((o) => open(o) > 0);
        reduceSiblings(maker.id, quantity, facts);
        reduceSiblings(taker.id, quantity, facts);
        lists.notePrint(maker.price, [maker.id, taker.id]);
        continue;
      }
      let next = {};
      if (mode === 'decrement') {
        maker.done += quantity;
        taker.done += quantity;
        next = fillShown(maker, quantity);
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
    rules.outputCount += facts.length;
    return { facts, ended, outside, bounded };
  }

  const triggers = modelTriggers({
    held: heldStops,
    rules,
    isFull,
    sweep,
    enter,
    lastTicks: () => lastTicks,
  });

  /** Canceling an order of a list cancels the others, too. */
  function cancel(
    { orderId, accountId }: { orderId: string; accountId: string },
    revision: number,
  ): BookFact[] {
    const endedIds = rules.deferredEnds.flatMap(({ data }) => ('order' in data ? [data.order.orderId] : []));
    const siblings = lists.siblings(orderId).filter((id) => !endedIds.includes(id));
    const canceled = cancelOne(orderId, accountId, revision);
    if (canceled.type !== 'OrderCanceled.v1') return [canceled];
    const rest = siblings.map((id) => cancelOne(id, accountId, revision));
    return [canceled, ...rest];
  }

  function cancelOne(orderId: string, accountId: string, revision: number): BookFact {
    const order = { orderId, accountId, revision };
    const resting = orders.find((o) => o.id === orderId && o.accountId === accountId);
    const stop = heldStops.stops.find(
      ({ placed }) => placed.orderId === orderId && placed.accountId === accountId,
    );
    if (stop) {
      heldStops.stops = heldStops.stops.filter((one) => one !== stop);
      const data = { side: stop.placed.side, priceTicks: stop.stop, quantity: stop.placed.quantity };
      return { type: 'OrderCanceled.v1', data: { order, ...data, held: true } };
    }
    const dormant = lists.dormantOf(orderId);
    if (dormant?.placed.accountId === accountId) {
      lists.removeLeg(orderId);
      const { side, limitTicks: priceTicks, quantity } = dormant.placed;
      return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, held: true } };
    }
    if (!resting) return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
    orders = orders.filter((o) => o !== resting);
    const rest = { side: resting.side, priceTicks: resting.price, quantity: open(resting) };
    const data = { order, ...rest, ...shownOf(resting) };
    return { type: 'OrderCanceled.v1', data };
  }

  /** Expires an order in the book, a stop, or a dormant order. */
  function expire(id: string, reason: ExpiryReason): BookFact[] {
    const o = orders.find((order) => order.id === id);
    const stop = heldStops.stops.find(({ placed }) => placed.orderId === id);
    orders = orders.filter((order) => order.id !== id);
    heldStops.stops = heldStops.stops.filter(({ placed }) => placed.orderId !== id);
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
    if (!stop) return lists.expireDormant(id, reason);
    const { orderId, accountId, side, limitTicks: priceTicks, quantity } = stop.placed;
    const order = { orderId, accountId, revision: stop.revision };
    return [{ type: 'OrderExpired.v1', data: { order, side, priceTicks, quantity, resting: false, reason } }];
  }

  /** Returns a function that tells whether an order is open at this moment. */
  const openTest = () => {
    const ids = new Set([...orders.map((o) => o.id), ...heldStops.stops.map(({ placed }) => placed.orderId)]);
    return (id: string) => ids.has(id) || lists.dormantOf(id) !== undefined;
  };
  const ends = modelEnds({ openTest, expire, lists, rules, isFull });

  /** Runs a function on copies and restores the state afterwards. */
  function trial<T>(tryOut: () => T): T {
    const before = { orders, trades, lastTradeTime, lastTicks, arrivals };
    const { outputCount, isBounded, deferredEnds } = rules;
    Object.assign(rules, { isBounded: false, deferredEnds: [] });
    const stops = heldStops.stops;
    const restoreLists = lists.saved();
    orders = orders.map((o) => ({ ...o }));
    heldStops.stops = heldStops.stops.map((one) => ({ ...one }));
    const result = tryOut();
    ({ orders, trades, lastTradeTime, lastTicks, arrivals } = before);
    heldStops.stops = stops;
    restoreLists();
    Object.assign(rules, { outputCount, isBounded, deferredEnds });
    return result;
  }

  /** The shares traded by these outputs, up to `needed`, within the matches that an order may look ahead over. */
  function tradedWithin(facts: readonly BookFact[], needed: number): { traded: number; isTooFar: boolean } {
    let [traded, matches] = [0, 0];
    for (const { type, data } of facts) {
      if (traded >= needed) break;
      if (type !== 'TradeExecuted.v1' && type !== 'TradePrevented.v1') continue;
      matches += 1;
      if (rules.isBounded && 2 * matches > rules.outputsMax - rules.deferredCount - 16)
        return { traded, isTooFar: true };
      if (type === 'TradeExecuted.v1') traded += data.quantity;
    }
    return { traded, isTooFar: false };
  }

  /** Whether the order would trade `needed` shares within the matches that it may look ahead over. */
  function wouldTrade(taker: Order, needed: number): 'enough' | 'less' | 'too far' {
    const facts = trial(() => sweep({ ...taker }, 1, '').facts);
    const { traded, isTooFar } = tradedWithin(facts, needed);
    if (isTooFar) return 'too far';
    return traded >= needed ? 'enough' : 'less';
  }

  /** Records a trade's price and time as the last ones, and returns the trade's number. */
  function recordTrade(priceTicks: number, time: string): number {
    trades += 1;
    lastTicks = priceTicks;
    if (time > lastTradeTime) lastTradeTime = time;
    return trades;
  }

  return {
    rules,
    isFull,
    recordTrade,
    refTo,
    fillShown,
    enter,
    open,
    visible,
    opposite,
    sweep,
    ...triggers,
    /** Moves the trailing stops to a price that triggers nothing: that of the closing uncross. */
    moveTrailingStops: (price: number) => moveTrailingStops(heldStops.stops, price),
    cancel,
    expire,
    ...ends,
    wouldTrade,
    trial,
    tradedWithin,
    orders: () => orders,
    lists,
    openTest,
    effectiveQuantity: (order: Order) => lists.effectiveQuantity(order, orders),
    reduceSiblings,
    stops: () => heldStops.stops,
    drop(order: Order) {
      orders = orders.filter((o) => o !== order);
    },
    addStop(stop: Omit<ModelStop, 'arrival'>) {
      stopArrivals += 1;
      heldStops.stops.push({ ...stop, arrival: stopArrivals });
    },
    changeStop(stop: ModelStop, quantity: number, limitTicks: number, keepsArrival: boolean) {
      stop.placed = { ...stop.placed, quantity, limitTicks };
      if (keepsArrival) return;
      ends.moveEndBack(stop.placed.orderId);
      stopArrivals += 1;
      stop.arrival = stopArrivals;
      heldStops.stops = [...heldStops.stops.filter((one) => one !== stop), stop];
    },
    state: () => ({ trades, lastTradeTime, lastTicks, time: ends.time(), arrivals: stopArrivals }),
  };
}
