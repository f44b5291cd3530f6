/**
 * How far from the dynamic reference (the last trade, else the static one) a trade may happen. It is frozen when an input
 * first matches, for everything that comes of that input. The first match outside does not happen: it starts a volatility
 * auction.
 */
export type Band = { readonly lowTicks: number; readonly highTicks: number };

export const isOutside = (band: Band | null, priceTicks: number): boolean =>
  band !== null && (priceTicks < band.lowTicks || priceTicks > band.highTicks);
