import type { BookFact, Side } from '@brokerx/contracts';

/**
 * What a call had to bring, from the shares that stood at each price: every limit and the reference is tried by adding
 * up both sides.
 */
export type Standing = { side: Side; ticks: number; shares: number };
export type AuctionTold = Pick<
  Extract<BookFact, { type: 'AuctionUncrossed.v1' }>['data'],
  'priceTicks' | 'quantity' | 'surplus' | 'surplusSide'
>;

type Tried = { ticks: number; executable: number; over: number };

export function auctionOf(standing: readonly Standing[], referenceTicks: number): AuctionTold {
  const bids = standing.filter(({ side }) => side === 'buy');
  const asks = standing.filter(({ side }) => side === 'sell');
  const top = bids.reduce((most, { ticks }) => Math.max(most, ticks), 0);
  const bottom = asks.reduce((least, { ticks }) => Math.min(least, ticks), Number.MAX_SAFE_INTEGER);
  if (top < bottom) return { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const total = (of: readonly Standing[]) => of.reduce((sum, { shares }) => sum + shares, 0);
  const within = (ticks: number) => (ticks < bottom ? bottom : ticks > top ? top : ticks);
  const prices = new Set([within(referenceTicks), ...standing.map(({ ticks }) => within(ticks))]);
  let best: Tried[] = [];
  for (const ticks of prices) {
    const wanted = total(bids.filter((bid) => bid.ticks >= ticks));
    const offered = total(asks.filter((ask) => ask.ticks <= ticks));
    const tried = { ticks, executable: Math.min(wanted, offered), over: wanted - offered };
    const [known] = best;
    const better = known ? compare(tried, known) : 1;
    if (better > 0) best = [tried];
    else if (better === 0) best.push(tried);
  }
  const ticks = among(best, referenceTicks);
  const { executable, over } = best.find((one) => one.ticks === ticks) as Tried;
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
  return inOrder.reduce((near, ticks) =>
    Math.abs(ticks - referenceTicks) < Math.abs(near - referenceTicks) ? ticks : near,
  );
}
