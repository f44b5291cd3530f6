import { MATCHING_RULES_VERSION } from '@brokerx/contracts';
import { type Book, fill } from '../../book/book.ts';
import { ICEBERG, UNPRICED } from '../../book/flags.ts';
import { bestLevel, type Level, type Levels, type RestingOrder } from '../../book/levels.ts';
import { type BookAndIcebergs, nextPeak, openQuantityOf } from '../iceberg.ts';
import type { Equilibrium, Lists, OrderList } from '../state.ts';

/** The part of the engine that an auction reads and fills. */
type CallBook = BookAndIcebergs & { readonly lists?: Lists };

export const NO_CROSS: Equilibrium = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };

/** The result that the call would have now; `Equilibrium` says by which rules. Before version 4 they were simpler. */
export function equilibrium(
  callBook: CallBook,
  referenceTicks: number,
  matchingRules = MATCHING_RULES_VERSION,
): Equilibrium {
  const { buys, sells } = callBook.book;
  const highestBuyTicks = bestLevel(buys)?.priceTicks ?? 0;
  const lowestSellTicks = bestLevel(sells)?.priceTicks ?? Number.MAX_SAFE_INTEGER;
  if (highestBuyTicks < lowestSellTicks) return NO_CROSS;
  const reference = Math.min(highestBuyTicks, Math.max(lowestSellTicks, referenceTicks));
  const best = noBestPrices();
  eachPrice(
    callBook,
    { lowest: lowestSellTicks, highest: highestBuyTicks, reference },
    (ticks, demand, supply) =>
      consider(best, { ticks, surplus: demand - supply }, Math.min(demand, supply), reference),
  );
  if (matchingRules >= 4) return chooseEquilibrium(callBook.book, best, reference);
  const { executable, leastSurplus } = best;
  const [lowTicks, highTicks] = [best.low.ticks, best.high.ticks];
  const isBuyerSurplus = best.buyerCount > 0 && best.buyerCount === best.equalCount;
  const isSellerSurplus = best.sellerCount > 0 && best.sellerCount === best.equalCount;
  const nearestTicks = Math.min(highTicks, Math.max(lowTicks, reference));
  const ticks = isBuyerSurplus ? highTicks : isSellerSurplus ? lowTicks : nearestTicks;
  const surplus = ticks === lowTicks ? best.low.surplus : ticks === highTicks ? best.high.surplus : 0;
  const surplusSide = surplus > 0 ? 'buy' : surplus < 0 ? 'sell' : null;
  return { priceTicks: ticks, quantity: executable, surplus: surplusSide ? leastSurplus : 0, surplusSide };
}

/** The equilibrium at the best of the candidates, from version 4 of the rules on. */
function chooseEquilibrium({ buys, sells }: Book, best: BestPrices, reference: number): Equilibrium {
  const { executable, low, high, mostExecutable } = best;
  const onlyUnpricedTrade = areAllUnpriced(buys, executable) && areAllUnpriced(sells, executable);
  const isBuyerSurplus = best.buyerCount > 0 && best.buyerCount === best.equalCount;
  const isSellerSurplus = best.sellerCount > 0 && best.sellerCount === best.equalCount;
  const range = onlyUnpricedTrade ? mostExecutable : { low, high };
  const chosen =
    !onlyUnpricedTrade && isBuyerSurplus
      ? high
      : !onlyUnpricedTrade && isSellerSurplus
        ? low
        : reference <= range.low.ticks
          ? range.low
          : reference >= range.high.ticks
            ? range.high
            : best.atReference;
  const surplusSide = chosen.surplus > 0 ? 'buy' : chosen.surplus < 0 ? 'sell' : null;
  return { priceTicks: chosen.ticks, quantity: executable, surplus: Math.abs(chosen.surplus), surplusSide };
}

/** Whether the first `quantity` shares of a side all belong to orders without a limit of their own. */
function areAllUnpriced({ sorted }: Levels, quantity: number): boolean {
  let remaining = quantity;
  for (let i = sorted.length - 1; i >= 0 && remaining > 0; i--) {
    const level = sorted[i] as Level;
    if (level.unpriced < Math.min(remaining, level.shares)) return false;
    if (level.unpriced === level.shares) {
      remaining -= level.shares;
      continue;
    }
    for (let order = level.first; order && remaining > 0; order = level.after(order)) {
      if ((order.flags & UNPRICED) === 0) return false;
      remaining -= order.leaves;
    }
  }
  return true;
}

