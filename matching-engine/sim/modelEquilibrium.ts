import type { BookFact } from '@brokerx/contracts';
import type { Order } from './modelOrder.ts';

/** The result of an auction. */
type Result = Extract<BookFact, { type: 'IndicativePriceChanged.v1' }>['data'];

export const NO_CROSS: Result = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };

/** The auction price: tries every candidate price and adds up all orders for each. */
export function equilibriumOf(
  orders: readonly Order[],
  reference: number,
  openOf = (o: Order) => o.quantity - o.done,
): Result {
  const shares = new Map(orders.map((o) => [o, openOf(o)]));
  const open = (o: Order) => shares.get(o) ?? 0;
  const sum = (some: readonly Order[]) => some.reduce((total, o) => total + open(o), 0);
  const buys = orders.filter(({ side }) => side === 'buy');
  const sells = orders.filter(({ side }) => side === 'sell');
  const [low, high] = [Math.min(...sells.map((o) => o.price)), Math.max(...buys.map((o) => o.price))];
  if (low > high || buys.length === 0 || sells.length === 0)
    return { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const clamped = [low, reference, high].sort((a, b) => a - b)[1] as number;
  const candidates = [...new Set([clamped, ...orders.map((o) => o.price)])]
    .filter((price) => price >= low && price <= high)
    .map((price) => {
      const demand = sum(buys.filter((o) => o.price >= price));
      const supply = sum(sells.filter((o) => o.price <= price));
      return { price, quantity: Math.min(demand, supply), surplus: demand - supply };
    })
    .sort(
      (a, b) => b.quantity - a.quantity || Math.abs(a.surplus) - Math.abs(b.surplus) || a.price - b.price,
    );
  const [best] = candidates;
  if (!best) throw new Error('prices overlap, so there is one');
  const equallyGood = candidates.filter(
    (one) => one.quantity === best.quantity && Math.abs(one.surplus) === Math.abs(best.surplus),
  );
  const byDistance = equallyGood.toSorted(
    (a, b) => Math.abs(a.price - reference) - Math.abs(b.price - reference),
  );
  /** Whether all orders of a side that would trade have no limit of their own. */
  const areAllUnpriced = (side: readonly Order[]) => {
    let remaining = best.quantity;
    return side
      .toSorted((a, b) => (a.side === 'buy' ? b.price - a.price : a.price - b.price) || a.arrival - b.arrival)
      .every((o) => {
        const allotted = Math.min(remaining, open(o));
        remaining -= allotted;
        return allotted === 0 || o.unpriced;
      });
  };
  const mostExecutable = candidates.filter(({ quantity }) => quantity === best.quantity);
  const onlyUnpricedTrade = areAllUnpriced(buys) && areAllUnpriced(sells);
  const unpricedByDistance = mostExecutable.toSorted(
    (a, b) => Math.abs(a.price - reference) - Math.abs(b.price - reference),
  );
  const isBuyerSurplus = equallyGood.every(({ surplus }) => surplus > 0);
  const isSellerSurplus = equallyGood.every(({ surplus }) => surplus < 0);
  const pricedChoice =
    (isBuyerSurplus ? equallyGood.at(-1) : isSellerSurplus ? equallyGood[0] : byDistance[0]) ?? best;
  const chosen = (onlyUnpricedTrade ? unpricedByDistance[0] : pricedChoice) ?? best;
  const surplusSide = chosen.surplus > 0 ? 'buy' : chosen.surplus < 0 ? 'sell' : null;
  return {
    priceTicks: chosen.price,
    quantity: chosen.quantity,
    surplus: Math.abs(chosen.surplus),
    surplusSide,
  };
}
