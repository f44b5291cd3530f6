import { MATCHING_RULES_VERSION } from '@brokerx/contracts';
import { type Book, fill } from '../../book/book.ts';
import { ICEBERG, UNPRICED } from '../../book/flags.ts';
import { bestLevel, type Level, type Levels, type RestingOrder } from '../../book/levels.ts';
import { type Iced, nextPeak, openOf } from '../iceberg.ts';
import type { Equilibrium, Lists, OrderList } from '../state.ts';

/** A book with what is beside it. */
type Called = Iced & { readonly lists?: Lists };

export const NO_CROSS: Equilibrium = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };

export function equilibrium(
  iced: Called,
  referenceTicks: number,
  matchingRules = MATCHING_RULES_VERSION,
): Equilibrium {
  const { buys, sells } = iced.book;
  const highest = bestLevel(buys)?.priceTicks ?? 0;
  const lowest = bestLevel(sells)?.priceTicks ?? Number.MAX_SAFE_INTEGER;
  if (highest < lowest) return NO_CROSS;
  const reference = Math.min(highest, Math.max(lowest, referenceTicks));
  const best = noneYet();
  eachPrice(iced, { lowest, highest, reference }, (ticks, demand, supply) =>
    consider(best, { ticks, surplus: demand - supply }, Math.min(demand, supply), reference),
  );
  if (matchingRules >= 4) return agreed(iced.book, best, reference);
  const { executable, least } = best;
  const [lowTicks, highTicks] = [best.low.ticks, best.high.ticks];
  const isBuyers = best.buyers > 0 && best.buyers === best.count;
  const isSellers = best.sellers > 0 && best.sellers === best.count;
  const nearest = Math.min(highTicks, Math.max(lowTicks, reference));
  const ticks = isBuyers ? highTicks : isSellers ? lowTicks : nearest;
  const surplus = ticks === lowTicks ? best.low.surplus : ticks === highTicks ? best.high.surplus : 0;
  const surplusSide = surplus > 0 ? 'buy' : surplus < 0 ? 'sell' : null;
  return { priceTicks: ticks, quantity: executable, surplus: surplusSide ? least : 0, surplusSide };
}

/** The best price, with what one side wants more of there. */
function agreed({ buys, sells }: Book, best: Best, reference: number): Equilibrium {
  const { executable, low, high, most } = best;
  const unpriced = isUnpriced(buys, executable) && isUnpriced(sells, executable);
  const isBuyers = best.buyers > 0 && best.buyers === best.count;
  const isSellers = best.sellers > 0 && best.sellers === best.count;
  const between = unpriced ? most : { low, high };
  const at =
    !unpriced && isBuyers
      ? high
      : !unpriced && isSellers
        ? low
        : reference <= between.low.ticks
          ? between.low
          : reference >= between.high.ticks
            ? between.high
            : best.atReference;
  const surplusSide = at.surplus > 0 ? 'buy' : at.surplus < 0 ? 'sell' : null;
  return { priceTicks: at.ticks, quantity: executable, surplus: Math.abs(at.surplus), surplusSide };
}

/** Whether the first so many shares of a side are all of orders without a limit of their own. */
function isUnpriced({ sorted }: Levels, quantity: number): boolean {
  let left = quantity;
  for (let i = sorted.length - 1; i >= 0 && left > 0; i--) {
    const level = sorted[i] as Level;
    if (level.unpriced < Math.min(left, level.shares)) return false;
    if (level.unpriced === level.shares) {
      left -= level.shares;
      continue;
    }
    for (let order = level.first; order && left > 0; order = level.after(order)) {
      if ((order.flags & UNPRICED) === 0) return false;
      left -= order.leaves;
    }
  }
  return true;
}

/** A price, and how much more is wanted than offered there. */
type At = { readonly ticks: number; readonly surplus: number };
const NOWHERE: At = { ticks: 0, surplus: 0 };
/**
 * The best prices so far: how many are equally good, how many of them leave buyers or sellers, and the lowest and the
 * highest. `most`: the lowest and the highest at which as much is executed, whatever the surplus.
 */
type Best = ReturnType<typeof noneYet>;
const noneYet = () => ({
  executable: 0,
  least: 0,
  count: 0,
  buyers: 0,
  sellers: 0,
  low: NOWHERE,
  high: NOWHERE,
  most: { low: NOWHERE, high: NOWHERE },
  atReference: NOWHERE,
});

/** Prices come in rising order. */
function consider(best: Best, at: At, executable: number, reference: number): void {
  const { ticks, surplus } = at;
  if (ticks === reference) best.atReference = at;
  if (best.count === 0 || executable > best.executable) best.most = { low: at, high: at };
  else if (executable === best.executable) best.most.high = at;
  const left = Math.abs(surplus);
  const isWorse = executable < best.executable || (executable === best.executable && left > best.least);
  if (best.count > 0 && isWorse) return;
  const isBetter = executable > best.executable || left < best.least || best.count === 0;
  if (isBetter) {
    Object.assign(best, { executable, least: left, count: 0, buyers: 0, sellers: 0 });
    best.low = at;
  }
  best.count += 1;
  if (surplus > 0) best.buyers += 1;
  if (surplus < 0) best.sellers += 1;
  best.high = at;
}

/**
 * Every price that counts, in rising order, with what is wanted there or higher and offered there or lower. One walk over
 * the levels that overlap: it happens after every input of a call.
 */
function eachPrice(
  iced: Called,
  { lowest, highest, reference }: { lowest: number; highest: number; reference: number },
  tell: (ticks: number, demand: number, supply: number) => void,
): void {
  const { buys, sells } = iced.book;
  const hidden = iced.icebergs.size > 0 || iced.lists?.size ? unseenByPrice(iced) : null;
  const sharesOf = (level: Level, side: 'buy' | 'sell'): number =>
    level.shares + (hidden?.[side].get(level.priceTicks) ?? 0);
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
    tell(ticks, demand, supply);
    if (bid === ticks) {
      demand -= sharesOf(buys.sorted[buy] as Level, 'buy');
      buy += 1;
    }
    if (ticks === reference) isReferenceDue = false;
  }
}

/**
 * What a level does not show: what icebergs hide, and (below zero) what two orders of a list share, which the one at the
 * better price counts for already.
 */
function unseenByPrice({
  book,
  icebergs,
  lists = new Map(),
}: Called): Record<'buy' | 'sell', Map<number, number>> {
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
    const worse = (a.side === 'buy' ? Math.min : Math.max)(a.priceTicks, b.priceTicks);
    const ofSide = byPrice[a.side];
    ofSide.set(worse, (ofSide.get(worse) ?? 0) - Math.min(a.leaves, b.leaves));
  }
  return byPrice;
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
