import type { Phase } from '../scenarios/scenario.ts';

/**
 * When requests are due: their rate goes in straight lines from phase to phase, and the n-th request is due when so many
 * fit below that curve. Times are milliseconds from the beginning.
 */
export type Schedule = {
  /** How many requests there are in all. */
  total: number;
  dueMs(n: number): number;
};

/** `beginMs`, and how many requests are due before; the rate then changes by `slope` a millisecond. */
type Piece = { beginMs: number; before: number; rate: number; slope: number; count: number };

export function schedule(rate: number, seconds: number, phases: readonly Phase[]): Schedule {
  const shares = phases.reduce((sum, { share }) => sum + share, 0);
  const pieces: Piece[] = [];
  let beginMs = 0;
  let before = 0;
  for (const { share, from, to } of phases) {
    const ms = (share / shares) * seconds * 1_000;
    if (ms === 0) continue;
    const [first, last] = [(rate * from) / 1_000, (rate * to) / 1_000];
    const count = ((first + last) / 2) * ms;
    pieces.push({ beginMs, before, rate: first, slope: (last - first) / ms, count });
    beginMs += ms;
    before += count;
  }
  let at = 0;
  return {
    total: Math.floor(before + 1e-6),
    // Asked for in rising order, so the piece is nearly always the one of the request before.
    dueMs(n) {
      if (n < (pieces[at]?.before ?? 0)) at = 0;
      while (at < pieces.length - 1 && n >= (pieces[at] as Piece).before + (pieces[at] as Piece).count)
        at += 1;
      const piece = pieces[at] as Piece;
      const rest = n - piece.before;
      if (Math.abs(piece.slope) < 1e-12) return piece.beginMs + (piece.rate > 0 ? rest / piece.rate : 0);
      const root = Math.sqrt(Math.max(0, piece.rate ** 2 + 2 * piece.slope * rest));
      return piece.beginMs + (root - piece.rate) / piece.slope;
    },
  };
}
