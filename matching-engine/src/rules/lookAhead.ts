import type { SelfTradeMode } from '@brokerx/contracts';
import type { Book } from '../book/book.ts';
import type { Level, Side } from '../book/levels.ts';
import { type Band, isOutside } from './auction/band.ts';

/** An order whose sweep is looked ahead over. */
export type Sweeper = {
  /** How many shares it wants at this price; none: it is satisfied. */
  wants(priceTicks: number): number;
  takes(shares: number, priceTicks: number): void;
  /** Prevention takes so many off it. */
  loses(shares: number): void;
};

/** Why a sweep goes no further. */
export type Stopped = 'satisfied' | 'nobody' | 'outside' | 'prevented' | 'bounded';

/** A book with what is beside it. */
type Market = {
  readonly book: Book;
  readonly icebergs: ReadonlyMap<string, { readonly peak: number; readonly hidden: number }>;
  readonly lists: ReadonlyMap<string, { readonly legs: readonly string[] }>;
};
type Looking = {
  readonly side: Side;
  readonly limitTicks: number;
  readonly accountId: string;
  readonly selfTrade: SelfTradeMode;
  readonly band: Band | null;
};

/**
 * Looks ahead over a sweep, as it will go: peak after peak, what one order of a list fills taken off the other, prevention
 * and band included, over so many matches at most. It changes nothing.
 */
export function sweepAhead(market: Market, order: Looking, sweeper: Sweeper, matchesMax: number): Stopped {
  const { side, limitTicks, accountId, selfTrade, band } = order;
  const { sorted } = side === 'buy' ? market.book.sells : market.book.buys;
  const filled = new Map<string, number>();
  let matches = matchesMax;
  for (let i = sorted.length - 1; i >= 0; i--) {
    const level = sorted[i] as Level;
    const { priceTicks } = level;
    if (side === 'buy' ? priceTicks > limitTicks : priceTicks < limitTicks) break;
    for (const turn of turnsAt(market, level)) {
      const wanted = sweeper.wants(priceTicks);
      if (wanted === 0) return 'satisfied';
      const met = Math.min(wanted, turn.shown - filledByOthers(market, turn.id, filled));
      if (met <= 0) continue;
      const trades = selfTrade === 'none' || turn.accountId !== accountId;
      if (trades && isOutside(band, priceTicks)) return 'outside';
      if (matches === 0) return 'bounded';
      matches -= 1;
      if (trades) {
        sweeper.takes(met, priceTicks);
        if (market.lists.has(turn.id)) filled.set(turn.id, met);
      } else if (selfTrade === 'cancel_oldest') continue;
      else if (selfTrade === 'decrement') sweeper.loses(met);
      else return 'prevented';
      turn.isUsedUp = met === turn.shown;
    }
  }
  return 'nobody';
}

/** What an order shows when its turn comes, and what it hides behind that. */
type Turn = {
  readonly id: string;
  readonly accountId: string;
  readonly shown: number;
  readonly hidden: number;
  readonly peak: number;
  isUsedUp: boolean;
};

/** Who stands at a price, in their order, and then the peaks that follow those used up. */
function* turnsAt({ icebergs }: Market, level: Level): Generator<Turn, void> {
  const peaks: Turn[] = [];
  const tellPeak = ({ isUsedUp, hidden, peak, ...turn }: Turn) => {
    if (!isUsedUp || hidden === 0) return;
    const shown = Math.min(peak, hidden);
    peaks.push({ ...turn, peak, shown, hidden: hidden - shown, isUsedUp: false });
  };
  for (let maker = level.first; maker; maker = level.after(maker)) {
    const { id, accountId, leaves: shown } = maker;
    const { peak = 0, hidden = 0 } = icebergs.get(id) ?? {};
    const turn = { id, accountId, shown, hidden, peak, isUsedUp: false };
    yield turn;
    tellPeak(turn);
  }
  for (const turn of peaks) {
    yield turn;
    tellPeak(turn);
  }
}

/** What the other orders of its list have filled, which it has less. */
const filledByOthers = ({ lists }: Market, id: string, filled: ReadonlyMap<string, number>): number =>
  filled.size === 0
    ? 0
    : (lists.get(id)?.legs ?? []).reduce((sum, leg) => sum + (leg === id ? 0 : (filled.get(leg) ?? 0)), 0);

/**
 * Whether an order could trade so many shares at once, as far as it may look: what fill-or-kill and a minimum quantity are
 * decided by.
 */
export function canTrade(
  market: Market,
  order: Looking & { readonly leaves: number },
  wanted: number,
  matchesMax: number,
): 'enough' | 'less' | 'bounded' {
  const { icebergs, lists } = market;
  const isPlain = order.selfTrade === 'none' && icebergs.size === 0 && lists.size === 0;
  // Each match is of one share at least.
  if (isPlain && wanted <= Math.min(order.leaves, matchesMax))
    return sharesWithin(market, order, wanted) < wanted ? 'less' : 'enough';
  let { leaves } = order;
  let traded = 0;
  const sweeper = {
    wants: () => (traded < wanted ? leaves : 0),
    takes(shares: number) {
      traded += shares;
      leaves -= shares;
    },
    loses(shares: number) {
      leaves -= shares;
    },
  };
  const stopped = sweepAhead(market, order, sweeper, matchesMax);
  if (traded >= wanted) return 'enough';
  return stopped === 'bounded' ? 'bounded' : 'less';
}

/** What stands within limit and band, up to so many shares, level by level. */
function sharesWithin({ book }: Market, { side, limitTicks, band }: Looking, enough: number): number {
  const { sorted } = side === 'buy' ? book.sells : book.buys;
  let shares = 0;
  for (let i = sorted.length - 1; i >= 0 && shares < enough; i--) {
    const level = sorted[i] as Level;
    const isBeyond = side === 'buy' ? level.priceTicks > limitTicks : level.priceTicks < limitTicks;
    if (isBeyond || isOutside(band, level.priceTicks)) break;
    shares += level.shares;
  }
  return shares;
}
