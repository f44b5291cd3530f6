import type {
  BookFact,
  EngineInput,
  ExpiryReason,
  MarketState,
  OrderRef,
  RefusalCode,
  SelfTradeMode,
  SymbolRules,
} from '@brokerx/contracts';
import type { PlacedInput } from '../src/engine.ts';
import type { EngineSnapshot } from '../src/snapshot.ts';

/**
 * The market rules once more, as plainly as they can be said: one array of orders, sorted anew for every match. It
 * shares no code with the engine, and is what the engine is compared with.
 */
type Order = {
  id: string;
  accountId: string;
  revision: number;
  side: 'buy' | 'sell';
  price: number;
  day: boolean;
  postOnly: boolean;
  selfTrade: SelfTradeMode;
  quantity: number;
  /** Filled, or taken off by prevention. */
  done: number;
  arrival: number;
};

export type Model = {
  apply(input: PlacedInput): BookFact[];
  state(): EngineSnapshot;
};

export function model(symbol: string): Model {
  let orders: Order[] = [];
  let rules: SymbolRules | null = null;
  let matchingRules = 0;
  let reference = 0;
  let state: MarketState = 'continuous';
  let bandsOff = false;
  let trades = 0;
  let lastTradeTime = '';
  let arrivals = 0;

  const refTo = (o: Order): OrderRef => ({ orderId: o.id, accountId: o.accountId, revision: o.revision });
  const enter = (order: Order) => {
    arrivals += 1;
    orders.push({ ...order, arrival: arrivals });
  };
  const modes: SelfTradeMode[] = ['none', 'cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'];
  const flags = (o: Order) => Number(o.day) + 2 * Number(o.postOnly) + 4 * modes.indexOf(o.selfTrade);
  const open = (order: Order) => order.quantity - order.done;
  const opposite = (side: 'buy' | 'sell', limit: number) =>
    orders
      .filter((o) => o.side !== side && (side === 'buy' ? o.price <= limit : o.price >= limit))
      .sort((a, b) => (side === 'buy' ? a.price - b.price : b.price - a.price) || a.arrival - b.arrival);

  /** Takes what it can from the book for the order, in priority, and says what happened. Its rest stays outside. */
  function sweep(taker: Order, tickCents: number, time: string): { facts: BookFact[]; ended: boolean } {
    const facts: BookFact[] = [];
    let ended = false;
    const takerRef = refTo(taker);
    const expire = (order: Order, resting: boolean) => {
      const data = { side: order.side, priceTicks: order.price, quantity: open(order), resting };
      facts.push({
        type: 'OrderExpired.v1',
        data: { order: refTo(order), ...data, reason: 'SELF_TRADE_PREVENTED' },
      });
      orders = orders.filter((o) => o !== order);
    };
    for (const maker of opposite(taker.side, taker.price)) {
      if (open(taker) === 0) break;
      const quantity = Math.min(open(taker), open(maker));
      const meeting = { priceTicks: maker.price, quantity, takerSide: taker.side };
      const mode = taker.selfTrade;
      if (mode === 'none' || maker.accountId !== taker.accountId) {
        maker.done += quantity;
        taker.done += quantity;
        trades += 1;
        if (time > lastTradeTime) lastTradeTime = time;
        const sides = {
          maker: { ...refTo(maker), leaves: open(maker) },
          taker: { ...takerRef, leaves: open(taker) },
        };
        facts.push({ type: 'TradeExecuted.v1', data: { trade: trades, tickCents, ...meeting, ...sides } });
        continue;
      }
      if (mode === 'decrement') {
        maker.done += quantity;
        taker.done += quantity;
      }
      const sides = {
        maker: { ...refTo(maker), leaves: open(maker) },
        taker: { ...takerRef, leaves: open(taker) },
      };
      facts.push({ type: 'TradePrevented.v1', data: { mode, ...meeting, ...sides } });
      if (mode === 'cancel_oldest' || mode === 'cancel_both' || open(maker) === 0) expire(maker, true);
      if (mode === 'cancel_newest' || mode === 'cancel_both' || open(taker) === 0) {
        expire(taker, false);
        ended = true;
        break;
      }
    }
    orders = orders.filter((o) => open(o) > 0);
    return { facts, ended };
  }

  /** What the order would trade: the sweep is done on copies, and everything put back. */
  function wouldTrade(taker: Order): number {
    const before = { orders, trades, lastTradeTime };
    orders = orders.map((o) => ({ ...o }));
    const { facts } = sweep({ ...taker }, 1, '');
    ({ orders, trades, lastTradeTime } = before);
    return facts.reduce((sum, f) => sum + (f.type === 'TradeExecuted.v1' ? f.data.quantity : 0), 0);
  }

  const outsideBand = (price: number, collarPpm: number) => {
    const step = Math.floor((reference * collarPpm) / 1_000_000);
    return price < Math.max(1, reference - step) || price > reference + step;
  };
  const wrongValue = (of: SymbolRules, side: 'buy' | 'sell', value: number): RefusalCode | null => {
    if (side === 'buy' && of.notionalMinCents && value < of.notionalMinCents) return 'MIN_NOTIONAL';
    return of.notionalMaxCents && value > of.notionalMaxCents ? 'MAX_NOTIONAL' : null;
  };

  function place(
    data: Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'],
    revision: number,
    time: string,
  ) {
    const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    const order = { orderId, accountId, revision };
    const reject = (code: RefusalCode): BookFact[] => [{ type: 'OrderRejected.v1', data: { order, code } }];
    if (!rules) return reject('UNKNOWN_SYMBOL');
    if (state === 'halt') return reject('SYMBOL_HALTED');
    const asksForMore = 'postOnly' in data || 'minQuantity' in data || 'selfTrade' in data;
    if (matchingRules === 1 && asksForMore) return reject('MATCHING_RULES');
    if (quantity === 0 || quantity > rules.orderSharesMax) return reject('ORDER_SIZE');
    if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
    if (limitTicks === 0 || tickCents !== rules.tickCents) return reject('PRICE_TICK');
    if (type === 'limit' && !data.bandExempt && !bandsOff && outsideBand(limitTicks, rules.collarPpm)) {
      return reject('PRICE_BAND');
    }
    const wrong = wrongValue(rules, side, limitTicks * tickCents * quantity);
    if (wrong) return reject(wrong);
    if (data.postOnly && opposite(side, limitTicks).length > 0) return reject('WOULD_TAKE');

    const taker: Order = {
      id: orderId,
      accountId,
      revision,
      side,
      price: limitTicks,
      day: timeInForce === 'day',
      postOnly: data.postOnly ?? false,
      selfTrade: data.selfTrade ?? 'none',
      quantity,
      done: 0,
      arrival: 0,
    };
    const needed = timeInForce === 'fok' ? quantity : (data.minQuantity ?? 0);
    const fails = wouldTrade(taker) < needed;
    const { facts, ended } = fails ? { facts: [], ended: false } : sweep(taker, tickCents, time);
    const over = ended || open(taker) === 0;
    const rests = !over && !fails && type === 'limit' && ['day', 'gtc'].includes(timeInForce);
    if (rests) enter(taker);
    const prevented = facts.some((f) => f.type === 'TradePrevented.v1');
    const accepted: BookFact = {
      type: 'OrderAccepted.v1',
      data: {
        order,
        side,
        type,
        timeInForce,
        quantity,
        limitTicks,
        restingQuantity: rests ? open(taker) : 0,
        ...(rests && prevented ? { entersAfter: facts.length } : {}),
      },
    };
    if (over || rests) return [accepted, ...facts];
    const reasons = { market: 'INSUFFICIENT_LIQUIDITY', limit: 'UNFILLED_IOC_QUANTITY_EXPIRED' } as const;
    const failed = timeInForce === 'fok' ? 'UNFILLED_FOK_ORDER_EXPIRED' : 'UNFILLED_MIN_QTY_ORDER_EXPIRED';
    const reason: ExpiryReason = fails ? failed : reasons[type];
    const rest = { order, side, priceTicks: limitTicks, quantity: open(taker), resting: false, reason };
    return [accepted, ...facts, { type: 'OrderExpired.v1', data: rest } satisfies BookFact];
  }

  function amend(
    data: Extract<EngineInput, { type: 'OrderAmendRequested.v1' }>['data'],
    revision: number,
    time: string,
  ): BookFact[] {
    const { orderId, accountId, amendment, quantity } = data;
    const order = { orderId, accountId, revision };
    const reject = (code: RefusalCode): BookFact[] => [
      { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } },
    ];
    const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
    if (state === 'halt') return reject('SYMBOL_HALTED');
    if (!found || !rules) return reject('ORDER_NOT_OPEN');
    const { side, price: priceTicks } = found;
    const price = data.limitTicks ?? priceTicks;
    if (price === priceTicks && quantity === found.quantity) return reject('AMEND_NO_CHANGE');
    if (matchingRules === 1 && (price !== priceTicks || quantity > found.quantity)) {
      return reject('AMEND_NOT_A_REDUCTION');
    }
    const leavesBefore = open(found);
    const answer = (total: number, leaves: number): BookFact & { type: 'OrderReplaced.v1' } => ({
      type: 'OrderReplaced.v1',
      data: { order, amendment, side, priceTicks, quantity: total, leavesBefore, leaves },
    });
    if (quantity <= found.done) {
      orders = orders.filter((o) => o !== found);
      return [answer(found.done, 0)];
    }
    if (matchingRules > 1) {
      if (quantity > rules.orderSharesMax) return reject('ORDER_SIZE');
      if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
      if (price === 0) return reject('PRICE_TICK');
      const moved = price !== priceTicks;
      if (moved && !data.bandExempt && !bandsOff && outsideBand(price, rules.collarPpm)) {
        return reject('PRICE_BAND');
      }
      const wrong = wrongValue(rules, side, price * rules.tickCents * quantity);
      if (wrong) return reject(wrong);
      if (moved && found.postOnly && opposite(side, price).length > 0) return reject('WOULD_TAKE');
    }
    const keepsPlace = price === priceTicks && quantity < found.quantity;
    const replaced = answer(quantity, quantity - found.done);
    found.quantity = quantity;
    if (keepsPlace) return [replaced];
    orders = orders.filter((o) => o !== found);
    const again = { ...found, price };
    const { facts, ended } = sweep(again, rules.tickCents, time);
    const restingQuantity = ended ? 0 : open(again);
    if (restingQuantity > 0) enter(again);
    replaced.data.entry = { priceTicks: price, restingQuantity, entersAfter: facts.length };
    return [replaced, ...facts];
  }

  function apply({ event, revision }: PlacedInput): BookFact[] {
    switch (event.type) {
      case 'OrderPlaced.v1':
        return place(event.data, revision, event.time);
      case 'OrderCancelRequested.v1': {
        const { orderId, accountId } = event.data;
        const order = { orderId, accountId, revision };
        const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
        if (!found) return [{ type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } }];
        orders = orders.filter((o) => o !== found);
        const data = { order, side: found.side, priceTicks: found.price, quantity: open(found) };
        return [{ type: 'OrderCanceled.v1', data }];
      }
      case 'OrderAmendRequested.v1':
        return amend(event.data, revision, event.time);
      case 'SymbolListed.v1':
        rules = event.data.rules;
        matchingRules = event.data.matchingRules;
        reference = rules.listingTicks;
        return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
      case 'MatchingRulesAdopted.v1':
        if (rules) matchingRules = event.data.matchingRules;
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'SymbolExemptionsChanged.v1':
        bandsOff = event.data.bandsOff;
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'TradingHalted.v1':
      case 'TradingResumed.v1': {
        const next = event.type === 'TradingHalted.v1' ? 'halt' : 'continuous';
        if (!rules || next === state) return [{ type: 'InputNoted.v1', data: {} }];
        state = next;
        return [{ type: 'MarketStateChanged.v1', data: { state } }];
      }
      case 'DayEnded.v1': {
        if (rules) reference = event.data.closeTicks;
        const expired = orders.filter((o) => o.day);
        orders = orders.filter((o) => !o.day);
        if (expired.length === 0) return [{ type: 'InputNoted.v1', data: {} }];
        return expired.map((o) => ({
          type: 'OrderExpired.v1',
          data: {
            order: { orderId: o.id, accountId: o.accountId, revision: o.revision },
            side: o.side,
            priceTicks: o.price,
            quantity: open(o),
            resting: true,
            reason: 'DAY_ENDED',
          },
        }));
      }
    }
  }

  return {
    apply,
    state: () => ({
      symbol,
      listing: rules && { rules, matchingRules, referenceTicks: reference },
      state,
      bandsOff,
      trades,
      lastTradeTime,
      orders: orders.map((o) => [
        o.id,
        o.accountId,
        o.revision,
        o.side,
        o.price,
        flags(o),
        o.quantity,
        open(o),
      ]),
    }),
  };
}
