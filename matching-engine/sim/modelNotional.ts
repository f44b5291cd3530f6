import type { BookFact, EngineInput, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import type { ModelMarket } from './modelDay.ts';
import { buys, type Money, type Order, WHOLE } from './modelOrder.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

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
  function wrongMoney(data: Placed, of: SymbolRules): RefusalCode | null {
    const { notionalCents: cents = 0, side, type, timeInForce, limitTicks: price, tickCents } = data;
    const money: Money = { cents, shares: of.orderSharesMax, lot: of.lotShares ?? 1, bought: 0, told: false };
    if (price === 0 || tickCents !== of.tickCents) return 'PRICE_TICK';
    if (buys(money, price * tickCents) === 0) return 'MIN_NOTIONAL';
    if (of.notionalMinCents && cents < of.notionalMinCents) return 'MIN_NOTIONAL';
    if (of.notionalMaxCents && cents > of.notionalMaxCents) return 'MAX_NOTIONAL';
    const plain = data.quantity === 0 && data.selfTrade !== 'decrement' && !data.minQuantity;
    if (side === 'sell' || type !== 'market' || !plain) return 'ORDER_TYPE';
    if (timeInForce !== 'ioc') return 'TIME_IN_FORCE';
    return gathers() ? 'NOT_IN_AUCTION' : null;
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
    const money: Money = { cents, shares: of.orderSharesMax, lot: of.lotShares ?? 1, bought: 0, told: false };
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
    const { facts, ended, outside, bounded } = sweep(taker, tickCents, time, money);
    const taken = { order, side, type, timeInForce, quantity: 0, limitTicks: price, restingQuantity: 0 };
    const ends: BookFact[] = [];
    const next = opposite(side, price)[0];
    const leftCents = money.cents;
    if (!ended && !money.told) {
      const gone = { order, side, priceTicks: price, quantity: 0, resting: false, leftCents };
      if (bounded) ends.push({ type: 'OrderExpired.v1', data: { ...gone, reason: 'EXECUTION_BOUND' } });
      else if (outside)
        ends.push({
          type: 'OrderExpired.v1',
          data: { ...gone, reason: 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED' },
        });
      else if (next) ends.push({ type: 'OrderCompleted.v1', data: { order, side, leftCents } });
      else ends.push({ type: 'OrderExpired.v1', data: { ...gone, reason: 'INSUFFICIENT_LIQUIDITY' } });
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
