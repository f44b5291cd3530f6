import {
  BAND_TICKS_MIN,
  centsFromDecimal,
  collarTicks,
  hasLimit,
  type OrderTerms,
  type PlaceOrder,
  type Side,
  sharesFromDecimal,
  ticks,
  timeOf,
} from '@brokerx/contracts';
import { worstCaseCents } from '../account/openOrder.ts';
import type { Market } from '../market/market.ts';
import { raise } from '../refusal.ts';
import { collarAround, collarOf } from './collar.ts';

/** An order's prices and terms in the market's own units, and the most that a buy may cost. */
export type Priced = {
  /** The limit or the protection price; undefined: a price is not on the tick grid. */
  limitTicks: number | undefined;
  worstCaseCents: number;
  terms: OrderTerms;
  /** The price that is not on the grid, by its field. */
  offGrid: [field: string, price: string] | undefined;
};

const PPM_PER_PERCENT = 10_000;

/** The price of the last trade, else the reference: what stops are measured against. */
export const lastPrice = ({ lastTradeTicks, referenceTicks }: Market): number =>
  lastTradeTicks ?? referenceTicks;

/** The trade band around the last price, in cents; null where the symbol has none, or bands are switched off for it. */
export function bandOf(market: Market): { low: number; high: number } | null {
  const { rules, bandsOff, matchingRules } = market;
  if (rules.bandPpm === undefined || bandsOff || matchingRules < 3) return null;
  const around = ticks(lastPrice(market));
  const at = (direction: 'up' | 'down') =>
    collarTicks(around, rules.bandPpm ?? 0, direction, matchingRules < 4 ? 0 : BAND_TICKS_MIN) *
    rules.tickCents;
  return { low: at('down'), high: at('up') };
}

export function price(market: Market, order: PlaceOrder): Priced {
  const { tickCents, feePpm } = market.rules;
  const fields = ['limit_price', 'stop_price', 'trail_price'] as const;
  const inTicks = (text: string | undefined) =>
    text === undefined
      ? undefined
      : (centsFromDecimal(text) ?? raise('prices are checked for form before')) / tickCents;
  const fieldOffGrid = fields.find((field) => !Number.isInteger(inTicks(order[field]) ?? 0));
  const terms = termsOf(order);
  if (fieldOffGrid) {
    const offGrid: Priced['offGrid'] = [fieldOffGrid, order[fieldOffGrid] ?? ''];
    return { limitTicks: undefined, worstCaseCents: 0, terms, offGrid };
  }
  const trailTicks = inTicks(order.trail_price);
  const trailPpm =
    order.trail_percent === undefined ? undefined : Math.round(Number(order.trail_percent) * PPM_PER_PERCENT);
  const stopTicks =
    order.type === 'trailing_stop'
      ? firstStop(order.side, lastPrice(market), { trailTicks, trailPpm })
      : inTicks(order.stop_price);
  const limitTicks = hasLimit(order.type)
    ? (inTicks(order.limit_price) ?? raise('a limit is checked for before'))
    : protection(market, order.side, stopTicks);
  const quantity = quantityOf(order.qty);
  const notionalCents = centsOf(order.notional);
  const unfilled = {
    filledQuantity: 0,
    preventedQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    amendPending: null,
  };
  return {
    limitTicks,
    worstCaseCents: worstCaseCents({ limitTicks, tickCents, quantity, feePpm, notionalCents, ...unfilled }),
    terms: {
      ...terms,
      ...(stopTicks === undefined ? {} : { stopTicks }),
      ...(trailTicks === undefined ? {} : { trailTicks }),
      ...(trailPpm === undefined ? {} : { trailPpm }),
    },
    offGrid: undefined,
  };
}

/** The optional terms that the order has, prices aside. */
export const termsOf = (order: PlaceOrder): OrderTerms => ({
  ...olderTerms(order),
  ...newerTerms(order),
});

/** The terms that need version 3 of the matching rules. */
export const newerTerms = ({ display_qty, notional }: PlaceOrder): OrderTerms => ({
  ...(display_qty === undefined ? {} : { displayQuantity: quantityOf(display_qty) }),
  ...(notional === undefined ? {} : { notionalCents: centsOf(notional) ?? 0 }),
});

const olderTerms = ({ post_only, min_qty, stp_mode, expires_at }: PlaceOrder): OrderTerms => ({
  ...(post_only ? { postOnly: true } : {}),
  ...(min_qty === undefined ? {} : { minQuantity: quantityOf(min_qty) }),
  ...(stp_mode === undefined || stp_mode === 'none' ? {} : { selfTrade: stp_mode }),
  ...(expires_at === undefined ? {} : { expiresAt: timeOf(Date.parse(expires_at)) }),
});

/** The protection price, fixed at placing: a market order's from the static reference, a stop's from its stop price. */
function protection(market: Market, side: Side, stopTicks: number | undefined): number {
  const { low, high } =
    stopTicks === undefined ? collarOf(market) : collarAround(market, Math.max(0, stopTicks));
  return side === 'buy' ? high : low;
}

/** The first stop price of a trailing stop: its distance from the last price, rounded down for sells, up for buys. */
function firstStop(
  side: Side,
  last: number,
  { trailTicks, trailPpm }: { trailTicks: number | undefined; trailPpm: number | undefined },
): number {
  const distance = trailTicks ?? (last * (trailPpm ?? 0)) / 1_000_000;
  return side === 'buy' ? Math.ceil(last + distance) : Math.floor(last - distance);
}

/** 0 for an order for an amount of money. */
export const quantityOf = (qty: string | undefined): number =>
  qty === undefined ? 0 : (sharesFromDecimal(qty) ?? raise('quantities are checked for form before'));
export const centsOf = (text: string | undefined): number | null =>
  text === undefined ? null : (centsFromDecimal(text) ?? raise('prices are checked for form before'));
