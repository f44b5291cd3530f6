import { type BookFact, type EngineInput, type ExpiryReason, type SymbolRules } from '@brokerx/contracts';
import type { PlacedInput } from '../src/rules/engine.ts';
import type { EngineSnapshot, OrderRow } from '../src/snapshot/snapshot.ts';
import { modelAmend } from './modelAmend.ts';
import { modelBook } from './modelBook.ts';
import { modelBracket } from './modelBracket.ts';
import { type ModelMarket, modelDay } from './modelDay.ts';
import { uncrossOutputCount } from './modelInput.ts';
import { modelNotional } from './modelNotional.ts';
import { MODES, type Order } from './modelOrder.ts';
import { modelPlaceList } from './modelPlaceList.ts';
import { modelRefusals } from './modelRefusals.ts';
import { firstMark, firstStop, stopRow } from './modelStops.ts';

/**
 * A naive model of the market rules, as simple as possible: one array of orders, sorted again for every match. The simulation
 * compares the engine with it, so the two share no code. The `model….ts` files beside this one are its parts.
 */
export type Model = {
  apply(input: PlacedInput): BookFact[];
  state(): EngineSnapshot;
};

export function model(symbol: string, outputsMax = 20_000): Model {
  const book = modelBook();
  book.rules.outputsMax = outputsMax;
  const { open, visible, sweep, enter } = book;
  let rules: SymbolRules | null = null;
  let matchingRules = 0;
  const market: ModelMarket = {
    state: 'continuous',
    phase: 'continuous',
    opened: true,
    reference: 0,
    tickCents: 1,
    hasTradingDay: false,
    bandPpm: null,
    bandsOff: false,
  };
  const day = modelDay(book, market);
  const isGathering = () => market.state !== 'continuous';

  const dynamicReference = () => book.state().lastTicks || market.reference;
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
  type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

  function place(data: Placed, revision: number, time: string): BookFact[] {
    const { orderId, accountId } = data;
    const code = refusal(data);
    if (!code) return enterMarket(data, revision, time);
    return [{ type: 'OrderRejected.v1', data: { order: { orderId, accountId, revision }, code } }];
  }

  const symbolRules = () => ({ rules, matchingRules });
  const { moneyRefusal, buyForMoney } = modelNotional({ book, market, dynamicReference });
  const { refusal, changeRefusal } = modelRefusals({ book, market, symbol: symbolRules, moneyRefusal });
  const placeList = modelPlaceList({
    book,
    refusal,
    enterMarket,
    rulesLackLists: () => matchingRules < 3,
  });

  function enterMarket(data: Placed, revision: number, time: string): BookFact[] {
    const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    const order = { orderId, accountId, revision };
    if (data.notionalCents && rules) return buyForMoney(data, rules, order, revision, time);
    book.rules.outputCount += 1;
    if (type !== 'limit' && type !== 'market') {
      const stop = firstStop(data, isGathering() ? null : dynamicReference());
      const keepsRequestedStop = isGathering() && type === 'trailing_stop';
      book.addStop({
        placed: data,
        revision,
        stop,
        mark: keepsRequestedStop ? firstMark(data) : dynamicReference(),
      });
      if (data.expiresAt) book.addEnd(orderId, data.expiresAt);
      const accepted = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      const expiry = data.expiresAt ? { expiresAt: data.expiresAt } : {};
      return [{ type: 'OrderAccepted.v1', data: { ...accepted, ...expiry, held: true } } satisfies BookFact];
    }

    const isForAuction = timeInForce === 'opg' || timeInForce === 'cls';
    const taker: Order = {
      id: orderId,
      accountId,
      revision,
      side,
      price: limitTicks,
      day: timeInForce === 'day' || isForAuction,
      postOnly: data.postOnly ?? false,
      endsWithCall: type === 'market' || isForAuction,
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
      day.addClosingOrder(taker);
      const accepted = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      return [{ type: 'OrderAccepted.v1', data: { ...accepted, held: true } } satisfies BookFact];
    }
    const sharesNeeded = timeInForce === 'fok' ? quantity : (data.minQuantity ?? 0);
    const lookAhead = sharesNeeded === 0 ? 'enough' : book.wouldTrade(taker, sharesNeeded);
    const isUnfillable = lookAhead !== 'enough';
    const before = dynamicReference();
    const unmatched = { facts: [], ended: false, outside: false, bounded: lookAhead === 'too far' };
    const { facts, ended, outside, bounded } =
      isUnfillable || isGathering() ? unmatched : sweep(taker, tickCents, time);
    const isDone = ended || open(taker) === 0;
    const mayRest = ['day', 'gtc', 'gtd'].includes(timeInForce);
    const rests =
      isGathering() || (!isDone && !isUnfillable && !bounded && mayRest && (type === 'limit' || outside));
    const shown = rests ? enter(taker) : {};
    if (rests && data.expiresAt) book.addEnd(orderId, data.expiresAt);
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
    const afterwards = () => [
      ...(outside ? book.rules.beginVolatilityAuction() : []),
      ...book.runTriggers(facts, before, time),
    ];
    if (isDone || rests) return [accepted, ...facts, ...afterwards()];
    const reasons: Partial<Record<typeof type, ExpiryReason>> = {
      market: 'INSUFFICIENT_LIQUIDITY',
      limit: 'UNFILLED_IOC_QUANTITY_EXPIRED',
    };
    const unfillableReason =
      timeInForce === 'fok' ? 'UNFILLED_FOK_ORDER_EXPIRED' : 'UNFILLED_MIN_QTY_ORDER_EXPIRED';
    const matchReason = isUnfillable ? unfillableReason : (reasons[type] ?? unfillableReason);
    const unboundedReason: ExpiryReason = outside ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED' : matchReason;
    const reason = bounded ? 'EXECUTION_BOUND' : unboundedReason;
    book.rules.outputCount += 1;
    const rest = { order, side, priceTicks: limitTicks, quantity: open(taker), resting: false, reason };
    const expired = { type: 'OrderExpired.v1', data: rest } satisfies BookFact;
    return [accepted, ...facts, expired, ...afterwards()];
  }

  const updateLists = modelBracket({
    book,
    isContinuous: () => market.state === 'continuous',
    enterMarket,
  });
  const amend = modelAmend({ book, day, market, symbol: symbolRules, changeRefusal });

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
        market.hasTradingDay = matchingRules >= 3;
        market.bandPpm = rules.bandPpm ?? null;
        return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
      case 'MatchingRulesAdopted.v1':
        if (rules) matchingRules = event.data.matchingRules;
        market.hasTradingDay = matchingRules >= 3;
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
        book.advanceTime(event.data.at);
        const ended = day.endDay();
        return ended.length > 0 ? ended : [{ type: 'InputNoted.v1', data: {} }];
      }
    }
  }

  function cancel(
    request: Extract<EngineInput, { type: 'OrderCancelRequested.v1' }>['data'],
    revision: number,
  ): BookFact[] {
    const { orderId, accountId } = request;
    const closingOrder = day.closingOrders().find((o) => o.id === orderId && o.accountId === accountId);
    if (!closingOrder) return book.cancel(request, revision);
    day.dropClosingOrder(closingOrder);
    const { side, price: priceTicks, quantity } = closingOrder;
    const order = { orderId, accountId, revision };
    return [{ type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity, held: true } }];
  }

  function apply(input: PlacedInput): BookFact[] {
    day.fixBand();
    Object.assign(book.rules, { outputCount: 0, isBounded: matchingRules >= 4 });
    const deferred = day.reportDeferred();
    book.rules.deferredCount = deferred.length;
    const facts = [...deferred, ...carryOut(input)];
    book.rules.outputCount = facts.length - uncrossOutputCount(facts);
    facts.push(...book.runDeferred(input.event.time));
    book.rules.outputCount = facts.length - uncrossOutputCount(facts);
    updateLists(facts, input.event.time);
    return [...facts, ...day.indicative(), ...day.timeDueAgain(input.event)];
  }

  return {
    apply,
    state() {
      const { arrivals, ...bookState } = book.state();
      const plain = rules && { rules, matchingRules, referenceTicks: market.reference };
      return {
        symbol,
        listing: plain,
        ...day.state(),
        bandsOff: market.bandsOff,
        ...bookState,
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
        expiries: book.openExpiries(),
        waiting: day.closingOrders().map(row),
        left: [...book.rules.deferredEnds],
      };
    },
  };
}
