import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn in blocks, because one call for each id would cost more than the id. */
const BLOCK_BYTES = 8_192;
const block = Buffer.allocUnsafe(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** The clock and randomness from which a client mints its ids and keys. */
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
