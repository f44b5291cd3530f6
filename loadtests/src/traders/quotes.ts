import type { Random } from '../random.ts';

/**
 * What a market maker wants in the book around a mid price: a ladder of bids and asks. Pure: the next mid and the
 * wanted quotes follow from the seed, whatever the market does.
 */
export type Quote = { side: 'buy' | 'sell'; priceCents: number; shares: number };
export type Standing = Quote & { id: string };

/** Levels a side; with the demo's symbols this stays far below an account's open orders. */
const LEVELS = 4;
/** Distance between levels, and of the best ones from the mid: 0.05 % of the price. */
const STEP_PPM = 500;
/** A quote may stand until the mid has moved this far from where it was meant: fewer orders on a quiet market. */
const TOLERANCE_STEPS = 1;
/** The walk stays within half of the entry collar of 10 %, so that no quote is refused. */
const WANDER_PPM = 40_000;
const LOT = 10;

export const stepCents = (referenceCents: number): number =>
  Math.max(1, Math.round((referenceCents * STEP_PPM) / 1_000_000));

/** One step of a random walk that is drawn back to the reference price. */
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

/** Cancels what stands in a wrong place, and places what is missing. Quotes near enough are left alone. */
export function adjust(
  standing: readonly Standing[],
  wanted: readonly Quote[],
  referenceCents: number,
): { cancel: Standing[]; place: Quote[] } {
  const near = TOLERANCE_STEPS * stepCents(referenceCents);
  const missing = [...wanted];
  const cancel: Standing[] = [];
  for (const quote of standing) {
    const match = missing.findIndex(
      ({ side, priceCents }) => side === quote.side && Math.abs(priceCents - quote.priceCents) <= near,
    );
    if (match === -1) cancel.push(quote);
    else missing.splice(match, 1);
  }
  return { cancel, place: missing };
}
