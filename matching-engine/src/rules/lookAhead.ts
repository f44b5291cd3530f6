import type { SelfTradeMode } from '@brokerx/contracts';
import type { Book } from '../book/book.ts';
import type { Level, Side } from '../book/levels.ts';
import { type Band, isOutside } from './auction/band.ts';

/** The order of a sweep that is looked ahead over. */
export type Sweeper = {
  /** The shares that it wants at this price; 0 when it is satisfied. */
  wants(priceTicks: number): number;
  /** A trade would take place. */
  takes(shares: number, priceTicks: number): void;
  /** Self-trade prevention would reduce the order by these shares. */
  loses(shares: number): void;
};

/** Why a sweep ends. */
export type SweepEnd = 'satisfied' | 'nobody' | 'outside' | 'prevented' | 'bounded';

/** The part of the engine that a look-ahead reads. */
type BookView = {
  readonly book: Book;
  readonly icebergs: ReadonlyMap<string, { readonly peak: number; readonly hidden: number }>;
  readonly lists: ReadonlyMap<string, { readonly legs: readonly string[] }>;
};
type SweepTerms = {
  readonly side: Side;
  readonly limitTicks: number;
  readonly accountId: string;
  readonly selfTrade: SelfTradeMode;
  readonly band: Band | null;
};

/**
 * Computes how a sweep would go, over at most `matchesMax` matches, and changes nothing. It follows the matching: peak
 * after peak, fills of one order of a list reduce the other, and self-trade prevention and the band apply.
 */
export function sweepAhead(
  view: BookView,
  order: SweepTerms,
  sweeper: Sweeper,
  matchesMax: number,
): SweepEnd {
  const { side, limitTicks, accountId, selfTrade, band } = order;
  const { sorted } = side === 'buy' ? view.book.sells : view.book.buys;
  const filledById = new Map<string, number>();
  let matchesLeft = matchesMax;
  for (let i = sorted.length - 1; i >= 0; i--) {
    const level = sorted[i] as Level;
    const { priceTicks } = level;
    if (side === 'buy' ? priceTicks > limitTicks : priceTicks < limitTicks) break;
    for (const turn of turnsAt(view, level)) {
      const wanted = sweeper.wants(priceTicks);
      if (wanted === 0) return 'satisfied';
      const matched = Math.min(wanted, turn.shown - filledByOthers(view, turn.id, filledById));
      if (matched <= 0) continue;
      const trades = selfTrade === 'none' || turn.accountId !== accountId;
      if (trades && isOutside(band, priceTicks)) return 'outside';
      if (matchesLeft === 0) return 'bounded';
      matchesLeft -= 1;
      if (trades) {
        sweeper.takes(matched, priceTicks);
        if (view.lists.has(turn.id)) filledById.set(turn.id, matched);
      } else if (selfTrade === 'cancel_oldest') continue;
      else if (selfTrade === 'decrement') sweeper.loses(matched);
      else return 'prevented';
      turn.isPeakUsedUp = matched === turn.shown;
    }
  }
  return 'nobody';
}

/** A resting order when its turn comes: what it shows then, and what it hides behind that. */
type Turn = {
  readonly id: string;
  readonly accountId: string;
  readonly shown: number;
  readonly hidden: number;
  readonly peak: number;
  isPeakUsedUp: boolean;
};

/** The orders of a level in their priority, and after them the next peaks of those whose peak was used up. */
function* turnsAt({ icebergs }: BookView, level: Level): Generator<Turn, void> {
  const peaks: Turn[] = [];
  const queueNextPeak = ({ isPeakUsedUp, hidden, peak, ...turn }: Turn) => {
    if (!isPeakUsedUp || hidden === 0) return;
    const shown = Math.min(peak, hidden);
    peaks.push({ ...turn, peak, shown, hidden: hidden - shown, isPeakUsedUp: false });
  };
  for (let maker = level.first; maker; maker = level.after(maker)) {
    const { id, accountId, leaves: shown } = maker;
    const { peak = 0, hidden = 0 } = icebergs.get(id) ?? {};
    const turn = { id, accountId, shown, hidden, peak, isPeakUsedUp: false };
    yield turn;
    queueNextPeak(turn);
  }
  for (const turn of peaks) {
    yield turn;
    queueNextPeak(turn);
  }
}

/** The shares that the other legs of an order's list have filled, and by which the order is reduced. */
const filledByOthers = ({ lists }: BookView, id: string, filled: ReadonlyMap<string, number>): number =>
  filled.size === 0
    ? 0
    : (lists.get(id)?.legs ?? []).reduce((sum, leg) => sum + (leg === id ? 0 : (filled.get(leg) ?? 0)), 0);

/**
 * Whether an order could trade `sharesNeeded` at once, as fill-or-kill and a minimum quantity require; `bounded` if that is
 * not decided within the matches that it may look ahead over.
 */
export function canTrade(
  view: BookView,
  order: SweepTerms & { readonly leaves: number },
  sharesNeeded: number,
  matchesMax: number,
): 'enough' | 'less' | 'bounded' {
  const { icebergs, lists } = view;
  const isPlain = order.selfTrade === 'none' && icebergs.size === 0 && lists.size === 0;
  // Each match takes at least one share, so as many matches as shares are enough.
  if (isPlain && sharesNeeded <= Math.min(order.leaves, matchesMax))
    return sharesWithin(view, order, sharesNeeded) < sharesNeeded ? 'less' : 'enough';
  let { leaves } = order;
  let traded = 0;
  const sweeper = {
    wants: () => (traded < sharesNeeded ? leaves : 0),
    takes(shares: number) {
      traded += shares;
      leaves -= shares;
    },
    loses(shares: number) {
      leaves -= shares;
    },
  };
  const sweepEnd = sweepAhead(view, order, sweeper, matchesMax);
  if (traded >= sharesNeeded) return 'enough';
  return sweepEnd === 'bounded' ? 'bounded' : 'less';
}

/** The shares that rest within limit and band. Counts whole levels until there are `sharesMax`. */
function sharesWithin({ book }: BookView, { side, limitTicks, band }: SweepTerms, sharesMax: number): number {
  const { sorted } = side === 'buy' ? book.sells : book.buys;
  let shares = 0;
  for (let i = sorted.length - 1; i >= 0 && shares < sharesMax; i--) {
    const level = sorted[i] as Level;
    const isBeyond = side === 'buy' ? level.priceTicks > limitTicks : level.priceTicks < limitTicks;
    if (isBeyond || isOutside(band, level.priceTicks)) break;
    shares += level.shares;
  }
  return shares;
}
