import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { Side } from '../base/order.ts';
import { decimalFromCents } from '../base/units.ts';

/** One side of a public book: prices best first, and the shares at each. */
export type Levels = { prices: number[]; quantities: Map<number, number> };

export const noLevels = (): Levels => ({ prices: [], quantities: new Map() });

export function putLevel(levels: Levels, side: Side, ticks: number, quantity: number): void {
  const { prices, quantities } = levels;
  const standing = quantities.get(ticks);
  quantities.set(ticks, (standing ?? 0) + quantity);
  if (standing === undefined) prices.splice(placeOf(prices, side, ticks), 0, ticks);
}

export function takeLevel(levels: Levels, side: Side, ticks: number, quantity: number): void {
  const { prices, quantities } = levels;
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

/** The levels of these orders, all of one side. */
export function levelsOf(side: Side, orders: readonly { ticks: number; quantity: number }[]): Levels {
  const quantities = new Map<number, number>();
  for (const { ticks, quantity } of orders) quantities.set(ticks, (quantities.get(ticks) ?? 0) + quantity);
  const prices = [...quantities.keys()].sort((a, b) => (side === 'buy' ? b - a : a - b));
  return { prices, quantities };
}

/** The index of the price, or the index at which to insert it. Bids fall, asks rise. */
export function placeOf(prices: readonly number[], side: Side, ticks: number): number {
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

/** A level on the wire: price and quantity as decimal strings. */
export type WireLevel = [price: string, quantity: string];

/** The best levels of a side, best first. */
export const topLevels = (levels: Levels, tickCents: number, count: number): WireLevel[] =>
  levels.prices
    .slice(0, count)
    .map((ticks) => [decimalFromCents(ticks * tickCents), String(levels.quantities.get(ticks))]);

/** The best levels of each side that the checksum covers. */
export const CHECKSUM_LEVELS = 10;

/**
 * The checksum of a book: the CRC-32 of zip, gzip and PNG over the text `<bids>|<asks>`. Each side is its ten best
 * levels, best first, as `price:quantity` joined by commas, with digits exactly as in the messages. An empty book's
 * text is `|`.
 */
export function bookChecksum({
  bids,
  asks,
}: {
  bids: readonly WireLevel[];
  asks: readonly WireLevel[];
}): number {
  const text = (levels: readonly WireLevel[]) =>
    levels
      .slice(0, CHECKSUM_LEVELS)
      .map(([price, quantity]) => `${price}:${quantity}`)
      .join(',');
  return crc32(`${text(bids)}|${text(asks)}`);
}
