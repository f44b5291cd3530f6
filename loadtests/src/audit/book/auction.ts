import { type BookFact, MATCHING_RULES_VERSION, type Side } from '@brokerx/contracts';

/**
 * What a call had to bring, from the shares that stood at each price: every limit and the reference is tried by adding
 * up both sides. Both sides stand in their priority.
 */
export type Standing = { side: Side; ticks: number; shares: number; unpriced?: boolean };
export type AuctionTold = Pick<
  Extract<BookFact, { type: 'AuctionUncrossed.v1' }>['data'],
  'priceTicks' | 'quantity' | 'surplus' | 'surplusSide'
>;

type Tried = { ticks: number; executable: number; over: number };

export function auctionOf(
  standing: readonly Standing[],
  referenceTicks: number,
  version = MATCHING_RULES_VERSION,
): AuctionTold {
  const bids = standing.filter(({ side }) => side === 'buy');
  const asks = standing.filter(({ side }) => side === 'sell');
  const top = bids.reduce((most, { ticks }) => Math.max(most, ticks), 0);
  const bottom = asks.reduce((least, { ticks }) => Math.min(least, ticks), Number.MAX_SAFE_INTEGER);
  if (top < bottom) return { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const total = (of: readonly Standing[]) => of.reduce((sum, { shares }) => sum + shares, 0);
  const within = (ticks: number) => (ticks < bottom ? bottom : ticks > top ? top : ticks);
  const prices = new Set([within(referenceTicks), ...standing.map(({ ticks }) => within(ticks))]);
  let best: Tried[] = [];
  let most: Tried[] = [];
  for (const ticks of prices) {
    const wanted = total(bids.filter((bid) => bid.ticks >= ticks));
    const offered = total(asks.filter((ask) => ask.ticks <= ticks));
    const tried = { ticks, executable: Math.min(wanted, offered), over: wanted - offered };
    const [known] = best;
    const [top = tried] = most;
    if (tried.executable > top.executable) most = [tried];
    else if (tried.executable === top.executable) most.push(tried);
    const better = known ? compare(tried, known) : 1;
    if (better > 0) best = [tried];
    else if (better === 0) best.push(tried);
  }
  const [{ executable: quantity } = { executable: 0 }] = best;
  const leaveItOpen = version >= 4 && [bids, asks].every((side) => hasNoLimits(side, quantity));
  const ticks = leaveItOpen ? nearest(most, referenceTicks) : among(best, referenceTicks);
  const { executable, over } = [...best, ...most].find((one) => one.ticks === ticks) as Tried;
  // Older rules told nothing of what is left strictly inside of what is equally good.
  if (version < 4 && best.some((one) => one.ticks < ticks) && best.some((one) => one.ticks > ticks))
    return { priceTicks: ticks, quantity: executable, surplus: 0, surplusSide: null };
  const surplusSide = over === 0 ? null : over > 0 ? 'buy' : 'sell';
  return { priceTicks: ticks, quantity: executable, surplus: Math.abs(over), surplusSide };
}

/** More executed is better, then less left over. */
const compare = (a: Tried, b: Tried): number =>
  a.executable - b.executable || Math.abs(b.over) - Math.abs(a.over);

/** Pressure of buyers alone lifts the price, of sellers alone lowers it; otherwise the reference draws it near. */
function among(best: readonly Tried[], referenceTicks: number): number {
  const inOrder = best.map(({ ticks }) => ticks).sort((a, b) => a - b);
  if (best.every(({ over }) => over > 0)) return inOrder.at(-1) as number;
  if (best.every(({ over }) => over < 0)) return inOrder[0] as number;
  return nearest(best, referenceTicks);
}

const nearest = (tried: readonly Tried[], referenceTicks: number): number =>
  tried
    .map(({ ticks }) => ticks)
    .sort((a, b) => a - b)
    .reduce((near, ticks) =>
      Math.abs(ticks - referenceTicks) < Math.abs(near - referenceTicks) ? ticks : near,
    );

/** Whether the first so many shares of a side are all of orders that name no price. */
function hasNoLimits(side: readonly Standing[], quantity: number): boolean {
  let before = 0;
  for (const { shares, unpriced } of side) {
    if (before >= quantity) return true;
    if (!unpriced && shares > 0) return false;
    before += shares;
  }
  return true;
}
