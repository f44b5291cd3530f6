import assert from 'node:assert/strict';
import { type Cents, cents, ORDER_SHARES_MAX, PRICE_CENTS_MAX } from './units.ts';

const MILLION = 1_000_000;

/** The fee on an order value, ceil(value × ppm / 1,000,000). Splitting off whole millions keeps each product exact. */
export function feeCents(value: Cents, feePpm: number): Cents {
  const millions = Math.floor(value / MILLION);
  const rest = value - millions * MILLION;
  return cents(millions * feePpm + Math.ceil((rest * feePpm) / MILLION));
}

/** 10 %. */
export const FEE_PPM_MAX = 100_000;
// The largest fee must be an exact integer.
assert(Number.isSafeInteger(((PRICE_CENTS_MAX * ORDER_SHARES_MAX) / MILLION) * FEE_PPM_MAX));
