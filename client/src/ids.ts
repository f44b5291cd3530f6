import { randomFillSync } from 'node:crypto';

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
