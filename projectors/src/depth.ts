import assert from 'node:assert/strict';
import { type BookEvent, DEPTH_LEVELS_MAX, decimalFromCents, type Side } from '@brokerx/contracts';

/**
 * The resting quantities of one book by price, followed from the book's own events. Prices are ticks, quantities
 * shares. An accepted order comes before its trades but rests only what they leave, so the rest is entered once
 * the last of them is seen: what is published between two events is never crossed.
 */
export type Depth = {
  bids: Levels;
  asks: Levels;
  /**
   * The rest of an order of which more is told before it enters: `after` so many events, or (null) with the trade that
   * leaves so much.
   */
  coming: { orderId: string; side: Side; ticks: number; quantity: number; after: number | null } | null;
};

/** One side: prices best first, and the shares at each. */
export type Levels = { prices: number[]; quantities: Map<number, number> };

export const emptyDepth = (): Depth => ({ bids: emptyLevels(), asks: emptyLevels(), coming: null });

/** Follows the book by one event, in place. */
export function evolveDepth(depth: Depth, event: BookEvent): void {
  switch (event.type) {
    case 'OrderAccepted.v1': {
      const { order, side, limitTicks: ticks, quantity, restingQuantity } = event.data;
      const after = event.data.entersAfter ?? null;
      if (restingQuantity === quantity && after === null) put(depth, side, ticks, quantity);
      else if (restingQuantity > 0) {
        depth.coming = { orderId: order.orderId, side, ticks, quantity: restingQuantity, after };
      }
      return;
    }
    case 'OrderEntered.v1':
      put(depth, event.data.side, event.data.limitTicks, event.data.quantity);
      return;
    case 'TradeExecuted.v1': {
      const { takerSide, priceTicks, quantity, taker, auction } = event.data;
      if (auction) {
        take(depth, 'buy', auction.buyTicks, quantity);
        take(depth, 'sell', auction.sellTicks, quantity);
        return;
      }
      take(depth, takerSide === 'buy' ? 'sell' : 'buy', priceTicks, quantity);
      const { coming } = depth;
      if (coming?.after === null && coming.orderId === taker.orderId && taker.leaves === coming.quantity) {
        enter(depth, coming);
      }
      break;
    }
    case 'TradePrevented.v1': {
      const { mode, takerSide, priceTicks, quantity } = event.data;
      if (mode === 'decrement') take(depth, takerSide === 'buy' ? 'sell' : 'buy', priceTicks, quantity);
      break;
    }
    case 'OrderReplaced.v1': {
      const { order, side, priceTicks, leavesBefore, leaves, entry, held } = event.data;
      if (held) break;
      take(depth, side, priceTicks, entry ? leavesBefore : leavesBefore - leaves);
      if (!entry || entry.restingQuantity === 0) break;
      const { priceTicks: ticks, restingQuantity, entersAfter: after } = entry;
      if (after === 0) put(depth, side, ticks, restingQuantity);
      else depth.coming = { orderId: order.orderId, side, ticks, quantity: restingQuantity, after };
      return;
    }
    case 'OrderTriggered.v1': {
      const { order, side, limitTicks: ticks, restingQuantity, entersAfter: after } = event.data;
      if (restingQuantity === 0) return;
      if (after === 0) put(depth, side, ticks, restingQuantity);
      else depth.coming = { orderId: order.orderId, side, ticks, quantity: restingQuantity, after };
      return;
    }
    case 'OrderCanceled.v1':
      if (event.data.held) break;
      take(depth, event.data.side, event.data.priceTicks, event.data.quantity);
      break;
    case 'OrderExpired.v1':
      if (event.data.resting) take(depth, event.data.side, event.data.priceTicks, event.data.quantity);
      break;
    case 'EngineStarted.v1':
      // No output of an input.
      return;
  }
  const { coming } = depth;
  if (!coming || coming.after === null) return;
  coming.after -= 1;
  if (coming.after === 0) enter(depth, coming);
}

function enter(depth: Depth, { side, ticks, quantity }: NonNullable<Depth['coming']>): void {
  put(depth, side, ticks, quantity);
  depth.coming = null;
}

/** The best levels of a side as price and quantity, in wire form. */
export function topLevels(levels: Levels, tickCents: number): [string, string][] {
  return levels.prices
    .slice(0, DEPTH_LEVELS_MAX)
    .map((ticks) => [decimalFromCents(ticks * tickCents), String(levels.quantities.get(ticks))]);
}

/** Plain form for snapshots: price and quantity, best first. */
export const storedLevels = ({ prices, quantities }: Levels): [number, number][] =>
  prices.map((ticks) => [ticks, quantities.get(ticks) ?? 0]);
export const levelsOf = (stored: readonly [number, number][]): Levels => ({
  prices: stored.map(([ticks]) => ticks),
  quantities: new Map(stored),
});

const emptyLevels = (): Levels => ({ prices: [], quantities: new Map() });
const sideOf = (depth: Depth, side: Side): Levels => (side === 'buy' ? depth.bids : depth.asks);

function put(depth: Depth, side: Side, ticks: number, quantity: number): void {
  const { prices, quantities } = sideOf(depth, side);
  const standing = quantities.get(ticks);
  quantities.set(ticks, (standing ?? 0) + quantity);
  if (standing === undefined) prices.splice(placeOf(prices, side, ticks), 0, ticks);
}

function take(depth: Depth, side: Side, ticks: number, quantity: number): void {
  if (quantity === 0) return;
  const { prices, quantities } = sideOf(depth, side);
  const left = (quantities.get(ticks) ?? 0) - quantity;
  assert(
    left >= 0,
    `${quantity} shares are taken from the ${side} level ${ticks}, which has ${left + quantity}`,
  );
  if (left > 0) {
    quantities.set(ticks, left);
    return;
  }
  quantities.delete(ticks);
  prices.splice(placeOf(prices, side, ticks), 1);
}

/** Index of the price, or where it belongs: bids fall, asks rise. */
function placeOf(prices: readonly number[], side: Side, ticks: number): number {
  let low = 0;
  let high = prices.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const price = prices[middle] ?? 0;
    if (side === 'buy' ? price > ticks : price < ticks) low = middle + 1;
    else high = middle;
  }
  return low;
}
