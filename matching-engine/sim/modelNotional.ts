import type { BookFact, EngineInput, ExpiryReason, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import type { ModelMarket } from './modelDay.ts';
import { affordable, type Money, NO_ICEBERG, type Order } from './modelOrder.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

const OUTSIDE_BAND = 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED';

/** The model's market buys for an amount of money. */
export function modelNotional({
  book,
  market,
  dynamicReference,
}: {
  book: ReturnType<typeof modelBook>;
  market: ModelMarket;
  dynamicReference: () => number;
}) {
  const { sweep, opposite } = book;
  const isGathering = () => market.state !== 'continuous';
  const moneyOf = (cents: number, rules: SymbolRules): Money => ({
    cents,
    sharesLeft: rules.orderSharesMax,
    lotShares: rules.lotShares ?? 1,
    bought: 0,
    sharesMax: Number.POSITIVE_INFINITY,
    isSpent: false,
  });
  function moneyRefusal(data: Placed, rules: SymbolRules): RefusalCode | null {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const money = moneyOf(cents, rules);
    if (price === 0 || tickCents !== rules.tickCents) return 'PRICE_TICK';
    if (affordable(money, price * tickCents) === 0) return 'MIN_NOTIONAL';
    if (rules.notionalMinCents && cents < rules.notionalMinCents) return 'MIN_NOTIONAL';
    if (rules.notionalMaxCents && cents > rules.notionalMaxCents) return 'MAX_NOTIONAL';
    const isPlain = data.quantity === 0 && data.selfTrade !== 'decrement' && !data.minQuantity;
    if (side === 'sell' || type !== 'market' || !isPlain) return 'ORDER_TYPE';
    if (timeInForce !== 'ioc') return 'TIME_IN_FORCE';
    return isGathering() ? 'NOT_IN_AUCTION' : null;
  }

  /**
   * Limits the money to whole lots: tries the sweep first, and rounds down what it would buy. Returns why the order would have
   * expired, or null if it would have spent its money.
   */
  function keepToLots(taker: Order, tickCents: number, money: Money): ExpiryReason | null {
    if (money.lotShares === 1) return null;
    const trialMoney = { ...money };
    const { facts, ended, outside, nextMaker } = book.trial(() => ({
      ...sweep({ ...taker }, tickCents, '', trialMoney),
      nextMaker: opposite(taker.side, taker.price)[0],
    }));
    const { traded, isTooFar } = book.tradedWithin(facts, Number.POSITIVE_INFINITY);
    if (isTooFar || traded % money.lotShares > 0) money.sharesMax = traded - (traded % money.lotShares);
    if (isTooFar) return 'EXECUTION_BOUND';
    if (trialMoney.isSpent) return null;
    if (outside) return OUTSIDE_BAND;
    return nextMaker && !ended ? null : 'INSUFFICIENT_LIQUIDITY';
  }

  /** Enters a market buy for an amount of money. */
  function buyForMoney(
    data: Placed,
    rules: SymbolRules,
    order: { orderId: string; accountId: string; revision: number },
    revision: number,
    time: string,
  ): BookFact[] {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const money = moneyOf(cents, rules);
    const { orderId: id, accountId, selfTrade = 'none' } = data;
    const terms = {
      day: false,
      postOnly: false,
      endsWithCall: false,
      unpriced: true,
      exempt: data.bandExempt,
      selfTrade,
      quantity: 0,
      done: 0,
      arrival: 0,
      ...NO_ICEBERG,
    };
    const before = dynamicReference();
    const taker: Order = { id, accountId, revision, side, price, ...terms };
    book.rules.outputCount += 1;
    const trialReason = keepToLots(taker, tickCents, money);
    const { facts, ended, outside, bounded } = sweep(taker, tickCents, time, money);
    const accepted = { order, side, type, timeInForce, quantity: 0, limitTicks: price, restingQuantity: 0 };
    const ends: BookFact[] = [];
    const nextMaker = opposite(side, price)[0];
    const leftCents = money.cents;
    if (!ended && !money.isSpent) {
      const rest = { order, side, priceTicks: price, quantity: 0, resting: false, leftCents };
      const sweepReason = outside ? OUTSIDE_BAND : nextMaker ? null : 'INSUFFICIENT_LIQUIDITY';
      const reason = bounded ? 'EXECUTION_BOUND' : money.sharesMax === 0 ? trialReason : sweepReason;
      if (reason) ends.push({ type: 'OrderExpired.v1', data: { ...rest, reason } });
      else ends.push({ type: 'OrderCompleted.v1', data: { order, side, leftCents } });
    }
    book.rules.outputCount += ends.length;
    return [
      { type: 'OrderAccepted.v1', data: { ...accepted, notionalCents: cents } },
      ...facts,
      ...ends,
      ...(outside ? book.rules.beginVolatilityAuction() : []),
      ...book.runTriggers(facts, before, time),
    ];
  }

  return { moneyRefusal, buyForMoney };
}
