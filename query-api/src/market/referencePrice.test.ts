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
    collar_ticks_min: 1,
    matching_rules: 4,
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

test.for([
  [3, 1, '0.45', '0.45'],
  [4, 1, '0.40', '0.50'],
  [4, 2, '0.35', '0.55'],
] as const)('by version %i the collar reaches %i ticks at least: %s to %s', ([version, least, low, high]) => {
  const cheap = symbol({ reference_price: '0.45', matching_rules: version, collar_ticks_min: least });
  expect(referencePrice(cheap, null)).toMatchObject({ limit_price_min: low, limit_price_max: high });
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
