import { decimalFromCents, ICEBERG_PEAKS_MAX, type Side } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import { bandExempt, collarOf } from './collar.ts';

/** The guards of sizes and prices: what a symbol's rules say of a new order, and of an open one after its change. */
export type CheckedOrder = {
  account: Account;
  market: Market;
  side: Side;
  /** 0 for an order for an amount of money. */
  quantity: number;
  /** The limit or the protection price; undefined: a price is off the tick grid. */
  limitTicks: number | undefined;
  /** The limit as the client wrote it in this request, for the detail; undefined: the request sets none. */
  limitPrice: string | undefined;
  /** The price off the tick grid, by its field. */
  offGrid: [field: string, price: string] | undefined;
  stopTicks: number | undefined;
  /** A sell of this many shares, or of so many whole lots less, leaves no odd rest. */
  freeShares: number;
  displayQuantity: number | undefined;
  /** The amount of money that a market buy is for; undefined: the order is for a quantity. */
  notionalCents: number | undefined;
};

export const orderSizeRefusal = ({ market: { symbol, rules }, quantity }: CheckedOrder) =>
  quantity > rules.orderSharesMax
    ? `qty ${quantity}; ${symbol} allows ${rules.orderSharesMax} an order`
    : undefined;

export function lotStepRefusal(order: CheckedOrder): string | undefined {
  const { market, quantity, displayQuantity = 0 } = order;
  const lot = lotOf(market);
  const ending = `the lot size of ${market.symbol} is ${lot}`;
  if (quantity % lot !== 0 && !sellsOddRest(order)) return `qty ${quantity}; ${ending}`;
  return displayQuantity % lot === 0 ? undefined : `display_qty ${displayQuantity}; ${ending}`;
}

export function priceTickRefusal({ market, offGrid, stopTicks }: CheckedOrder): string | undefined {
  if (offGrid) {
    const [field, price] = offGrid;
    return `${field} ${price}; the tick size of ${market.symbol} is ${money(market, 1)}`;
  }
  return stopTicks !== undefined && stopTicks < 1 ? 'the stop price would be below one tick' : undefined;
}

export function priceBandRefusal({
  account,
  market,
  limitTicks,
  limitPrice,
}: CheckedOrder): string | undefined {
  if (limitPrice === undefined || limitTicks === undefined || bandExempt(account, market)) return undefined;
  const { low, high } = collarOf(market);
  if (limitTicks >= low && limitTicks <= high) return undefined;
  const reference = money(market, market.referenceTicks);
  return `limit_price ${limitPrice}; ${market.symbol} takes ${money(market, low)} to ${money(market, high)} (reference ${reference})`;
}

export function minNotionalRefusal(order: CheckedOrder): string | undefined {
  const { market, limitTicks, notionalCents } = order;
  const { symbol, rules } = market;
  if (limitTicks === undefined) return undefined;
  const { notionalMinCents: least = 0 } = rules;
  // The protection price is the dearest that the order may meet: the amount must buy a lot there.
  const lotCents = limitTicks * rules.tickCents * lotOf(market);
  if (notionalCents !== undefined && (notionalCents < lotCents || lotOf(market) > rules.orderSharesMax)) {
    return `notional ${decimalFromCents(notionalCents)}; a lot of ${symbol} may cost ${decimalFromCents(lotCents)}`;
  }
  const { valueCents, text } = valueOf(order, limitTicks);
  if (valueCents >= least || sellsOddRest(order)) return undefined;
  return `${text}; ${symbol} takes ${decimalFromCents(least)} at least`;
}

export function maxNotionalRefusal(order: CheckedOrder): string | undefined {
  const { market, limitTicks } = order;
  const { notionalMaxCents: most } = market.rules;
  if (limitTicks === undefined || most === undefined) return undefined;
  const { valueCents, text } = valueOf(order, limitTicks);
  return valueCents > most ? `${text}; ${market.symbol} takes ${decimalFromCents(most)} at most` : undefined;
}

export const icebergPeaksRefusal = ({ quantity, displayQuantity }: CheckedOrder) =>
  displayQuantity !== undefined && quantity > ICEBERG_PEAKS_MAX * displayQuantity
    ? `qty ${quantity}; at most ${ICEBERG_PEAKS_MAX} times display_qty ${displayQuantity}`
    : undefined;

const lotOf = ({ rules }: Market): number => rules.lotShares ?? 1;

/** Whether a sell takes the odd rest along that is left of whole lots: the rest may be sold, whatever it is worth. */
function sellsOddRest({ market, side, quantity, freeShares }: CheckedOrder): boolean {
  const odd = quantity % lotOf(market);
  return side === 'sell' && odd !== 0 && odd === freeShares % lotOf(market);
}

const money = ({ rules }: Market, inTicks: number): string => decimalFromCents(inTicks * rules.tickCents);

function valueOf({ market, quantity, notionalCents }: CheckedOrder, limitTicks: number) {
  if (notionalCents !== undefined) {
    return { valueCents: notionalCents, text: `notional ${decimalFromCents(notionalCents)}` };
  }
  const valueCents = limitTicks * market.rules.tickCents * quantity;
  const text = `${money(market, limitTicks)} × ${quantity} is ${decimalFromCents(valueCents)}`;
  return { valueCents, text };
}
