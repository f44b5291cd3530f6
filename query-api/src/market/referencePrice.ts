import {
  centsFromDecimal,
  collarTicks,
  collarTicksLeast,
  decimalFromCents,
  ticks,
  type views,
} from '@brokerx/contracts';
import type { SymbolView } from './symbols.ts';

/** A symbol's reference prices and the bounds around them; `lastCents` is the price of the last trade, null before any. */
export function referencePrice(symbol: SymbolView, lastCents: number | null): views.ReferencePriceView {
  const staticCents = centsFromDecimal(symbol.reference_price) ?? 0;
  const tickCents = centsFromDecimal(symbol.tick_size) ?? 1;
  const inTicks = (cents: number) => ticks(Math.round(cents / tickCents));
  const around = (cents: number, ppm: number, direction: 'up' | 'down', least = 0) =>
    decimalFromCents(collarTicks(inTicks(cents), ppm, direction, least) * tickCents);
  const least = collarTicksLeast({ collarTicksMin: symbol.collar_ticks_min }, symbol.matching_rules);
  const dynamicCents = lastCents ?? staticCents;
  const { collar_ppm: collar, band_ppm } = symbol;
  const band = symbol.bands_off ? null : band_ppm;
  return {
    symbol: symbol.symbol,
    static_price: symbol.reference_price,
    dynamic_price: decimalFromCents(dynamicCents),
    limit_price_min: around(staticCents, collar, 'down', least),
    limit_price_max: around(staticCents, collar, 'up', least),
    trade_price_min: band === null ? null : around(dynamicCents, band, 'down'),
    trade_price_max: band === null ? null : around(dynamicCents, band, 'up'),
  };
}
