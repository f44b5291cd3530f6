import { type BookFact, MATCHING_RULES_VERSION, type Side } from '@brokerx/contracts';

/**
 * Works out the result that an auction must have, from the orders of both sides in their priority. It tries every limit and
 * the reference price by adding up both sides.
 */
export type Standing = { side: Side; ticks: number; shares: number; unpriced?: boolean };
export type AuctionResult = Pick<
  Extract<BookFact, { type: 'AuctionUncrossed.v1' }>['data'],
  'priceTicks' | 'quantity' | 'surplus' | 'surplusSide'
>;

/** A price that was tried. `surplus` is what is wanted beyond what is offered there; it is negative if more is offered. */
type Candidate = { ticks: number; executable: number; surplus: number };

export function auctionOf(
  standing: readonly Standing[],
  referenceTicks: number,
  version = MATCHING_RULES_VERSION,
): AuctionResult {
  const bids = standing.filter(({ side }) => side === 'buy');
  const asks = standing.filter(({ side }) => side === 'sell');
  const highestBid = bids.reduce((most, { ticks }) => Math.max(most, ticks), 0);
  const lowestAsk = asks.reduce((least, { ticks }) => Math.min(least, ticks), Number.MAX_SAFE_INTEGER);
  if (highestBid < lowestAsk) return { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const total = (orders: readonly Standing[]) => orders.reduce((sum, { shares }) => sum + shares, 0);
  const crossing = (ticks: number) => Math.min(highestBid, Math.max(lowestAsk, ticks));
  const prices = new Set([crossing(referenceTicks), ...standing.map(({ ticks }) => crossing(ticks))]);
  /** Candidates that execute most and leave least over, and all that execute most. */
  let best: Candidate[] = [];
  let mostExecutable: Candidate[] = [];
  for (const ticks of prices) {
    const wanted = total(bids.filter((bid) => bid.ticks >= ticks));
    const offered = total(asks.filter((ask) => ask.ticks <= ticks));
    const candidate = { ticks, executable: Math.min(wanted, offered), surplus: wanted - offered };
    const [bestSoFar] = best;
    const [largest = candidate] = mostExecutable;
    if (candidate.executable > largest.executable) mostExecutable = [candidate];
    else if (candidate.executable === largest.executable) mostExecutable.push(candidate);
    const order = bestSoFar ? compare(candidate, bestSoFar) : 1;
    if (order > 0) best = [candidate];
    else if (order === 0) best.push(candidate);
  }
  const [{ executable: quantity } = { executable: 0 }] = best;
  // Where all that trades is without a limit, every price that executes most is as good.
  const isUnpriced = version >= 4 && [bids, asks].every((side) => hasNoLimits(side, quantity));
  const ticks = isUnpriced ? nearest(mostExecutable, referenceTicks) : priceAmong(best, referenceTicks);
  const { executable, surplus } = [...best, ...mostExecutable].find(
    (each) => each.ticks === ticks,
  ) as Candidate;
  // Before version 4 no surplus was reported at a price between two other best prices.
  if (version < 4 && best.some((each) => each.ticks < ticks) && best.some((each) => each.ticks > ticks))
    return { priceTicks: ticks, quantity: executable, surplus: 0, surplusSide: null };
  const surplusSide = surplus === 0 ? null : surplus > 0 ? 'buy' : 'sell';
  return { priceTicks: ticks, quantity: executable, surplus: Math.abs(surplus), surplusSide };
}

/** A positive number if `a` is better: it executes more, or as much with a smaller surplus. */
const compare = (a: Candidate, b: Candidate): number =>
  a.executable - b.executable || Math.abs(b.surplus) - Math.abs(a.surplus);

/** The highest of the best prices if each leaves buyers over, the lowest if each leaves sellers over, else the nearest one. */
function priceAmong(best: readonly Candidate[], referenceTicks: number): number {
  const ascending = best.map(({ ticks }) => ticks).sort((a, b) => a - b);
  if (best.every(({ surplus }) => surplus > 0)) return ascending.at(-1) as number;
  if (best.every(({ surplus }) => surplus < 0)) return ascending[0] as number;
  return nearest(best, referenceTicks);
}

const nearest = (candidates: readonly Candidate[], referenceTicks: number): number =>
  candidates
    .map(({ ticks }) => ticks)
    .sort((a, b) => a - b)
    .reduce((near, ticks) =>
      Math.abs(ticks - referenceTicks) < Math.abs(near - referenceTicks) ? ticks : near,
    );

/** Whether the first `quantity` shares of a side all belong to orders without a limit. */
function hasNoLimits(side: readonly Standing[], quantity: number): boolean {
  let sharesBefore = 0;
  for (const { shares, unpriced } of side) {
    if (sharesBefore >= quantity) return true;
    if (!unpriced && shares > 0) return false;
    sharesBefore += shares;
  }
  return true;
}
