import assert from 'node:assert/strict';
import { type BookEvent, DEPTH_LEVELS_MAX, decimalFromCents, type Side } from '@brokerx/contracts';

/**
 * The resting quantities of one book by price, followed from the book's own events. Prices are ticks, quantities
 * shares. An accepted order comes before its trades but rests only what they leave, so the rest is entered once
 * the last of them is seen: what is published between two events is never crossed. Of an iceberg only its peak stands
 * here; the trade that uses it up tells the next one.
 */
export type Depth = {
  bids: Levels;
  asks: Levels;
  /**
   * The rest of an order of which more is told before it enters: `after` so many events, or (null) with the trade that
   * leaves so much. `shown` of it will stand here.
   */
  coming: Coming | null;
};

type Coming = {
  orderId: string;
  side: Side;
  ticks: number;
  quantity: number;
  shown: number;
  after: number | null;
};

/** One side: prices best first, and the shares at each. */
export type Levels = { prices: number[]; quantities: Map<number, number> };

export const emptyDepth = (): Depth => ({ bids: emptyLevels(), asks: emptyLevels(), coming: null });

/** Follows the book by one event, in place. */
export function evolveDepth(depth: Depth, event: BookEvent): void {
  switch (event.type) {
    case 'OrderAccepted.v1': {
      const { order, side, limitTicks: ticks, quantity, restingQuantity } = event.data;
      const { entersAfter: after = null, shownQuantity: shown = restingQuantity } = event.data;
      if (restingQuantity === 0) return;
      if (restingQuantity === quantity && after === null) put(depth, side, ticks, shown);
      else depth.coming = { orderId: order.orderId, side, ticks, quantity: restingQuantity, shown, after };
      return;
    }
    case 'TradeExecuted.v1': {
      const { takerSide, priceTicks, quantity, taker, makerPeak } = event.data;
      takeFromMaker(depth, takerSide, priceTicks, quantity, makerPeak);
      const { coming } = depth;
      if (coming?.after === null && coming.orderId === taker.orderId && taker.leaves === coming.quantity) {
        enter(depth, coming);
      }
      break;
    }
    case 'TradePrevented.v1': {
      const { mode, takerSide, priceTicks, quantity, makerPeak } = event.data;
      if (mode === 'decrement') takeFromMaker(depth, takerSide, priceTicks, quantity, makerPeak);
      break;
    }
    case 'OrderReplaced.v1': {
      const { order, side, priceTicks, leavesBefore, leaves, entry, held } = event.data;
      if (held) break;
      const { shownBefore = leavesBefore, shown = leaves } = event.data;
      take(depth, side, priceTicks, entry ? shownBefore : shownBefore - shown);
      if (!entry || entry.restingQuantity === 0) break;
      announce(depth, order.orderId, side, entry);
      return;
    }
    case 'OrderTriggered.v1': {
      const { order, side, limitTicks: priceTicks, restingQuantity, entersAfter } = event.data;
      if (restingQuantity === 0) return;
      announce(depth, order.orderId, side, { priceTicks, restingQuantity, entersAfter });
      return;
    }
    case 'OrderCanceled.v1':
      if (event.data.held) break;
      withdraw(depth, event.data);
      break;
    case 'OrderExpired.v1':
      if (event.data.resting) withdraw(depth, event.data);
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

function enter(depth: Depth, { side, ticks, shown }: Coming): void {
  put(depth, side, ticks, shown);
  depth.coming = null;
}

/** The rest of an order that enters after so many further outputs. */
function announce(
  depth: Depth,
  orderId: string,
  side: Side,
  entry: {
    priceTicks: number;
    restingQuantity: number;
    shownQuantity?: number | undefined;
    entersAfter: number;
  },
): void {
  const { priceTicks: ticks, restingQuantity: quantity, entersAfter: after } = entry;
  const { shownQuantity: shown = quantity } = entry;
  if (after === 0) put(depth, side, ticks, shown);
  else depth.coming = { orderId, side, ticks, quantity, shown, after };
}

function takeFromMaker(
  depth: Depth,
  takerSide: Side,
  ticks: number,
  quantity: number,
  makerPeak: number | undefined,
): void {
  const side = takerSide === 'buy' ? 'sell' : 'buy';
  take(depth, side, ticks, quantity);
  if (makerPeak !== undefined) put(depth, side, ticks, makerPeak);
}

function withdraw(
  depth: Depth,
  gone: { side: Side; priceTicks: number; quantity: number; shownQuantity?: number | undefined },
): void {
  take(depth, gone.side, gone.priceTicks, gone.shownQuantity ?? gone.quantity);
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
