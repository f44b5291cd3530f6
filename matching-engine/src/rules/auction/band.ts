/**
 * The trade band: the prices at which an input may trade, around the dynamic reference (the last trade, or the static
 * reference before the first). An input's first match fixes the band for all its trades. A match outside the band does not
 * happen: it starts a volatility auction.
 */
export type Band = { readonly lowTicks: number; readonly highTicks: number };

export const isOutside = (band: Band | null, priceTicks: number): boolean =>
  band !== null && (priceTicks < band.lowTicks || priceTicks > band.highTicks);
