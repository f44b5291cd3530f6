import {
  type BookFact,
  type EngineInput,
  type ExpiryReason,
  type RefusalCode,
  type SymbolRules,
} from '@brokerx/contracts';
import type { PlacedInput } from '../src/rules/engine.ts';
import type { EngineSnapshot, OrderRow } from '../src/snapshot/snapshot.ts';
import { modelAmend } from './modelAmend.ts';
import { modelBook } from './modelBook.ts';
import { modelBracket } from './modelBracket.ts';
import { type ModelMarket, modelDay, notTaken } from './modelDay.ts';
import { uncounted } from './modelInput.ts';
import { modelNotional } from './modelNotional.ts';
import { MODES, type Order } from './modelOrder.ts';
import { modelPlaceList } from './modelPlaceList.ts';
import { firstMark, firstStop, isReached, stopRow } from './modelStops.ts';

/**
 * The market rules a second time, as simply as possible: one array of orders, sorted again for every match. The
 * simulation compares the engine with this model, so the two share no code.
 */
export type Model = {
  apply(input: PlacedInput): BookFact[];
  state(): EngineSnapshot;
};

export function model(symbol: string, outputsMax = 20_000): Model {
  const book = modelBook();
  book.rules.most = outputsMax;
  const { open, visible, opposite, sweep, enter } = book;
  let rules: SymbolRules | null = null;
  let matchingRules = 0;
  const market: ModelMarket = {
    state: 'continuous',
    phase: 'continuous',
    opened: true,
    reference: 0,
    tickCents: 1,
    days: false,
    bandPpm: null,
    bandsOff: false,
  };
  const day = modelDay(book, market);
  const gathers = () => market.state !== 'continuous';

  const dynamic = () => book.state().lastTicks || market.reference;
  const flags = (o: Order) =>
    Number(o.day) +
    2 * Number(o.postOnly) +
    4 * MODES.indexOf(o.selfTrade) +
    (o.peak === null ? 0 : 32) +
    256 * Number(o.endsWithCall) +
    1024 * Number(o.unpriced) +
    512 * Number(o.exempt);
  const row = (o: Order): OrderRow => [
    o.id,
    o.accountId,
    o.revision,
    o.side,
    o.price,
    flags(o),
    o.quantity,
    visible(o),
  ];
  const outsideBand = (price: number, collarPpm: number) => {
    const least = matchingRules < 4 ? 0 : (rules?.collarTicksMin ?? 1);
    const step = Math.max(least, Math.floor((market.reference * collarPpm) / 1_000_000));
    return price < Math.max(1, market.reference - step) || price > market.reference + step;
  };
  const wrongValue = (of: SymbolRules, side: 'buy' | 'sell', value: number): RefusalCode | null => {
    if (side === 'buy' && of.notionalMinCents && value < of.notionalMinCents) return 'MIN_NOTIONAL';
    return of.notionalMaxCents && value > of.notionalMaxCents ? 'MAX_NOTIONAL' : null;
  };

  type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

  function place(data: Placed, revision: number, time: string): BookFact[] {
    const { orderId, accountId } = data;
    const code = refusal(data);
    if (!code) return enterMarket(data, revision, time);
    return [{ type: 'OrderRejected.v1', data: { order: { orderId, accountId, revision }, code } }];
  }

  const placeList = modelPlaceList({
    book,
    refusal,
    arrive: enterMarket,
    isOld: () => matchingRules < 3,
  });

  function refusal(data: Placed): RefusalCode | null {
    const { side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    const reject = (code: RefusalCode) => code;
    if (!rules) return reject('UNKNOWN_SYMBOL');
    if (market.state === 'halt') return reject('SYMBOL_HALTED');
    if (market.state === 'closed') return reject('MARKET_CLOSED');
    const forAuction = timeInForce === 'opg' || timeInForce === 'cls';
    if (forAuction && matchingRules < 3) return reject('MATCHING_RULES');
    const newer = ['postOnly', 'minQuantity', 'selfTrade', 'expiresAt', 'stopTicks'];
    const asksForMore = newer.some((name) => name in data);
    if (matchingRules === 1 && asksForMore) return reject('MATCHING_RULES');
    if (matchingRules < 3 && (data.displayQuantity || data.notionalCents)) return reject('MATCHING_RULES');
    if (data.notionalCents) return wrongMoney(data, rules);
    if (quantity === 0 || quantity > rules.orderSharesMax) return reject('ORDER_SIZE');
    if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
    if (limitTicks === 0 || tickCents !== rules.tickCents) return reject('PRICE_TICK');
    const ownLimit = type === 'limit' || type === 'stop_limit';
    if (ownLimit && !data.bandExempt && !market.bandsOff && outsideBand(limitTicks, rules.collarPpm)) {
      return reject('PRICE_BAND');
    }
    const wrong = wrongValue(rules, side, limitTicks * tickCents * quantity);
    if (wrong) return reject(wrong);
    const untaken = matchingRules < 3 ? null : notTaken(data, market.state);
    if (untaken) return reject(untaken);
    if (data.expiresAt && data.expiresAt <= book.state().time) return reject('EXPIRES_AT');
    if (data.displayQuantity) {
      if (type !== 'limit') return reject('ORDER_TYPE');
      if (!['day', 'gtc', 'gtd'].includes(timeInForce)) return reject('TIME_IN_FORCE');
      if (data.displayQuantity >= quantity) return reject('ORDER_SIZE');
      if (data.displayQuantity % (rules.lotShares ?? 1) > 0) return reject('LOT_STEP');
      if (quantity / data.displayQuantity > 100) return reject('ICEBERG_PEAKS');
    }
    if (type !== 'limit' && type !== 'market') {
      if (timeInForce === 'ioc' || timeInForce === 'fok') return reject('TIME_IN_FORCE');
      const stop = firstStop(data, gathers() ? null : dynamic());
      if (stop < 1) return reject('PRICE_TICK');
      if (!gathers() && isReached(side, stop, dynamic())) return reject('WOULD_TRIGGER_IMMEDIATELY');
    }
    if (data.postOnly && !gathers() && opposite(side, limitTicks).length > 0) return reject('WOULD_TAKE');
    return null;
  }

  function enterMarket(data: Placed, revision: number, time: string): BookFact[] {
    const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    const order = { orderId, accountId, revision };
    if (data.notionalCents && rules) return buyFor(data, rules, order, revision, time);
    book.rules.told += 1;
    if (type !== 'limit' && type !== 'market') {
      const stop = firstStop(data, gathers() ? null : dynamic());
      const unmoved = gathers() && type === 'trailing_stop';
      book.wait({ placed: data, revision, stop, mark: unmoved ? firstMark(data) : dynamic() });
      if (data.expiresAt) book.end(orderId, data.expiresAt);
      const taken = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      const ends = data.expiresAt ? { expiresAt: data.expiresAt } : {};
      return [{ type: 'OrderAccepted.v1', data: { ...taken, ...ends, held: true } } satisfies BookFact];
    }

    const forAuction = timeInForce === 'opg' || timeInForce === 'cls';
    const taker: Order = {
      id: orderId,
      accountId,
      revision,
      side,
      price: limitTicks,
      day: timeInForce === 'day' || forAuction,
      postOnly: data.postOnly ?? false,
      endsWithCall: type === 'market' || forAuction,
      unpriced: type === 'market',
      exempt: data.bandExempt,
      selfTrade: data.selfTrade ?? 'none',
      quantity,
      done: 0,
      arrival: 0,
      peak: data.displayQuantity ?? null,
      shown: 0,
    };
    if (timeInForce === 'cls' && market.state !== 'closing_auction') {
      day.wait(taker);
      const taken = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      return [{ type: 'OrderAccepted.v1', data: { ...taken, held: true } } satisfies BookFact];
    }
    const needed = timeInForce === 'fok' ? quantity : (data.minQuantity ?? 0);
    const could = needed === 0 ? 'enough' : book.wouldTrade(taker, needed);
    const fails = could !== 'enough';
    const before = dynamic();
    const still = { facts: [], ended: false, outside: false, bounded: could === 'too far' };
    const { facts, ended, outside, bounded } = fails || gathers() ? still : sweep(taker, tickCents, time);
    const over = ended || open(taker) === 0;
    const stays = ['day', 'gtc', 'gtd'].includes(timeInForce);
    const rests = gathers() || (!over && !fails && !bounded && stays && (type === 'limit' || outside));
    const shown = rests ? enter(taker) : {};
    if (rests && data.expiresAt) book.end(orderId, data.expiresAt);
    const prevented = facts.some((f) => f.type !== 'TradeExecuted.v1');
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
    const stops = () => [...(outside ? book.rules.interrupt() : []), ...book.cascade(facts, before, time)];
    if (over || rests) return [accepted, ...facts, ...stops()];
    const reasons: Partial<Record<typeof type, ExpiryReason>> = {
      market: 'INSUFFICIENT_LIQUIDITY',
      limit: 'UNFILLED_IOC_QUANTITY_EXPIRED',
    };
    const failed = timeInForce === 'fok' ? 'UNFILLED_FOK_ORDER_EXPIRED' : 'UNFILLED_MIN_QTY_ORDER_EXPIRED';
    const usual = fails ? failed : (reasons[type] ?? failed);
    const cut: ExpiryReason = outside ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED' : usual;
    const reason = bounded ? 'EXECUTION_BOUND' : cut;
    book.rules.told += 1;
    const rest = { order, side, priceTicks: limitTicks, quantity: open(taker), resting: false, reason };
    const gone = { type: 'OrderExpired.v1', data: rest } satisfies BookFact;
    return [accepted, ...facts, gone, ...stops()];
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
    if (moved && !bandExempt && !market.bandsOff && outsideBand(price, of.collarPpm)) return 'PRICE_BAND';
    return wrongValue(of, side, price * of.tickCents * quantity);
  }

  const { wrongMoney, buyFor } = modelNotional({ book, market, dynamic });
  const bracket = modelBracket({
    book,
    continuous: () => market.state === 'continuous',
    arrive: enterMarket,
  });
  const amend = modelAmend({ book, day, market, symbol: () => ({ rules, matchingRules }), wrongChange });

  function carryOut({ event, revision }: PlacedInput): BookFact[] {
    switch (event.type) {
      case 'OrderPlaced.v1':
        return place(event.data, revision, event.time);
      case 'OrderListPlaced.v1':
        return placeList(event.data, revision, event.time);
      case 'OrderCancelRequested.v1':
        return cancel(event.data, revision);
      case 'TimeReached.v1':
        return day.reach(event.data.at);
      case 'TradingPhaseBegan.v1':
        return day.begin(event.data, event.time);
      case 'TradingCalendarSet.v1':
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'AuctionCallEnded.v1':
        return day.endCall(event.data, event.time);
      case 'OrderAmendRequested.v1':
        return amend(event.data, revision, event.time);
      case 'SymbolListed.v1':
        rules = event.data.rules;
        matchingRules = event.data.matchingRules;
        market.reference = rules.listingTicks;
        market.tickCents = rules.tickCents;
        market.days = matchingRules >= 3;
        market.bandPpm = rules.bandPpm ?? null;
        return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
      case 'MatchingRulesAdopted.v1':
        if (rules) matchingRules = event.data.matchingRules;
        market.days = matchingRules >= 3;
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'SymbolExemptionsChanged.v1':
        market.bandsOff = event.data.bandsOff;
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'TradingHalted.v1':
        if (!rules || market.state === 'halt') return [{ type: 'InputNoted.v1', data: {} }];
        market.state = 'halt';
        return [{ type: 'MarketStateChanged.v1', data: { state: 'halt' } }];
      case 'TradingResumed.v1':
        return day.resume(event.time);
      case 'DayEnded.v1': {
        if (rules) market.reference = event.data.closeTicks;
        book.later(event.data.at);
        const ended = day.endDay();
        return ended.length > 0 ? ended : [{ type: 'InputNoted.v1', data: {} }];
      }
    }
  }

  function cancel(
    asked: Extract<EngineInput, { type: 'OrderCancelRequested.v1' }>['data'],
    revision: number,
  ): BookFact[] {
    const { orderId, accountId } = asked;
    const later = day.waiting().find((o) => o.id === orderId && o.accountId === accountId);
    if (!later) return book.cancel(asked, revision);
    day.drop(later);
    const { side, price: priceTicks, quantity } = later;
    const order = { orderId, accountId, revision };
    return [{ type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, held: true } }];
  }

  function apply(input: PlacedInput): BookFact[] {
    day.freeze();
    Object.assign(book.rules, { told: 0, bounds: matchingRules >= 4 });
    const before = day.catchUp();
    book.rules.before = before.length;
    const facts = [...before, ...carryOut(input)];
    book.rules.told = facts.length - uncounted(facts);
    facts.push(...book.carryOn(input.event.time));
    book.rules.told = facts.length - uncounted(facts);
    bracket(facts, input.event.time);
    return [...facts, ...day.indicative(), ...day.askAgain(input.event)];
  }

  return {
    apply,
    state() {
      const { arrivals, ...known } = book.state();
      const plain = rules && { rules, matchingRules, referenceTicks: market.reference };
      return {
        symbol,
        listing: plain,
        ...day.state(),
        bandsOff: market.bandsOff,
        ...known,
        orders: book.orders().map(row),
        icebergs: book
          .orders()
          .flatMap((o) => (o.peak === null ? [] : [[o.id, o.peak, open(o) - o.shown] as const]))
          .map((row) => [...row]),
        lists: book.lists.rows(),
        stops: book.stops().map((one) => {
          const { timeInForce, selfTrade = 'none', bandExempt } = one.placed;
          const bits = Number(timeInForce === 'day') + 4 * MODES.indexOf(selfTrade);
          return stopRow(one, bits + 512 * Number(bandExempt));
        }),
        arrivals,
        owed: book.owed(),
        expiries: book.stillOpen(),
        waiting: day.waiting().map(row),
        left: [...book.rules.left],
      };
    },
  };
}
