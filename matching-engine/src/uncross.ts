import { type Book, fill } from './book.ts';
import { bestLevel, type Level, type Levels, type RestingOrder } from './levels.ts';

/**
 * What the two sides of a book agree on at one price: the price at which most can be executed; of several, the one with
 * the least surplus; of several still, the highest where all of them leave buyers, the lowest where all leave sellers,
 * else the one nearest the static reference. Prices that count are all limits and the reference itself, brought to
 * where the sides overlap.
 */
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

export function equilibrium(book: Book, referenceTicks: number): Equilibrium {
  const highest = bestLevel(book.buys)?.priceTicks ?? 0;
  const lowest = bestLevel(book.sells)?.priceTicks ?? Number.MAX_SAFE_INTEGER;
  if (highest < lowest) return NO_CROSS;
  const best = bestOf(candidates(book, { lowest, highest, referenceTicks }));
  const ticks = decided(best, referenceTicks);
  const { executable, surplus } = best.find((one) => one.ticks === ticks) ?? (best[0] as Candidate);
  const surplusSide = surplus > 0 ? 'buy' : surplus < 0 ? 'sell' : null;
  return { priceTicks: ticks, quantity: executable, surplus: Math.abs(surplus), surplusSide };
}

/** Every price that counts, ascending, with what could be executed at it. */
function candidates(
  book: Book,
  { lowest, highest, referenceTicks }: { lowest: number; highest: number; referenceTicks: number },
): Candidate[] {
  const buys = overlapping(book.buys, (ticks) => ticks >= lowest);
  const sells = overlapping(book.sells, (ticks) => ticks <= highest);
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

const priceOf = (level: Level | undefined): number => level?.priceTicks ?? 0;

/** The best levels, as far as they reach into the other side. */
function overlapping({ sorted }: Levels, reaches: (ticks: number) => boolean): Level[] {
  const found: Level[] = [];
  for (let i = sorted.length - 1; i >= 0; i--) {
    const level = sorted[i] as Level;
    if (!reaches(level.priceTicks)) break;
    found.push(level);
  }
  return found;
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

export type Pair = { buy: RestingOrder; sell: RestingOrder; quantity: number };

/** Fills both sides in price and time priority until so much is executed; tells each pair after its fill. */
export function pair(book: Book, quantity: number, onPair: (pair: Pair) => void): void {
  for (let left = quantity; left > 0; ) {
    const buy = bestLevel(book.buys)?.first as RestingOrder;
    const sell = bestLevel(book.sells)?.first as RestingOrder;
    const traded = Math.min(left, buy.leaves, sell.leaves);
    fill(book, buy, traded);
    fill(book, sell, traded);
    left -= traded;
    onPair({ buy, sell, quantity: traded });
  }
}