/** A candidate price, and by how much demand exceeds supply there (negative: supply exceeds demand). */
type Candidate = { readonly ticks: number; readonly surplus: number };
const NO_CANDIDATE: Candidate = { ticks: 0, surplus: 0 };
/**
 * The best candidates so far: how many are equally good, how many of these leave a surplus of buyers or sellers, and the lowest
 * and the highest of them. `mostExecutable` has the lowest and the highest at which as much is executed with any surplus.
 */
type BestPrices = ReturnType<typeof noBestPrices>;
const noBestPrices = () => ({
  executable: 0,
  leastSurplus: 0,
  equalCount: 0,
  buyerCount: 0,
  sellerCount: 0,
  low: NO_CANDIDATE,
  high: NO_CANDIDATE,
  mostExecutable: { low: NO_CANDIDATE, high: NO_CANDIDATE },
  atReference: NO_CANDIDATE,
});

/** Compares a candidate with the best so far. Candidates come in rising order of price. */
function consider(best: BestPrices, candidate: Candidate, executable: number, reference: number): void {
  const { ticks, surplus } = candidate;
  if (ticks === reference) best.atReference = candidate;
  if (best.equalCount === 0 || executable > best.executable)
    best.mostExecutable = { low: candidate, high: candidate };
  else if (executable === best.executable) best.mostExecutable.high = candidate;
  const absoluteSurplus = Math.abs(surplus);
  const isWorse =
    executable < best.executable || (executable === best.executable && absoluteSurplus > best.leastSurplus);
  if (best.equalCount > 0 && isWorse) return;
  const isBetter =
    executable > best.executable || absoluteSurplus < best.leastSurplus || best.equalCount === 0;
  if (isBetter) {
    Object.assign(best, {
      executable,
      leastSurplus: absoluteSurplus,
      equalCount: 0,
      buyerCount: 0,
      sellerCount: 0,
    });
    best.low = candidate;
  }
  best.equalCount += 1;
  if (surplus > 0) best.buyerCount += 1;
  if (surplus < 0) best.sellerCount += 1;
  best.high = candidate;
}

/**
 * Calls `onPrice` for every candidate price in rising order, with the demand at that price or higher and the supply at that
 * price or lower. It is one walk over the levels that overlap, because it runs after every input of a call.
 */
function eachPrice(
  callBook: CallBook,
  { lowest, highest, reference }: { lowest: number; highest: number; reference: number },
  onPrice: (ticks: number, demand: number, supply: number) => void,
): void {
  const { buys, sells } = callBook.book;
  const unshown = callBook.icebergs.size > 0 || callBook.lists?.size ? unshownByPrice(callBook) : null;
  const sharesOf = (level: Level, side: 'buy' | 'sell'): number =>
    level.shares + (unshown?.[side].get(level.priceTicks) ?? 0);
  let demand = 0;
  let supply = 0;
  let buy = buys.sorted.length;
  for (; buy > 0 && (buys.sorted[buy - 1] as Level).priceTicks >= lowest; buy--)
    demand += sharesOf(buys.sorted[buy - 1] as Level, 'buy');
  let sell = sells.sorted.length - 1;
  let isReferenceDue = true;
  for (;;) {
    const bid = buys.sorted[buy]?.priceTicks ?? Number.MAX_SAFE_INTEGER;
    const ask = sells.sorted[sell]?.priceTicks ?? Number.MAX_SAFE_INTEGER;
    const ticks = Math.min(bid, ask, isReferenceDue ? reference : Number.MAX_SAFE_INTEGER);
    if (ticks > highest) return;
    if (ask === ticks) {
      supply += sharesOf(sells.sorted[sell] as Level, 'sell');
      sell -= 1;
    }
    onPrice(ticks, demand, supply);
    if (bid === ticks) {
      demand -= sharesOf(buys.sorted[buy] as Level, 'buy');
      buy += 1;
    }
    if (ticks === reference) isReferenceDue = false;
  }
}

/**
 * What to add to the shares of each level: what icebergs hide, and a negative number for shares that two orders of a list have
 * in common, because only one of the two can buy or sell them: the one at the better price.
 */
