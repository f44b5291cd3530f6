import { BAND_TICKS_MIN, collarTicks, ticks } from '@brokerx/contracts';
import { type Engine, type Equilibrium, follows, lastPrice } from '../state.ts';
import { type Band, isOutside } from './band.ts';

/** The trade band for an order; null when the symbol has none, or an operator switched bands off for it or the account. */
export function bandOf(engine: Engine, exempt: boolean): Band | null {
  const { listing, bandsOff } = engine;
  const bandPpm = listing && listing.matchingRules >= 3 ? listing.rules.bandPpm : undefined;
  if (bandPpm === undefined || bandsOff) return null;
  // An exempt order fixes the band, too, because stops that it triggers may not be exempt.
  engine.band ??= bandAround(engine, bandPpm, 1);
  return exempt ? null : engine.band;
}

/** The band, or a multiple of it. It reaches at least one tick to each side; before version 4 it may be a single price. */
function bandAround(engine: Engine, ppm: number, times: number): Band {
  const referenceTicks = ticks(lastPrice(engine));
  const distanceTicksMin = follows(engine, 4) ? times * BAND_TICKS_MIN : 0;
  return {
    lowTicks: collarTicks(referenceTicks, times * ppm, 'down', distanceTicksMin),
    highTicks: collarTicks(referenceTicks, times * ppm, 'up', distanceTicksMin),
  };
}

/** Whether a volatility auction must be extended: its price is more than twice the band away from the last trade. */
export function needsExtension(engine: Engine, { priceTicks }: Equilibrium): boolean {
  const { listing, bandsOff } = engine;
  const bandPpm = listing?.rules.bandPpm;
  if (bandPpm === undefined || bandsOff || priceTicks === null) return false;
  return isOutside(bandAround(engine, bandPpm, 2), priceTicks);
}
