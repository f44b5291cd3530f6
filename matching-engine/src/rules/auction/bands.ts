import { BAND_TICKS_MIN, collarTicks, ticks } from '@brokerx/contracts';
import { type Engine, type Equilibrium, follows, lastPrice } from '../state.ts';
import { type Band, isOutside } from './band.ts';

/** The trade band of an input; null where there is none: the symbol has none, or an operator has switched bands off for it or for the account. */
export function bandOf(engine: Engine, exempt: boolean): Band | null {
  const { listing, bandsOff } = engine;
  const bandPpm = listing && listing.matchingRules >= 3 ? listing.rules.bandPpm : undefined;
  if (bandPpm === undefined || bandsOff) return null;
  // Frozen by an exempt order, too: what it triggers may not be.
  engine.band ??= bandAround(engine, bandPpm, 1);
  return exempt ? null : engine.band;
}

/** So many times the band, which reaches a tick to each side at least; by older rules it may reach nowhere. */
function bandAround(engine: Engine, ppm: number, times: number): Band {
  const around = ticks(lastPrice(engine));
  const least = follows(engine, 4) ? times * BAND_TICKS_MIN : 0;
  return {
    lowTicks: collarTicks(around, times * ppm, 'down', least),
    highTicks: collarTicks(around, times * ppm, 'up', least),
  };
}

/** A volatility auction whose price lies further than twice the band from the last one runs a second time. */
export function isExtended(engine: Engine, { priceTicks }: Equilibrium): boolean {
  const { listing, bandsOff } = engine;
  const bandPpm = listing?.rules.bandPpm;
  if (bandPpm === undefined || bandsOff || priceTicks === null) return false;
  return isOutside(bandAround(engine, bandPpm, 2), priceTicks);
}
