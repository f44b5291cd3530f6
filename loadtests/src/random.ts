import { randomFillSync } from 'node:crypto';

/** A seeded source: the same seed gives the same run. Draws are uniform. */
export type Random = {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
};

/** Mulberry32: small, seeded, the same on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    below: (below) => next() % below,
    chance: (probability) => next() / 2 ** 32 < probability,
    pick: (items) => items[next() % items.length] as (typeof items)[number],
  };
}

/** Random bytes are fetched in blocks: one call for each id would cost more than the id. */
const BLOCK_BYTES = 8_192;
const block = Buffer.allocUnsafe(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** Where a client's ids and keys come from. */
export const idSource = {
  nowMs: () => Date.now(),
  randomBytes(count: number): Uint8Array {
    if (used + count > BLOCK_BYTES) {
      randomFillSync(block);
      used = 0;
    }
    used += count;
    return block.subarray(used - count, used);
  },
};
