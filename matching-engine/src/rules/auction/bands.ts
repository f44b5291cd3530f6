import { collarTicks, ticks } from '@brokerx/contracts';
import { type Engine, lastPrice } from '../state.ts';
import type { Equilibrium } from './uncross.ts';

/**
 * The trade band: how far from the dynamic reference (the last trade, else the static one) a trade may happen. It is
 * frozen when an input first matches, for everything that comes of that input. The first match outside does not
 * happen: it starts a volatility auction.
 */
export type Band = { readonly lowTicks: number; readonly highTicks: number };

/** Null where there is none: the symbol has none, or an operator has switched bands off for it or for the account. */
export function bandOf(engine: Engine, exempt: boolean): Band | null {
  const { listing, bandsOff } = engine;
  const bandPpm = listing && listing.matchingRules >= 3 ? listing.rules.bandPpm : undefined;
  if (bandPpm === undefined || bandsOff) return null;
  // Frozen by an exempt order, too: what it triggers may not be.
  engine.band ??= bandAround(lastPrice(engine), bandPpm);
  return exempt ? null : engine.band;
}

const bandAround = (referenceTicks: number, ppm: number): Band => ({
  lowTicks: collarTicks(ticks(referenceTicks), ppm, 'down'),
  highTicks: collarTicks(ticks(referenceTicks), ppm, 'up'),
});

export const isOutside = (band: Band | null, priceTicks: number): boolean =>
  band !== null && (priceTicks < band.lowTicks || priceTicks > band.highTicks);

/** A volatility auction whose price lies further than twice the band from the last one runs a second time. */
export function isExtended(engine: Engine, { priceTicks }: Equilibrium): boolean {
  const { listing, bandsOff } = engine;
  const bandPpm = listing?.rules.bandPpm;
  if (bandPpm === undefined || bandsOff || priceTicks === null) return false;
  return isOutside(bandAround(lastPrice(engine), 2 * bandPpm), priceTicks);
}
