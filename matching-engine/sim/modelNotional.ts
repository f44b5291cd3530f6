import type { BookFact, EngineInput, ExpiryReason, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import type { ModelMarket } from './modelDay.ts';
import { buys, type Money, type Order, WHOLE } from './modelOrder.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

const BEYOND = 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED';

/** Market buys for an amount of money once more. */
export function modelNotional({
  book,
  market,
  dynamic,
}: {
  book: ReturnType<typeof modelBook>;
  market: ModelMarket;
  dynamic: () => number;
}) {
  const { sweep, opposite } = book;
  const gathers = () => market.state !== 'continuous';
  const moneyOf = (cents: number, of: SymbolRules): Money => ({
    cents,
    shares: of.orderSharesMax,
    lot: of.lotShares ?? 1,
    bought: 0,
    most: Number.POSITIVE_INFINITY,
    told: false,
  });
  function wrongMoney(data: Placed, of: SymbolRules): RefusalCode | null {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const money = moneyOf(cents, of);
    if (price === 0 || tickCents !== of.tickCents) return 'PRICE_TICK';
    if (buys(money, price * tickCents) === 0) return 'MIN_NOTIONAL';
    if (of.notionalMinCents && cents < of.notionalMinCents) return 'MIN_NOTIONAL';
    if (of.notionalMaxCents && cents > of.notionalMaxCents) return 'MAX_NOTIONAL';
    const plain = data.quantity === 0 && data.selfTrade !== 'decrement' && !data.minQuantity;
    if (side === 'sell' || type !== 'market' || !plain) return 'ORDER_TYPE';
    if (timeInForce !== 'ioc') return 'TIME_IN_FORCE';
    return gathers() ? 'NOT_IN_AUCTION' : null;
  }

  /**
   * What the sweep would buy is tried before: where that is no lots, it buys only what is. Says why it would have ended;
   * null: with its money spent.
   */
  function keepToLots(taker: Order, tickCents: number, money: Money): ExpiryReason | null {
    if (money.lot === 1) return null;
    const tried = { ...money };
    const { facts, ended, outside, next } = book.trial(() => ({
      ...sweep({ ...taker }, tickCents, '', tried),
      next: opposite(taker.side, taker.price)[0],
    }));
    const { traded, isTooFar } = book.tradedIn(facts, Number.POSITIVE_INFINITY);
    if (isTooFar || traded % money.lot > 0) money.most = traded - (traded % money.lot);
    if (isTooFar) return 'EXECUTION_BOUND';
    if (tried.told) return null;
    if (outside) return BEYOND;
    return next && !ended ? null : 'INSUFFICIENT_LIQUIDITY';
  }

  /** A market buy for an amount of money. */
  function buyFor(
    data: Placed,
    of: SymbolRules,
    order: { orderId: string; accountId: string; revision: number },
    revision: number,
    time: string,
  ): BookFact[] {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const money = moneyOf(cents, of);
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
      ...WHOLE,
    };
    const before = dynamic();
    const taker: Order = { id, accountId, revision, side, price, ...terms };
    book.rules.told += 1;
    const wouldEnd = keepToLots(taker, tickCents, money);
    const { facts, ended, outside, bounded } = sweep(taker, tickCents, time, money);
    const taken = { order, side, type, timeInForce, quantity: 0, limitTicks: price, restingQuantity: 0 };
    const ends: BookFact[] = [];
    const next = opposite(side, price)[0];
    const leftCents = money.cents;
    if (!ended && !money.told) {
      const gone = { order, side, priceTicks: price, quantity: 0, resting: false, leftCents };
      const natural = outside ? BEYOND : next ? null : 'INSUFFICIENT_LIQUIDITY';
      const reason = bounded ? 'EXECUTION_BOUND' : money.most === 0 ? wouldEnd : natural;
      if (reason) ends.push({ type: 'OrderExpired.v1', data: { ...gone, reason } });
      else ends.push({ type: 'OrderCompleted.v1', data: { order, side, leftCents } });
    }
    book.rules.told += ends.length;
    return [
      { type: 'OrderAccepted.v1', data: { ...taken, notionalCents: cents } },
      ...facts,
      ...ends,
      ...(outside ? book.rules.interrupt() : []),
      ...book.cascade(facts, before, time),
    ];
  }

  return { wrongMoney, buyFor };
}
