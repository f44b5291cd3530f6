import type { Random } from '../random.ts';

/**
 * Computes the quotes of a market maker: a ladder of bids and asks around a mid price. Pure: the next mid and the wanted
 * quotes follow from the seed, whatever the market does.
 */
export type Quote = { side: 'buy' | 'sell'; priceCents: number; shares: number };
export type Standing = Quote & { id: string };

/** Levels on each side. With all symbols of the demo they are far fewer orders than an account may have open. */
const LEVELS = 4;
/** The distance between levels, and of the best level from the mid: 0.05 % of the price. */
const STEP_PPM = 500;
/** A quote stays until it is more than this far from its level, so that a quiet market needs few orders. */
const TOLERANCE_STEPS = 1;
/** The walk stays within 4 % of the reference, well inside the collar of 10 %, so that no quote is refused. */
const WANDER_PPM = 40_000;
const LOT = 10;

export const stepCents = (referenceCents: number): number =>
  Math.max(1, Math.round((referenceCents * STEP_PPM) / 1_000_000));

/** The next mid: one step of a random walk that is drawn back to the reference price. */
export function nextMid(midCents: number, referenceCents: number, random: Random): number {
  const step = stepCents(referenceCents);
  const farthest = Math.floor((referenceCents * WANDER_PPM) / 1_000_000);
  const drift = midCents > referenceCents ? -1 : 1;
  const moved = midCents + (random.below(2 * step + 1) - step) + (random.chance(0.1) ? drift * step : 0);
  return Math.max(1, Math.min(referenceCents + farthest, Math.max(referenceCents - farthest, moved)));
}

export function ladder(midCents: number, referenceCents: number, random: Random): Quote[] {
  const step = stepCents(referenceCents);
  const quotes: Quote[] = [];
  for (let level = 1; level <= LEVELS; level++) {
    const shares = LOT * (level + random.below(3));
    const bid = midCents - level * step;
    if (bid > 0) quotes.push({ side: 'buy', priceCents: bid, shares });
    quotes.push({ side: 'sell', priceCents: midCents + level * step, shares });
  }
  return quotes;
}

/** The quotes to cancel, because they are in a wrong place, and those to place. Quotes that are near enough stay. */
export function adjust(
  standing: readonly Standing[],
  wanted: readonly Quote[],
  referenceCents: number,
): { cancel: Standing[]; place: Quote[] } {
  const toleranceCents = TOLERANCE_STEPS * stepCents(referenceCents);
  const missing = [...wanted];
  const cancel: Standing[] = [];
  for (const quote of standing) {
    const matchIndex = missing.findIndex(
      ({ side, priceCents }) =>
        side === quote.side && Math.abs(priceCents - quote.priceCents) <= toleranceCents,
    );
    if (matchIndex === -1) cancel.push(quote);
    else missing.splice(matchIndex, 1);
  }
  return { cancel, place: missing };
}
