import { fill } from './book.ts';
import { ICEBERG } from './flags.ts';
import { type Iced, nextPeak, openOf } from './iceberg.ts';
import { bestLevel, type Level, type Levels, type RestingOrder } from './levels.ts';
import type { Lists, OrderList } from './orderList.ts';

/**
 * What the two sides of a book agree on at one price: the price at which most can be executed; of several, the one with
 * the least surplus; of several still, the highest where all of them leave buyers, the lowest where all leave sellers,
 * else the one nearest the static reference. Prices that count are all limits and the reference itself, brought to
 * where the sides overlap.
 */
/** A book with what is beside it. */
type Called = Iced & { readonly lists?: Lists };

export type Equilibrium = {
  priceTicks: number | null;
  quantity: number;
  /** Shares that one side wants more of at this price. */
  surplus: number;
  surplusSide: 'buy' | 'sell' | null;
};

export const NO_CROSS: Equilibrium = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };

type Candidate = {
  ticks: number;
  executable: number /** Above 0: buyers are left, below: sellers. */;
  surplus: number;
};

export function equilibrium(iced: Called, referenceTicks: number): Equilibrium {
  const { book } = iced;
  const highest = bestLevel(book.buys)?.priceTicks ?? 0;
  const lowest = bestLevel(book.sells)?.priceTicks ?? Number.MAX_SAFE_INTEGER;
  if (highest < lowest) return NO_CROSS;
  const best = bestOf(candidates(iced, { lowest, highest, referenceTicks }));
  const ticks = decided(best, referenceTicks);
  const { executable, surplus } = best.find((one) => one.ticks === ticks) ?? (best[0] as Candidate);
  const surplusSide = surplus > 0 ? 'buy' : surplus < 0 ? 'sell' : null;
  return { priceTicks: ticks, quantity: executable, surplus: Math.abs(surplus), surplusSide };
}

/** Every price that counts, ascending, with what could be executed at it. */
function candidates(
  iced: Called,
  { lowest, highest, referenceTicks }: { lowest: number; highest: number; referenceTicks: number },
): Candidate[] {
  const buys = overlapping(iced, 'buys', (ticks) => ticks >= lowest);
  const sells = overlapping(iced, 'sells', (ticks) => ticks <= highest);
  const reference = Math.min(highest, Math.max(lowest, referenceTicks));
  const prices = new Set([reference, ...buys.map(priceOf), ...sells.map(priceOf)]);
  // The best buy comes first: what is passed by a rising price is the worst.
  let demand = buys.reduce((sum, { shares }) => sum + shares, 0);
  let supply = 0;
  let passed = buys.length - 1;
  let reached = 0;
  return [...prices]
    .sort((a, b) => a - b)
    .map((ticks) => {
      for (; passed >= 0 && priceOf(buys[passed]) < ticks; passed--) demand -= buys[passed]?.shares ?? 0;
      for (; reached < sells.length && priceOf(sells[reached]) <= ticks; reached++)
        supply += sells[reached]?.shares ?? 0;
      return { ticks, executable: Math.min(demand, supply), surplus: demand - supply };
    });
}

type At = { ticks: number; shares: number };
const priceOf = (at: At | undefined): number => at?.ticks ?? 0;

/** What is wanted at the best prices of a side, hidden quantity included, as far as they reach into the other side. */
function overlapping(iced: Called, side: 'buys' | 'sells', reaches: (ticks: number) => boolean): At[] {
  const { book, icebergs, lists } = iced;
  const found: At[] = [];
  const { sorted } = book[side];
  for (let i = sorted.length - 1; i >= 0; i--) {
    const level = sorted[i];
    if (!level || !reaches(level.priceTicks)) break;
    found.push({ ticks: level.priceTicks, shares: level.shares });
  }
  if (icebergs.size === 0 && !lists?.size) return found;
  const byPrice = new Map(found.map((at) => [at.ticks, at]));
  for (const [id, { hidden }] of icebergs) {
    const order = book.orders.get(id);
    const at = order && `${order.side}s` === side ? byPrice.get(order.priceTicks) : undefined;
    if (at) at.shares += hidden;
  }
  for (const { ticks, shares } of countedTwice(iced, side)) {
    const at = byPrice.get(ticks);
    if (at) at.shares -= shares;
  }
  return found;
}

