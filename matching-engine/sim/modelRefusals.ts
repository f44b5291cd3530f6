import type { EngineInput, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import { entryRefusal, type ModelMarket } from './modelDay.ts';
import { firstStop, isReached } from './modelStops.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** Why the model refuses new orders and amendments. */
export function modelRefusals({
  book,
  market,
  symbol,
  moneyRefusal,
}: {
  book: ReturnType<typeof modelBook>;
  market: ModelMarket;
  symbol: () => { rules: SymbolRules | null; matchingRules: number };
  moneyRefusal: (data: Placed, rules: SymbolRules) => RefusalCode | null;
}) {
  const { opposite } = book;
  const isGathering = () => market.state !== 'continuous';
  const dynamicReference = () => book.state().lastTicks || market.reference;
  const isOutsideCollar = (price: number, collarPpm: number) => {
    const { rules, matchingRules } = symbol();
    const ticksMin = matchingRules < 4 ? 0 : (rules?.collarTicksMin ?? 1);
    const distanceTicks = Math.max(ticksMin, Math.floor((market.reference * collarPpm) / 1_000_000));
    return price < Math.max(1, market.reference - distanceTicks) || price > market.reference + distanceTicks;
  };
  const valueRefusal = (rules: SymbolRules, side: 'buy' | 'sell', value: number): RefusalCode | null => {
    if (side === 'buy' && rules.notionalMinCents && value < rules.notionalMinCents) return 'MIN_NOTIONAL';
    return rules.notionalMaxCents && value > rules.notionalMaxCents ? 'MAX_NOTIONAL' : null;
  };

  function refusal(data: Placed): RefusalCode | null {
    const { rules, matchingRules } = symbol();
    const { side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    if (!rules) return 'UNKNOWN_SYMBOL';
    if (market.state === 'halt') return 'SYMBOL_HALTED';
    if (market.state === 'closed') return 'MARKET_CLOSED';
    const isForAuction = timeInForce === 'opg' || timeInForce === 'cls';
    if (isForAuction && matchingRules < 3) return 'MATCHING_RULES';
    const rules2Fields = ['postOnly', 'minQuantity', 'selfTrade', 'expiresAt', 'stopTicks'];
    const needsRules2 = rules2Fields.some((name) => name in data);
    if (matchingRules === 1 && needsRules2) return 'MATCHING_RULES';
    if (matchingRules < 3 && (data.displayQuantity || data.notionalCents)) return 'MATCHING_RULES';
    if (data.notionalCents) return moneyRefusal(data, rules);
    if (quantity === 0 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
    if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return 'LOT_STEP';
    if (limitTicks === 0 || tickCents !== rules.tickCents) return 'PRICE_TICK';
    const hasLimit = type === 'limit' || type === 'stop_limit';
    if (hasLimit && !data.bandExempt && !market.bandsOff && isOutsideCollar(limitTicks, rules.collarPpm)) {
      return 'PRICE_BAND';
    }
    const valueCode = valueRefusal(rules, side, limitTicks * tickCents * quantity);
    if (valueCode) return valueCode;
    const entryCode = matchingRules < 3 ? null : entryRefusal(data, market.state);
    if (entryCode) return entryCode;
    if (data.expiresAt && data.expiresAt <= book.state().time) return 'EXPIRES_AT';
    if (data.displayQuantity) {
      if (type !== 'limit') return 'ORDER_TYPE';
      if (!['day', 'gtc', 'gtd'].includes(timeInForce)) return 'TIME_IN_FORCE';
      if (data.displayQuantity >= quantity) return 'ORDER_SIZE';
      if (data.displayQuantity % (rules.lotShares ?? 1) > 0) return 'LOT_STEP';
      if (quantity / data.displayQuantity > 100) return 'ICEBERG_PEAKS';
    }
    if (type !== 'limit' && type !== 'market') {
      if (timeInForce === 'ioc' || timeInForce === 'fok') return 'TIME_IN_FORCE';
      const stop = firstStop(data, isGathering() ? null : dynamicReference());
      if (stop < 1) return 'PRICE_TICK';
      if (!isGathering() && isReached(side, stop, dynamicReference())) return 'WOULD_TRIGGER_IMMEDIATELY';
    }
    if (data.postOnly && !isGathering() && opposite(side, limitTicks).length > 0) return 'WOULD_TAKE';
    return null;
  }

  function changeRefusal(
    rules: SymbolRules,
    { quantity, bandExempt }: { quantity: number; bandExempt?: boolean | undefined },
    side: 'buy' | 'sell',
    price: number,
    isMoved: boolean,
  ): RefusalCode | null {
    if (quantity === 0 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
    if (side === 'buy' && quantity % (rules.lotShares ?? 1) > 0) return 'LOT_STEP';
    if (price === 0) return 'PRICE_TICK';
    if (isMoved && !bandExempt && !market.bandsOff && isOutsideCollar(price, rules.collarPpm))
      return 'PRICE_BAND';
    return valueRefusal(rules, side, price * rules.tickCents * quantity);
  }

  return { refusal, changeRefusal };
}
