import {
  bookChecksum,
  CHECKSUM_LEVELS,
  centsFromDecimal,
  type Levels,
  noLevels,
  placeOf,
  type Side,
  topLevels,
  type views,
  type WireLevel,
} from '@brokerx/contracts';
import { type LocalCopy, localCopy } from './localCopy.ts';

/** A local copy of a symbol's public book, by price. It compares the checksum of every update. */
export type LocalBook = LocalCopy<views.DepthUpdate, views.BookView> & {
  /** Best first. */
  bids(count?: number): WireLevel[];
  asks(count?: number): WireLevel[];
};

export function localBook(): LocalBook {
  let bids = noLevels();
  let asks = noLevels();
  const top = (levels: Levels, count = Number.MAX_SAFE_INTEGER) => topLevels(levels, 1, count);
  const set = (changes: { bids: WireLevel[]; asks: WireLevel[]; checksum: number }): boolean => {
    setAll(bids, 'buy', changes.bids);
    setAll(asks, 'sell', changes.asks);
    const best = { bids: top(bids, CHECKSUM_LEVELS), asks: top(asks, CHECKSUM_LEVELS) };
    return bookChecksum(best) === changes.checksum;
  };
  return {
    ...localCopy<views.DepthUpdate, views.BookView>({
      load(snapshot) {
        bids = noLevels();
        asks = noLevels();
        return set(snapshot);
      },
      apply: set,
    }),
    bids: (count) => top(bids, count),
    asks: (count) => top(asks, count),
  };
}

function setAll(levels: Levels, side: Side, changes: readonly WireLevel[]): void {
  const { prices, quantities } = levels;
  for (const [price, text] of changes) {
    const cents = centsFromDecimal(price);
    if (cents === undefined) throw new RangeError(`${price} is no price`);
    const quantity = Number(text);
    const place = placeOf(prices, side, cents);
    const exists = quantities.has(cents);
    if (quantity === 0) {
      if (exists) prices.splice(place, 1);
      quantities.delete(cents);
    } else {
      if (!exists) prices.splice(place, 0, cents);
      quantities.set(cents, quantity);
    }
  }
}
