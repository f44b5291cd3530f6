import { collarTicks, collarTicksLeast, decimalFromCents, type Side, ticks } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import type { Refusal } from '../refusal.ts';

/** What a symbol's rules say of a size and a price, for new and for changed orders alike. */
export type Asked = {
  side: Side;
  quantity: number;
  /** Undefined: the price is not on the tick grid. */
  limitTicks: number | undefined;
  /** As the client wrote it, for the detail; undefined for a price that is not the client's. */
  limitPrice: string | undefined;
  /** A sell of this many shares, or of so many lots less, leaves no odd rest. */
  freeShares: number;
};

/** The entry collar around the static reference. */
export const collarOf = (market: Market): { low: number; high: number } =>
  collarAround(market, market.referenceTicks);

/** As wide as the entry collar, around another price. */
export function collarAround(
  { rules, matchingRules }: Pick<Market, 'rules' | 'matchingRules'>,
  aroundTicks: number,
): { low: number; high: number } {
  const least = collarTicksLeast(rules, matchingRules);
  const end = (direction: 'down' | 'up') =>
    collarTicks(ticks(aroundTicks), rules.collarPpm, direction, least);
  return { low: end('down'), high: end('up') };
}

export const bandExempt = (account: Account, market: Market): boolean => account.bandsOff || market.bandsOff;

/** In the order of precedence of `contracts/refusals.ts`. */
export function againstRules(account: Account, market: Market, asked: Asked): Refusal | undefined {
  const { symbol, rules } = market;
  const { side, quantity, limitTicks, limitPrice, freeShares } = asked;
  const money = (inTicks: number) => decimalFromCents(inTicks * rules.tickCents);
  if (quantity > rules.orderSharesMax) {
    return {
      code: 'ORDER_SIZE',
      detail: `qty ${quantity}; ${symbol} allows ${rules.orderSharesMax} an order`,
    };
  }
  const lot = rules.lotShares ?? 1;
  const oddRest = side === 'sell' && quantity % lot === freeShares % lot;
  if (quantity % lot !== 0 && !oddRest) {
    return { code: 'LOT_STEP', detail: `qty ${quantity}; the lot size of ${symbol} is ${lot}` };
  }
  if (limitTicks === undefined) {
    return {
      code: 'PRICE_TICK',
      detail: `limit_price ${limitPrice}; the tick size of ${symbol} is ${money(1)}`,
    };
  }
  const { low, high } = collarOf(market);
  const banded = limitPrice !== undefined && !bandExempt(account, market);
  if (banded && (limitTicks < low || limitTicks > high)) {
    return {
      code: 'PRICE_BAND',
      detail: `limit_price ${limitPrice}; ${symbol} takes ${money(low)} to ${money(high)} (reference ${money(market.referenceTicks)})`,
    };
  }
  const value = limitTicks * rules.tickCents * quantity;
  const told = `${money(limitTicks)} × ${quantity} is ${decimalFromCents(value)}`;
  const { notionalMinCents: least, notionalMaxCents: most } = rules;
  if (least !== undefined && value < least && !(oddRest && quantity % lot !== 0)) {
    return { code: 'MIN_NOTIONAL', detail: `${told}; ${symbol} takes ${decimalFromCents(least)} at least` };
  }
  if (most !== undefined && value > most) {
    return { code: 'MAX_NOTIONAL', detail: `${told}; ${symbol} takes ${decimalFromCents(most)} at most` };
  }
  return undefined;
}

/** What the rules say of a market buy for an amount of money; its protection price is the dearest that it may meet. */
export function againstNotional(
  { symbol, rules }: Market,
  { notionalCents, limitTicks }: { notionalCents: number; limitTicks: number },
): Refusal | undefined {
  const { lotShares = 1, notionalMinCents: least = 0, notionalMaxCents: most = notionalCents } = rules;
  const lotCents = limitTicks * rules.tickCents * lotShares;
  const told = `notional ${decimalFromCents(notionalCents)}`;
  if (notionalCents < lotCents || lotShares > rules.orderSharesMax) {
    return {
      code: 'MIN_NOTIONAL',
      detail: `${told}; a lot of ${symbol} may cost ${decimalFromCents(lotCents)}`,
    };
  }
  if (notionalCents < least) {
    return { code: 'MIN_NOTIONAL', detail: `${told}; ${symbol} takes ${decimalFromCents(least)} at least` };
  }
  if (notionalCents > most) {
    return { code: 'MAX_NOTIONAL', detail: `${told}; ${symbol} takes ${decimalFromCents(most)} at most` };
  }
  return undefined;
}
