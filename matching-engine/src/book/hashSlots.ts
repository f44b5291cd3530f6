/**
 * A hash table of rows with open addressing: a row is in the slot that its hash names, or in the next free one. Each
 * slot holds the hash beside the row, so that a search seldom reads a row that it does not look for. A free slot holds
 * zeros, as new memory does.
 */
export class HashSlots {
  /** Two words a slot: a hash, and a row + 1. A place in it is that of a slot's first word. */
  readonly words: Int32Array<ArrayBuffer>;
  /** A row's first place is given by the high bits of its hash, so that neighbours stay neighbours in a larger table. */
  readonly shift: number;
  /** The last place. */
  readonly mask: number;
  /** More rows than this make searches long. */
  readonly rowsMax: number;

  /** `slots` is a power of two. */
  constructor(slots: number) {
    this.words = new Int32Array(2 * slots);
    this.shift = Math.clz32(slots);
    this.mask = 2 * slots - 2;
    this.rowsMax = rowsMaxOf(slots);
  }

  get slots(): number {
    return this.words.length / 2;
  }

  /** Adds a row. There must be a free slot. */
  put(hash: number, row: number): void {
    const { words, mask } = this;
    let at = (hash >>> this.shift) & mask;
    while (words[at + 1] !== 0) at = (at + 2) & mask;
    words[at] = hash;
    words[at + 1] = row + 1;
  }

  /** Removes a row that is in the table. Later rows move up, so that a search may end at the first free slot. */
  take(hash: number, row: number): void {
    const { words, shift, mask } = this;
    let free = (hash >>> shift) & mask;
    while (words[free + 1] !== row + 1) free = (free + 2) & mask;
    for (let at = (free + 2) & mask; words[at + 1] !== 0; at = (at + 2) & mask) {
      const later = words[at] as number;
      const first = (later >>> shift) & mask;
      // A row must not move above its first place.
      if (((at - first) & mask) < ((at - free) & mask)) continue;
      words[free] = later;
      words[free + 1] = words[at + 1] as number;
      free = at;
    }
    words[free] = 0;
    words[free + 1] = 0;
  }
}

const SMALL_SLOTS = 2 ** 16;
/** A slot has 8 bytes: an order of a large book takes 10 to 20 of them, one of a small book up to 32. */
export const rowsMaxOf = (slots: number): number => slots * (slots <= SMALL_SLOTS ? 0.5 : 0.8);
