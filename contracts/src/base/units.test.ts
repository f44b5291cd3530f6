import fc from 'fast-check';
import { expect, test } from 'vitest';
import { feeCents } from './fee.ts';
import {
  type Cents,
  centsFromDecimal,
  collarTicks,
  decimalFromCents,
  priceCents,
  sharesFromDecimal,
  ticks,
  ticksOf,
} from './units.ts';

test.for([
  ['0', 0],
  ['12', 1200],
  ['12.5', 1250],
  ['12.05', 1205],
  ['0.01', 1],
  ['100000.00', 10_000_000],
] as const)('%s dollars are %i cents', ([text, value]) => {
  expect(centsFromDecimal(text)).toBe(value);
});

test.for(['', '-1', '+1', '1.', '.5', '1.005', '01', '1e3', '1,000', ' 1', 'NaN', '99999999999999'])(
  '%j is no amount of money',
  (text) => {
    expect(centsFromDecimal(text)).toBeUndefined();
  },
);

test.for(['', '-1', '1.0', '01', '1e3', ' 1'])('%j is no number of shares', (text) => {
  expect(sharesFromDecimal(text)).toBeUndefined();
});

test('every amount survives the way to the wire and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), (value) => {
      expect(centsFromDecimal(decimalFromCents(value))).toBe(value);
    }),
  );
});

test('a fee is the exact ceiling of rate times value', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10_000_000_000_000 }),
      fc.integer({ min: 0, max: 100_000 }),
      (value, ppm) => {
        const exact = (BigInt(value) * BigInt(ppm) + 999_999n) / 1_000_000n;
        expect(BigInt(feeCents(value as Cents, ppm))).toBe(exact);
      },
    ),
  );
});

test('a price off the tick grid has no ticks', () => {
  expect(ticksOf(centsFromDecimal('10.05') as Cents, 5)).toBe(201);
  expect(ticksOf(centsFromDecimal('10.03') as Cents, 5)).toBeUndefined();
  expect(priceCents(ticks(201), 5)).toBe(1005);
});

test('a collar rounds towards the reference and never reaches zero', () => {
  expect(collarTicks(ticks(3005), 100_000, 'up')).toBe(3305);
  expect(collarTicks(ticks(3005), 100_000, 'down')).toBe(2705);
  expect(collarTicks(ticks(1), 900_000, 'down')).toBe(1);
});
