/**
 * The trade band: how far from the dynamic reference (the last trade, else the static reference) a trade may happen. An
 * input's first match fixes the band for all its trades. The first match outside the band does not happen: it starts a
 * volatility auction.
 */
export type Band = { readonly lowTicks: number; readonly highTicks: number };

export const isOutside = (band: Band | null, priceTicks: number): boolean =>
  band !== null && (priceTicks < band.lowTicks || priceTicks > band.highTicks);