/** Two orders of a list share their shares: what stands at the worse price is the better one's, too. */
function countedTwice({ book, lists = new Map() }: Called, side: 'buys' | 'sells'): At[] {
  return [...new Set(lists.values())].flatMap(({ legs }) => {
    const [a, b] = legs.flatMap((id) => book.orders.get(id) ?? []);
    if (!a || !b || `${a.side}s` !== side) return [];
    const worse = side === 'buys' ? Math.min : Math.max;
    return { ticks: worse(a.priceTicks, b.priceTicks), shares: Math.min(a.leaves, b.leaves) };
  });
}

function bestOf(all: readonly Candidate[]): Candidate[] {
  const most = Math.max(...all.map(({ executable }) => executable));
  const fullest = all.filter(({ executable }) => executable === most);
  const least = Math.min(...fullest.map(({ surplus }) => Math.abs(surplus)));
  return fullest.filter(({ surplus }) => Math.abs(surplus) === least);
}

/** Of equally good prices, in ascending order. */
function decided(best: readonly Candidate[], referenceTicks: number): number {
  const [lowest, highest] = [best[0]?.ticks ?? 0, best.at(-1)?.ticks ?? 0];
  if (best.every(({ surplus }) => surplus > 0)) return highest;
  if (best.every(({ surplus }) => surplus < 0)) return lowest;
  return Math.min(highest, Math.max(lowest, referenceTicks));
}

export type Pair = {
  buy: RestingOrder;
  sell: RestingOrder;
  quantity: number;
  /** What each leaves, and what an iceberg shows anew. */
  buyLeaves: number;
  sellLeaves: number;
  buyPeak: number;
  sellPeak: number;
};

/**
 * Fills both sides until so much is executed, each order in its turn by price and time, what it hides included, peak
 * after peak; tells each pair.
 */
export function pair(iced: Called, quantity: number, onPair: (pair: Pair) => void): void {
  const buys = shares(iced, iced.book.buys, quantity);
  const sells = shares(iced, iced.book.sells, quantity);
  for (let b = 0, s = 0; b < buys.length && s < sells.length; ) {
    const [buyer, seller] = [buys[b] as Share, sells[s] as Share];
    const [buy, sell] = [iced.book.orders.get(buyer.id), iced.book.orders.get(seller.id)];
    if (!buy || !sell) throw new Error('an order with a share is in the book');
    const traded = Math.min(buyer.left, seller.left, buy.leaves, sell.leaves);
    const bought = fillShown(iced, buy, traded);
    const sold = fillShown(iced, sell, traded);
    buyer.left -= traded;
    seller.left -= traded;
    if (buyer.left === 0) b += 1;
    if (seller.left === 0) s += 1;
    const left = { buyLeaves: bought.leaves, sellLeaves: sold.leaves };
    onPair({ buy, sell, quantity: traded, ...left, buyPeak: bought.peak, sellPeak: sold.peak });
  }
}

type Share = { readonly id: string; left: number };

/** What each order gets of so much. */
function shares(iced: Called, { sorted }: Levels, quantity: number): Share[] {
  const found: Share[] = [];
  /** What the order of a list that came first has. */
  const first = new Map<OrderList, number>();
  let left = quantity;
  for (let i = sorted.length - 1; i >= 0 && left > 0; i--) {
    const level = sorted[i] as Level;
    for (let order = level.first; order && left > 0; order = level.after(order)) {
      const list = iced.lists?.get(order.id);
      const share = Math.min(left, Math.max(0, openOf(iced, order) - ((list && first.get(list)) ?? 0)));
      if (list && !first.has(list)) first.set(list, order.leaves);
      left -= share;
      if (share > 0) found.push({ id: order.id, left: share });
    }
  }
  return found;
}

function fillShown(iced: Iced, order: RestingOrder, traded: number): { leaves: number; peak: number } {
  fill(iced.book, order, traded);
  if ((order.flags & ICEBERG) === 0) return { leaves: order.leaves, peak: 0 };
  return { leaves: openOf(iced, order), peak: order.leaves === 0 ? nextPeak(iced, order) : 0 };
}
