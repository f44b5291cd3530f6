import {
  bookChecksum,
  centsFromDecimal,
  type Levels,
  noLevels,
  placeOf,
  type Side,
  topLevels,
  type views,
  type WireLevel,
} from '@brokerx/contracts';

/**
 * A copy of a symbol's public book, kept by its updates. States: *syncing*, where updates are kept until a snapshot comes
 * that they go on from; *synced*, where each update follows the one before it. A gap, or a checksum that differs, makes it
 * sync again: then a new snapshot is needed.
 */
export type LocalBook = {
  isSynced(): boolean;
  /** What it reflects; -1 while it is syncing. */
  sequence(): number;
  /** `gap` and `mismatch`: it is syncing now. */
  take(update: views.DepthUpdate): 'kept' | 'known' | 'applied' | 'gap' | 'mismatch';
  /**
   * `too_old`: it lies before what came, or before `reached`, where the updates are known to begin; fetch another one.
   */
  begin(snapshot: views.BookView, reached?: number): 'synced' | 'too_old' | 'gap' | 'mismatch';
  /** What it had is of no use. */
  reset(): void;
  bids(count?: number): WireLevel[];
  asks(count?: number): WireLevel[];
};

/** Updates kept while a snapshot is on its way; more mean that none comes. */
const KEPT_MAX = 10_000;

export function localBook(): LocalBook {
  let bids = noLevels();
  let asks = noLevels();
  let sequence = -1;
  let synced = false;
  let kept: views.DepthUpdate[] = [];

  const reset = () => {
    synced = false;
    sequence = -1;
    kept = [];
  };
  const top = (levels: Levels, count = Number.MAX_SAFE_INTEGER) => topLevels(levels, 1, count);
  const agrees = (checksum: number) =>
    bookChecksum({ bids: top(bids, 10), asks: top(asks, 10) }) === checksum;
  const apply = (update: views.DepthUpdate): 'known' | 'applied' | 'gap' | 'mismatch' => {
    if (update.u <= sequence) return 'known';
    const follows = update.U <= sequence + 1;
    if (follows) {
      setAll(bids, 'buy', update.bids);
      setAll(asks, 'sell', update.asks);
      sequence = update.u;
      if (agrees(update.checksum)) return 'applied';
    }
    reset();
    // It may be the first one behind the next snapshot.
    kept.push(update);
    return follows ? 'mismatch' : 'gap';
  };

  return {
    isSynced: () => synced,
    sequence: () => sequence,
    take(update) {
      if (synced) return apply(update);
      if (kept.length === KEPT_MAX) kept.shift();
      kept.push(update);
      return 'kept';
    },
    begin(snapshot, reached = -1) {
      const updates = kept;
      const [first] = updates;
      if (snapshot.last_update_id < (first ? first.U - 1 : reached)) return 'too_old';
      bids = noLevels();
      asks = noLevels();
      setAll(bids, 'buy', snapshot.bids);
      setAll(asks, 'sell', snapshot.asks);
      sequence = snapshot.last_update_id;
      kept = [];
      if (!agrees(snapshot.checksum)) {
        reset();
        return 'mismatch';
      }
      synced = true;
      for (const [at, update] of updates.entries()) {
        const applied = apply(update);
        if (applied !== 'gap' && applied !== 'mismatch') continue;
        kept = updates.slice(at);
        return applied;
      }
      return 'synced';
    },
    reset,
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
    const stands = quantities.has(cents);
    if (quantity === 0) {
      if (stands) prices.splice(place, 1);
      quantities.delete(cents);
    } else {
      if (!stands) prices.splice(place, 0, cents);
      quantities.set(cents, quantity);
    }
  }
}
