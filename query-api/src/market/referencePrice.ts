import { centsFromDecimal, collarTicks, decimalFromCents, ticks, type views } from '@brokerx/contracts';
import type { SymbolView } from './symbols.ts';

/** What prices are measured by: the symbol as it is read, and the last trade (null: none yet). */
export function referencePrice(symbol: SymbolView, lastCents: number | null): views.ReferencePriceView {
  const staticCents = centsFromDecimal(symbol.reference_price) ?? 0;
  const tickCents = centsFromDecimal(symbol.tick_size) ?? 1;
  const reference = ticks(Math.round(staticCents / tickCents));
  const limit = (direction: 'up' | 'down') =>
    decimalFromCents(collarTicks(reference, symbol.collar_ppm, direction) * tickCents);
  return {
    symbol: symbol.symbol,
    static_price: symbol.reference_price,
    dynamic_price: lastCents === null ? symbol.reference_price : decimalFromCents(lastCents),
    limit_price_min: limit('down'),
    limit_price_max: limit('up'),
  };
}
