import assert from 'node:assert/strict';

/**
 * Money, prices and quantities. In code they are safe integers in a named unit; on the wire they are decimal strings.
 * A tick is a symbol's smallest price step: a whole number of cents (`tickCents`), fixed when the symbol is listed.
 */
declare const unit: unique symbol;
export type Cents = number & { readonly [unit]: 'cents' };
export type Ticks = number & { readonly [unit]: 'ticks' };
export type Shares = number & { readonly [unit]: 'shares' };

/** $100,000.00 a share. */
export const PRICE_CENTS_MAX = 10_000_000;
export const ORDER_SHARES_MAX = 1_000_000;
/** $100 billion. No account, hold or clearing balance may exceed it, so that sums of them stay exact integers. */
export const CASH_CENTS_MAX = 10_000_000_000_000;
export const HOLDING_SHARES_MAX = 1_000_000_000_000;
/** Fees, collars and bands are parts per million (ppm): 100,000 ppm are 10 %. */
const MILLION = 1_000_000;
// The largest order value (price × shares) must be an exact integer.
assert(Number.isSafeInteger(PRICE_CENTS_MAX * ORDER_SHARES_MAX));

export function cents(value: number): Cents {
  if (!Number.isSafeInteger(value)) assert.fail(`cents must be a safe integer, not ${value}`);
  return value as Cents;
}
export function ticks(value: number): Ticks {
  if (!Number.isSafeInteger(value) || value < 0) assert.fail(`ticks must be a whole number, not ${value}`);
  return value as Ticks;
}
export function shares(value: number): Shares {
  if (!Number.isSafeInteger(value)) assert.fail(`shares must be a safe integer, not ${value}`);
  return value as Shares;
}

export const priceCents = (price: Ticks, tickCents: number): Cents => cents(price * tickCents);
/** The price in ticks; undefined when it is not a multiple of the tick. */
export const ticksOf = (price: Cents, tickCents: number): Ticks | undefined =>
  price % tickCents === 0 ? ticks(price / tickCents) : undefined;
export const valueCents = (price: Ticks, tickCents: number, quantity: Shares): Cents =>
  cents(price * tickCents * quantity);

/**
 * One end of a collar: the reference price moved up or down by `ppm`, rounded to a tick towards the reference. The
 * move is at least `leastTicks`, and a price is at least one tick.
 */
export function collarTicks(reference: Ticks, ppm: number, direction: 'up' | 'down', leastTicks = 0): Ticks {
  const step = Math.max(leastTicks, Math.floor((reference * ppm) / MILLION));
  return ticks(direction === 'up' ? reference + step : Math.max(1, reference - step));
}

const MONEY = /^(0|[1-9]\d{0,12})(?:\.(\d{1,2}))?$/;
const WHOLE = /^(0|[1-9]\d{0,12})$/;

/** `"12.5"` → 1250; undefined when it is not a non-negative amount of at most two decimals. */
export function centsFromDecimal(text: string): Cents | undefined {
  const match = MONEY.exec(text);
  if (!match) return undefined;
  return cents(Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')));
}
/** 1250 → `"12.50"`. */
export function decimalFromCents(value: number): string {
  const absolute = Math.abs(value);
  const whole = Math.floor(absolute / 100);
  return `${value < 0 ? '-' : ''}${whole}.${String(absolute - whole * 100).padStart(2, '0')}`;
}
/**
 * Average price of a share, rounded half up to a hundredth of a cent and written with 2 to 4 decimals. Null when
 * nothing was traded. Example: 30001 cents for 2 shares → `"150.005"`.
 */
export function averagePriceDecimal(value: number, quantity: number): string | null {
  if (quantity === 0) return null;
  const hundredths = Math.round((value * 100) / quantity);
  const fraction = hundredths % 100;
  const tail = fraction === 0 ? '' : String(fraction).padStart(2, '0').replace(/0$/, '');
  return `${decimalFromCents(Math.floor(hundredths / 100))}${tail}`;
}
/** 12,500 parts per million → `"1.25"`. */
export const percentFromPpm = (ppm: number): string => String(ppm / 10_000);
/** `"100"` → 100; undefined when it is not a whole non-negative number. */
export function sharesFromDecimal(text: string): Shares | undefined {
  return WHOLE.test(text) ? shares(Number(text)) : undefined;
}
