import { expect, test } from 'vitest';
import { referencePrice } from './referencePrice.ts';
import type { SymbolView } from './symbols.ts';

const symbol = (change: Partial<SymbolView> = {}) =>
  ({
    symbol: 'XEQT',
    tick_size: '0.05',
    reference_price: '30.00',
    collar_ppm: 100_000,
    band_ppm: 20_000,
    bands_off: false,
    ...change,
  }) as SymbolView;

test('limits are measured by the static reference, trades by the last one', () => {
  expect(referencePrice(symbol(), 3_100)).toEqual({
    symbol: 'XEQT',
    static_price: '30.00',
    dynamic_price: '31.00',
    limit_price_min: '27.00',
    limit_price_max: '33.00',
    trade_price_min: '30.40',
    trade_price_max: '31.60',
  });
});

test('before the first trade both are measured by the static reference', () => {
  expect(referencePrice(symbol(), null)).toMatchObject({
    dynamic_price: '30.00',
    trade_price_min: '29.40',
    trade_price_max: '30.60',
  });
});

test.for([{ bands_off: true }, { band_ppm: null }])(
  'without a band no price starts an auction: %o',
  (change) => {
    expect(referencePrice(symbol(change), null)).toMatchObject({
      trade_price_min: null,
      trade_price_max: null,
    });
  },
);
