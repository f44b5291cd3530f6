import type {
  BookFact,
  EngineInput,
  ExpiryReason,
  MarketState,
  RefusalCode,
  SymbolRules,
} from '@brokerx/contracts';
import type { PlacedInput } from '../src/engine.ts';
import type { EngineSnapshot } from '../src/snapshot.ts';
import { buys, MODES, type Money, modelBook, type Order, WHOLE } from './modelBook.ts';
import { firstStop, isReached, stopRow } from './modelStops.ts';

/**
 * The market rules once more, as plainly as they can be said: one array of orders, sorted anew for every match. It
 * shares no code with the engine, and is what the engine is compared with.
 */
export type Model = {
  apply(input: PlacedInput): BookFact[];
  state(): EngineSnapshot;
};

export function model(symbol: string): Model {
  const book = modelBook();
  const { open, visible, opposite, sweep, enter } = book;
  let rules: SymbolRules | null = null;
  let matchingRules = 0;
  let reference = 0;
  let state: MarketState = 'continuous';
  let bandsOff = false;

  const dynamic = () => book.state().lastTicks || reference;
  const flags = (o: Order) =>
    Number(o.day) + 2 * Number(o.postOnly) + 4 * MODES.indexOf(o.selfTrade) + (o.peak === null ? 0 : 32);
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
    const newer = ['postOnly', 'minQuantity', 'selfTrade', 'expiresAt', 'stopTicks'];
    const asksForMore = newer.some((name) => name in data);
    if (matchingRules === 1 && asksForMore) return reject('MATCHING_RULES');
    if (matchingRules < 3 && (data.displayQuantity || data.notionalCents)) return reject('MATCHING_RULES');
    if (data.notionalCents) return buyFor(data, rules, order, revision, time);
    if (quantity === 0 || quantity > rules.orderSharesMax) return reject('ORDER_SIZE');
    if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
    if (limitTicks === 0 || tickCents !== rules.tickCents) return reject('PRICE_TICK');
    const ownLimit = type === 'limit' || type === 'stop_limit';
    if (ownLimit && !data.bandExempt && !bandsOff && outsideBand(limitTicks, rules.collarPpm)) {
      return reject('PRICE_BAND');
    }
    const wrong = wrongValue(rules, side, limitTicks * tickCents * quantity);
    if (wrong) return reject(wrong);
    if (data.expiresAt && data.expiresAt <= book.state().time) return reject('EXPIRES_AT');
    if (data.displayQuantity) {
      if (type !== 'limit') return reject('ORDER_TYPE');
      if (timeInForce === 'ioc' || timeInForce === 'fok') return reject('TIME_IN_FORCE');
      if (data.displayQuantity >= quantity) return reject('ORDER_SIZE');
      if (data.displayQuantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
    }
    if (type !== 'limit' && type !== 'market') {
      if (timeInForce === 'ioc' || timeInForce === 'fok') return reject('TIME_IN_FORCE');
      const stop = firstStop(data, dynamic());
      if (stop < 1) return reject('PRICE_TICK');
      if (isReached(side, stop, dynamic())) return reject('WOULD_TRIGGER_IMMEDIATELY');
      book.wait({ placed: data, revision, stop, mark: dynamic() });
      if (data.expiresAt) book.end(orderId, data.expiresAt);
      const taken = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      const ends = data.expiresAt ? { expiresAt: data.expiresAt } : {};
      return [{ type: 'OrderAccepted.v1', data: { ...taken, ...ends, held: true } } satisfies BookFact];
    }
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
      peak: data.displayQuantity ?? null,
      shown: 0,
    };
    const needed = timeInForce === 'fok' ? quantity : (data.minQuantity ?? 0);
    const fails = book.wouldTrade(taker) < needed;
    const before = dynamic();
    const { facts, ended } = fails ? { facts: [], ended: false } : sweep(taker, tickCents, time);
    const over = ended || open(taker) === 0;
    const rests = !over && !fails && type === 'limit' && ['day', 'gtc', 'gtd'].includes(timeInForce);
    const shown = rests ? enter(taker) : {};
    if (rests && data.expiresAt) book.end(orderId, data.expiresAt);
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
        ...shown,
        ...(rests && prevented ? { entersAfter: facts.length } : {}),
        ...(data.expiresAt ? { expiresAt: data.expiresAt } : {}),
      },
    };
    if (over || rests) return [accepted, ...facts, ...book.cascade(facts, before, time)];
    const reasons: Partial<Record<typeof type, ExpiryReason>> = {
      market: 'INSUFFICIENT_LIQUIDITY',
      limit: 'UNFILLED_IOC_QUANTITY_EXPIRED',
    };
    const failed = timeInForce === 'fok' ? 'UNFILLED_FOK_ORDER_EXPIRED' : 'UNFILLED_MIN_QTY_ORDER_EXPIRED';
    const reason: ExpiryReason = fails ? failed : (reasons[type] ?? failed);
    const rest = { order, side, priceTicks: limitTicks, quantity: open(taker), resting: false, reason };
    const gone = { type: 'OrderExpired.v1', data: rest } satisfies BookFact;
    return [accepted, ...facts, gone, ...book.cascade(facts, before, time)];
  }

  /** A market buy for an amount of money. */
  function buyFor(
    data: Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'],
    of: SymbolRules,
    order: { orderId: string; accountId: string; revision: number },
    revision: number,
    time: string,
  ): BookFact[] {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const reject = (code: RefusalCode): BookFact[] => [{ type: 'OrderRejected.v1', data: { order, code } }];
    const money: Money = { cents, shares: of.orderSharesMax, lot: of.lotShares ?? 1, told: false };
    if (price === 0 || tickCents !== of.tickCents) return reject('PRICE_TICK');
    if (buys(money, price * tickCents) === 0) return reject('MIN_NOTIONAL');
    if (of.notionalMinCents && cents < of.notionalMinCents) return reject('MIN_NOTIONAL');
    if (of.notionalMaxCents && cents > of.notionalMaxCents) return reject('MAX_NOTIONAL');
    const plain = data.quantity === 0 && data.selfTrade !== 'decrement' && !data.minQuantity;
    if (side === 'sell' || type !== 'market' || !plain) return reject('ORDER_TYPE');
    if (timeInForce !== 'ioc') return reject('TIME_IN_FORCE');
    const { orderId: id, accountId, selfTrade = 'none' } = data;
    const terms = { day: false, postOnly: false, selfTrade, quantity: 0, done: 0, arrival: 0, ...WHOLE };
    const before = dynamic();
    const taker: Order = { id, accountId, revision, side, price, ...terms };
    const { facts, ended } = sweep(taker, tickCents, time, money);
    const taken = { order, side, type, timeInForce, quantity: 0, limitTicks: price, restingQuantity: 0 };
    const ends: BookFact[] = [];
    const next = opposite(side, price)[0];
    const leftCents = money.cents;
    if (!ended && !money.told) {
      const gone = { order, side, priceTicks: price, quantity: 0, resting: false, leftCents };
      if (next) ends.push({ type: 'OrderCompleted.v1', data: { order, side, leftCents } });
      else ends.push({ type: 'OrderExpired.v1', data: { ...gone, reason: 'INSUFFICIENT_LIQUIDITY' } });
    }
    return [
      { type: 'OrderAccepted.v1', data: { ...taken, notionalCents: cents } },
      ...facts,
      ...ends,
      ...book.cascade(facts, before, time),
    ];
  }

  function wrongChange(
    of: SymbolRules,
    { quantity, bandExempt }: { quantity: number; bandExempt?: boolean | undefined },
    side: 'buy' | 'sell',
    price: number,
    moved: boolean,
  ): RefusalCode | null {
    if (quantity === 0 || quantity > of.orderSharesMax) return 'ORDER_SIZE';
    if (side === 'buy' && quantity % (of.lotShares ?? 1) > 0) return 'LOT_STEP';
    if (price === 0) return 'PRICE_TICK';
    if (moved && !bandExempt && !bandsOff && outsideBand(price, of.collarPpm)) return 'PRICE_BAND';
    return wrongValue(of, side, price * of.tickCents * quantity);
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
    const found = book.orders().find((o) => o.id === orderId && o.accountId === accountId);
    if (state === 'halt') return reject('SYMBOL_HALTED');
    const held = book
      .stops()
      .find(({ placed }) => placed.orderId === orderId && placed.accountId === accountId);
    if (rules && held) {
      const { side, type } = held.placed;
      const limit = data.limitTicks ?? held.placed.limitTicks;
      const moved = limit !== held.placed.limitTicks;
      const leavesBefore = held.placed.quantity;
      if (!moved && quantity === leavesBefore) return reject('AMEND_NO_CHANGE');
      if (moved && type !== 'stop_limit') return reject('ORDER_TYPE');
      const wrong = wrongChange(rules, data, side, limit, moved);
      if (wrong) return reject(wrong);
      book.changeStop(held, quantity, limit, !moved && quantity < leavesBefore);
      const change = {
        order,
        amendment,
        side,
        priceTicks: held.stop,
        quantity,
        leavesBefore,
        leaves: quantity,
      };
      const limitTicks = moved ? { limitTicks: limit } : {};
      return [{ type: 'OrderReplaced.v1', data: { ...change, held: true, ...limitTicks } }];
    }
    if (!found || !rules) return reject('ORDER_NOT_OPEN');
    const { side, price: priceTicks } = found;
    const price = data.limitTicks ?? priceTicks;
    if (price === priceTicks && quantity === found.quantity) return reject('AMEND_NO_CHANGE');
    if (matchingRules === 1 && (price !== priceTicks || quantity > found.quantity)) {
      return reject('AMEND_NOT_A_REDUCTION');
    }
    const leavesBefore = open(found);
    const shownBefore = found.peak === null ? {} : { shownBefore: found.shown };
    const answer = (total: number, leaves: number): BookFact & { type: 'OrderReplaced.v1' } => ({
      type: 'OrderReplaced.v1',
      data: { order, amendment, side, priceTicks, quantity: total, leavesBefore, leaves, ...shownBefore },
    });
    if (quantity <= found.done) {
      book.drop(found);
      return [answer(found.done, 0)];
    }
    if (matchingRules > 1) {
      const moved = price !== priceTicks;
      const wrong = wrongChange(rules, data, side, price, moved);
      if (wrong) return reject(wrong);
      if (moved && found.postOnly && opposite(side, price).length > 0) return reject('WOULD_TAKE');
    }
    const keepsPlace = price === priceTicks && quantity < found.quantity;
    const replaced = answer(quantity, quantity - found.done);
    found.quantity = quantity;
    if (keepsPlace) {
      if (found.peak !== null) {
        found.shown = Math.min(found.shown, open(found));
        replaced.data.shown = found.shown;
      }
      return [replaced];
    }
    book.drop(found);
    const again = { ...found, price };
    const before = dynamic();
    const { facts, ended } = sweep(again, rules.tickCents, time);
    const restingQuantity = ended ? 0 : open(again);
    const shown = restingQuantity > 0 ? enter(again) : {};
    replaced.data.entry = { priceTicks: price, restingQuantity, entersAfter: facts.length, ...shown };
    return [replaced, ...facts, ...book.cascade(facts, before, time)];
  }

  function apply({ event, revision }: PlacedInput): BookFact[] {
    switch (event.type) {
      case 'OrderPlaced.v1':
        return place(event.data, revision, event.time);
      case 'OrderCancelRequested.v1':
        return book.cancel(event.data, revision);
      case 'TimeReached.v1':
        return book.reach(event.data.at);
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
        book.later(event.data.at);
        const ids = [
          ...book
            .orders()
            .filter((o) => o.day)
            .map((o) => o.id),
          ...book
            .stops()
            .filter(({ placed }) => placed.timeInForce === 'day')
            .map(({ placed }) => placed.orderId),
        ];
        if (ids.length === 0) return [{ type: 'InputNoted.v1', data: {} }];
        return ids.flatMap((id) => book.expire(id, 'DAY_ENDED'));
      }
    }
  }

  return {
    apply,
    state() {
      const { arrivals, ...known } = book.state();
      const plain = rules && { rules, matchingRules, referenceTicks: reference };
      return {
        symbol,
        listing: plain,
        state,
        bandsOff,
        ...known,
        orders: book
          .orders()
          .map((o) => [o.id, o.accountId, o.revision, o.side, o.price, flags(o), o.quantity, visible(o)]),
        icebergs: book
          .orders()
          .flatMap((o) => (o.peak === null ? [] : [[o.id, o.peak, open(o) - o.shown] as const]))
          .map((row) => [...row]),
        stops: book.stops().map((one) => {
          const { timeInForce, selfTrade = 'none' } = one.placed;
          return stopRow(one, Number(timeInForce === 'day') + 4 * MODES.indexOf(selfTrade));
        }),
        arrivals,
        expiries: book.stillOpen(),
      };
    },
  };
}