function unshownByPrice({
  book,
  icebergs,
  lists = new Map(),
}: CallBook): Record<'buy' | 'sell', Map<number, number>> {
  const byPrice = { buy: new Map<number, number>(), sell: new Map<number, number>() };
  for (const [id, { hidden }] of icebergs) {
    const order = book.orders.get(id);
    if (!order) continue;
    const ofSide = byPrice[order.side];
    ofSide.set(order.priceTicks, (ofSide.get(order.priceTicks) ?? 0) + hidden);
  }
  for (const { legs } of new Set<OrderList>(lists.values())) {
    const [a, b] = legs.flatMap((id) => book.orders.get(id) ?? []);
    if (!a || !b) continue;
    const worsePrice = (a.side === 'buy' ? Math.min : Math.max)(a.priceTicks, b.priceTicks);
    const ofSide = byPrice[a.side];
    ofSide.set(worsePrice, (ofSide.get(worsePrice) ?? 0) - Math.min(a.leaves, b.leaves));
  }
  return byPrice;
}

/** A trade of an uncross. */
export type Pair = {
  buy: RestingOrder;
  sell: RestingOrder;
  quantity: number;
  /** What remains open of each order, and the size of the next peak that an iceberg shows; 0 if it shows none. */
  buyLeaves: number;
  sellLeaves: number;
  buyPeak: number;
  sellPeak: number;
};

/**
 * Fills both sides until `quantity` is executed, in order of price and time. Each order is filled with its hidden part, peak
 * after peak, before the next one's turn.
 */
export function pairOrders(callBook: CallBook, quantity: number, onPair: (pair: Pair) => void): void {
  const buys = allotments(callBook, callBook.book.buys, quantity);
  const sells = allotments(callBook, callBook.book.sells, quantity);
  for (let b = 0, s = 0; b < buys.length && s < sells.length; ) {
    const [buyer, seller] = [buys[b] as Allotment, sells[s] as Allotment];
    const [buy, sell] = [callBook.book.orders.get(buyer.id), callBook.book.orders.get(seller.id)];
    if (!buy || !sell) throw new Error('an order with a share is in the book');
    const traded = Math.min(buyer.remaining, seller.remaining, buy.leaves, sell.leaves);
    const bought = fillShown(callBook, buy, traded);
    const sold = fillShown(callBook, sell, traded);
    buyer.remaining -= traded;
    seller.remaining -= traded;
    if (buyer.remaining === 0) b += 1;
    if (seller.remaining === 0) s += 1;
    const leaves = { buyLeaves: bought.leaves, sellLeaves: sold.leaves };
    onPair({ buy, sell, quantity: traded, ...leaves, buyPeak: bought.peak, sellPeak: sold.peak });
  }
}

/** The shares that an order gets in an uncross, and has not traded yet. */
type Allotment = { readonly id: string; remaining: number };

/** Divides `quantity` among the orders of a side, in order of priority. */
function allotments(callBook: CallBook, { sorted }: Levels, quantity: number): Allotment[] {
  const allotted: Allotment[] = [];
  /** The shown shares of the order of each list that came first. */
  const firstOpenByList = new Map<OrderList, number>();
  let remaining = quantity;
  for (let i = sorted.length - 1; i >= 0 && remaining > 0; i--) {
    const level = sorted[i] as Level;
    for (let order = level.first; order && remaining > 0; order = level.after(order)) {
      const list = callBook.lists?.get(order.id);
      const share = Math.min(
        remaining,
        Math.max(0, openQuantityOf(callBook, order) - ((list && firstOpenByList.get(list)) ?? 0)),
      );
      if (list && !firstOpenByList.has(list)) firstOpenByList.set(list, order.leaves);
      remaining -= share;
      if (share > 0) allotted.push({ id: order.id, remaining: share });
    }
  }
  return allotted;
}

/** Fills shares of an order's shown part. Returns its open quantity, and the size of the next peak or 0. */
function fillShown(
  callBook: BookAndIcebergs,
  order: RestingOrder,
  traded: number,
): { leaves: number; peak: number } {
  fill(callBook.book, order, traded);
  if ((order.flags & ICEBERG) === 0) return { leaves: order.leaves, peak: 0 };
  return {
    leaves: openQuantityOf(callBook, order),
    peak: order.leaves === 0 ? nextPeak(callBook, order) : 0,
  };
}
