import type { BookFact, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { modelLists } from './modelLists.ts';
import { buys, type Money, type Order } from './modelOrder.ts';
import { arriving, hear, type ModelStop, reachedBy } from './modelStops.ts';

/** The model's orders, in the book and waiting for a trigger, and what befalls them. */
export function modelBook() {
  let orders: Order[] = [];
  let trades = 0;
  let lastTradeTime = '';
  let arrivals = 0;
  let lastTicks = 0;
  let now = '';
  let stops: ModelStop[] = [];
  let stopArrivals = 0;
  let expiries: [string, string][] = [];
  /** Triggered stops whose turn has not come. */
  let queued: ModelStop[] = [];
  /** Reached, and kept from their turn by the bound of an input before. */
  let owed: string[] = [];
  const lists = modelLists();

  /** What holds of this input: how far trades may go, and what happens where they would go further. */
  const rules = {
    band: { low: 0, high: Number.POSITIVE_INFINITY },
    gathers: () => false,
    interrupt: (): BookFact[] => [],
    /** Whether an input's work is bounded, what it has told, and how much it may tell. */
    bounds: false,
    told: 0,
    most: 20_000,
  };
  /** So near the end another step is not begun: it may tell sixteen things. */
  const isFull = (more = 0) => rules.bounds && rules.told + more > rules.most - 16;

  const refTo = (o: Order): OrderRef => ({ orderId: o.id, accountId: o.accountId, revision: o.revision });
  const enter = (order: Order) => {
    arrivals += 1;
    const shown = order.peak === null ? 0 : Math.min(order.peak, open(order));
    orders.push({ ...order, arrival: arrivals, shown });
    return order.peak === null ? {} : { shownQuantity: shown };
  };
  /** What the book shows of an order. */
  const visible = (o: Order) => (o.peak === null ? open(o) : o.shown);
  const shownOf = (o: Order) => (o.peak === null ? {} : { shownQuantity: o.shown });
  /** So much is gone of what the maker shows: an iceberg that has nothing left to show shows its next peak. */
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

  /** What one order of a list filled, the others have less. */
  function lessen(id: string, shares: number, facts: BookFact[]): void {
    lists.lessen(
      id,
      shares,
      { orders: orders.filter((o) => open(o) > 0), stops: [...stops, ...queued] },
      facts,
    );
    orders = orders.filter((one) => open(one) > 0);
    stops = stops.filter(({ placed }) => placed.quantity > 0);
    queued = queued.filter(({ placed }) => placed.quantity > 0);
  }

  /** Takes what it can from the book for the order, in priority, and says what happened. Its rest stays outside. */
  function sweep(
    taker: Order,
    tickCents: number,
    time: string,
    money: Money | null = null,
  ): { facts: BookFact[]; ended: boolean; outside: boolean; bounded: boolean } {
    let outside = false;
    let bounded = false;
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
      if (wanted === 0) break;
      bounded = isFull(facts.length);
      if (bounded) break;
      const quantity = Math.min(wanted, visible(maker));
      const meeting = { priceTicks: maker.price, quantity, takerSide: taker.side };
      const mode = taker.selfTrade;
      if (mode === 'none' || maker.accountId !== taker.accountId) {
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
        lists.hear(maker.price);
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

  const pricesOf = (facts: readonly BookFact[]) =>
    facts.flatMap((f) => (f.type === 'TradeExecuted.v1' ? [f.data.priceTicks] : []));

  /** What the trades of an order bring about, stop after stop, each before those that it reaches itself. */
  function cascade(facts: readonly BookFact[], before: number, time: string): BookFact[] {
    const prices = pricesOf(facts);
    if (prices.length === 0) return [];
    const first = takeOwed();
    return runQueue([...first, ...reachedBy(stops, prices, before)], time);
  }

  function takeOwed(): ModelStop[] {
    const first = owed.flatMap((id) => stops.find(({ placed }) => placed.orderId === id) ?? []);
    owed = [];
    stops = stops.filter((one) => !first.includes(one));
    return first;
  }

  /** Those that wait for room, once the market trades. */
  function carryOn(time: string): BookFact[] {
    return rules.gathers() ? [] : runQueue(takeOwed(), time);
  }

  function runQueue(reached: ModelStop[], time: string): BookFact[] {
    queued = reached;
    stops = stops.filter((one) => !queued.includes(one));
    const told: BookFact[] = [];
    while (queued.length > 0) {
      if (isFull()) {
        owed = [...new Set([...owed, ...queued.map(({ placed }) => placed.orderId)])];
        stops = [...stops, ...queued].sort((a, b) => a.arrival - b.arrival);
        queued = [];
        break;
      }
      const one = queued.shift() as ModelStop;
      rules.told += 1;
      const { placed, stop } = one;
      const { side, quantity, limitTicks: price } = placed;
      const taker = arriving(one);
      const was = lastTicks;
      const joins = rules.gathers();
      const still = { facts: [], ended: false, outside: false, bounded: false };
      const { facts: own, ended, outside, bounded } = joins ? still : sweep(taker, placed.tickCents, time);
      const left = ended ? 0 : open(taker);
      const rests = left > 0 && !bounded && (placed.type === 'stop_limit' || joins || outside);
      if (rests) enter({ ...taker, endsWithCall: taker.unpriced });
      const triggered = {
        order: refTo(taker),
        side,
        stopTicks: stop,
        lastTicks: was,
        limitTicks: price,
        quantity,
      };
      const entry = { restingQuantity: rests ? left : 0, entersAfter: rests ? own.length : 0 };
      told.push({ type: 'OrderTriggered.v1', data: { ...triggered, ...entry } }, ...own);
      if (left > 0 && !rests) {
        const gone = { order: refTo(taker), side, priceTicks: price, quantity: left, resting: false };
        const reason = bounded ? 'EXECUTION_BOUND' : 'INSUFFICIENT_LIQUIDITY';
        told.push({ type: 'OrderExpired.v1', data: { ...gone, reason } });
        rules.told += 1;
      }
      if (outside) told.push(...rules.interrupt());
      const next = reachedBy(stops, pricesOf(own), was);
      stops = stops.filter((other) => !next.includes(other));
      queued.push(...next);
    }
    return told;
  }

  /** One stop that was reached before it came. */
  function triggerOne(id: string, time: string): BookFact[] {
    return runQueue(
      stops.filter(({ placed }) => placed.orderId === id),
      time,
    );
  }

  /** To cancel an order of a list is to cancel the others, too. */
  function cancel(
    { orderId, accountId }: { orderId: string; accountId: string },
    revision: number,
  ): BookFact[] {
    const others = lists.others(orderId);
    const first = cancelOne(orderId, accountId, revision);
    if (first.type !== 'OrderCanceled.v1') return [first];
    const rest = others.map((id) => cancelOne(id, accountId, revision));
    return [first, ...rest];
  }

  function cancelOne(orderId: string, accountId: string, revision: number): BookFact {
    const order = { orderId, accountId, revision };
    const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
    const held = stops.find(({ placed }) => placed.orderId === orderId && placed.accountId === accountId);
    if (held) {
      stops = stops.filter((one) => one !== held);
      const data = { side: held.placed.side, priceTicks: held.stop, quantity: held.placed.quantity };
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

  /** Orders that end now, those in the book and those that wait for a trigger. */
  function expire(id: string, reason: ExpiryReason): BookFact[] {
    const o = orders.find((order) => order.id === id);
    const stop = stops.find(({ placed }) => placed.orderId === id);
    orders = orders.filter((order) => order.id !== id);
    stops = stops.filter(({ placed }) => placed.orderId !== id);
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

  /** Tells of any order whether it is open now. */
  const openNow = () => {
    const ids = new Set([...orders.map((o) => o.id), ...stops.map(({ placed }) => placed.orderId)]);
    return (id: string) => ids.has(id) || lists.asleep(id) !== undefined;
  };
  const stillOpen = () => {
    const isOpen = openNow();
    return expiries.filter(([id]) => isOpen(id));
  };

  /** What is over by now ends, as far as there is room; children go with an entry that bought nothing. */
  function endDue(hasRoom: (told: number) => boolean): BookFact[] {
    const due = stillOpen().filter(([, end]) => end <= now);
    const inOrder = due.sort(([, a], [, b]) => (a === b ? 0 : a < b ? -1 : 1)).map(([id]) => id);
    const ends: BookFact[] = [];
    for (const id of inOrder) {
      if (!hasRoom(ends.length)) break;
      const unfilled = (entry: { filled: number } | null) => rules.bounds && entry?.filled === 0;
      const list = lists.all().find(({ legs, entry }) => unfilled(entry) && legs.includes(id));
      if (list?.entry && inOrder.includes(list.entry.orderId)) continue;
      ends.push(...expire(id, 'EXPIRES_AT_REACHED'));
      const own = lists.all().find(({ entry }) => unfilled(entry) && entry?.orderId === id);
      for (const leg of own?.legs ?? []) ends.push(...lists.expireAsleep(leg, 'ENTRY_NOT_FILLED'));
    }
    expiries = stillOpen();
    return ends;
  }

  function reach(at: string): BookFact[] {
    if (at > now) now = at;
    const ends = endDue((told) => !isFull(told));
    const next = expiries.map(([, end]) => end).sort()[0] ?? null;
    return [...ends, { type: 'TimeApplied.v1', data: { at: now, nextExpiresAt: next } }];
  }

  /**
   * Whether the order would trade so much, as far as it may look: the sweep is done on copies, and everything put back.
   */
  function wouldTrade(taker: Order, needed: number): 'enough' | 'less' | 'too far' {
    const before = { orders, trades, lastTradeTime, lastTicks, arrivals };
    const { told, bounds } = rules;
    rules.bounds = false;
    const waiting = stops;
    const putBack = lists.keep();
    orders = orders.map((o) => ({ ...o }));
    stops = stops.map((one) => ({ ...one }));
    const { facts } = sweep({ ...taker }, 1, '');
    ({ orders, trades, lastTradeTime, lastTicks, arrivals } = before);
    stops = waiting;
    putBack();
    Object.assign(rules, { told, bounds });
    let [traded, matches] = [0, 0];
    for (const { type, data } of facts) {
      if (traded >= needed) break;
      if (type !== 'TradeExecuted.v1' && type !== 'TradePrevented.v1') continue;
      matches += 1;
      // Each may tell two things.
      if (bounds && 2 * matches > rules.most - 16) return 'too far';
      if (type === 'TradeExecuted.v1') traded += data.quantity;
    }
    return traded >= needed ? 'enough' : 'less';
  }

  /** An order that has a new place has it among those that end at one time, too. */
  function endLater(id: string): void {
    const end = rules.bounds ? expiries.find(([one]) => one === id) : undefined;
    if (end) expiries = [...expiries.filter((one) => one !== end), end];
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
    cascade,
    triggerOne,
    carryOn,
    endDue,
    owed: () => owed.filter((id) => stops.some(({ placed }) => placed.orderId === id)),
    /** A price at which nothing is carried out. */
    hear: (price: number) => hear(stops, price),
    cancel,
    expire,
    stillOpen,
    reach,
    wouldTrade,
    orders: () => orders,
    lists,
    openNow,
    effective: (order: Order) => lists.effective(order, orders),
    lessen,
    stops: () => stops,
    drop(order: Order) {
      orders = orders.filter((o) => o !== order);
    },
    wait(stop: Omit<ModelStop, 'arrival'>) {
      stopArrivals += 1;
      stops.push({ ...stop, arrival: stopArrivals });
    },
    changeStop(stop: ModelStop, quantity: number, limitTicks: number, keepsArrival: boolean) {
      stop.placed = { ...stop.placed, quantity, limitTicks };
      if (keepsArrival) return;
      endLater(stop.placed.orderId);
      stopArrivals += 1;
      stop.arrival = stopArrivals;
      stops = [...stops.filter((one) => one !== stop), stop];
    },
    endLater,
    forgetEnd(id: string) {
      expiries = expiries.filter(([one]) => one !== id);
    },
    end(id: string, expiresAt: string) {
      expiries.push([id, expiresAt]);
    },
    later(at: string) {
      if (at > now) now = at;
    },
    state: () => ({ trades, lastTradeTime, lastTicks, time: now, arrivals: stopArrivals }),
  };
}
