import { HashSlots, rowsMaxOf } from './hashSlots.ts';
import { hashOf, word } from './ids.ts';
import { ID, NONE, type OrderRows, PAGE_SHIFT, ROW_MASK, WORDS_SHIFT } from './rows.ts';

/**
 * Finds a row by the words of its id. When the hash table gets full, one of twice the size takes its place little by
 * little: each further add moves a few slots, so that no order waits while all others are moved.
 */
export class OrderIndex {
  readonly #rows: OrderRows;
  #table = new HashSlots(SLOTS_MIN);
  /** The table before, while rows move from it to `#table`. */
  #old: HashSlots | null = null;
  /** The rows whose first place is one of the `#moved` places of `#old` from `#start` on are in `#table`. */
  #start = 0;
  #moved = 0;
  #size = 0;
  /** The hash of the id of the last `find`. */
  #hash = 0;

  constructor(rows: OrderRows) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#size;
  }

  /** Makes the slots for this many rows at once. Does nothing unless the index is empty. */
  reserve(count: number): void {
    if (this.#size > 0) return;
    let slots = this.#table.slots;
    while (count > rowsMaxOf(slots)) slots *= 2;
    this.#table = new HashSlots(slots);
    this.#old = null;
  }

  /** The row with the id in `word`, or `NONE`. */
  find(): number {
    const a = word[0] as number;
    const b = word[1] as number;
    const c = word[2] as number;
    const d = word[3] as number;
    const { pages } = this.#rows;
    const hash = hashOf(a, b, c, d);
    this.#hash = hash;
    const { words, shift, mask } = this.#tableOf(hash);
    for (let place = (hash >>> shift) & mask; ; place = (place + 2) & mask) {
      const row = (words[place + 1] as number) - 1;
      if (row === NONE) return NONE;
      if (words[place] !== hash) continue;
      const page = pages[row >>> PAGE_SHIFT] as Int32Array;
      const at = (row & ROW_MASK) << WORDS_SHIFT;
      if (
        page[at + ID + 3] === d &&
        page[at + ID + 2] === c &&
        page[at + ID + 1] === b &&
        page[at + ID] === a
      )
        return row;
    }
  }

  /** Adds a row whose id the last `find` did not find. */
  add(row: number): void {
    this.#tableOf(this.#hash).put(this.#hash, row);
    this.#size += 1;
    if (this.#old) this.#moveSome(this.#old);
    else if (this.#size > this.#table.rowsMax) this.#grow();
  }

  remove(row: number): void {
    const hash = this.#hashOf(row);
    this.#tableOf(hash).take(hash, row);
    this.#size -= 1;
  }

  #hashOf(row: number): number {
    const page = this.#rows.of(row);
    const at = ((row & ROW_MASK) << WORDS_SHIFT) + ID;
    return hashOf(page[at] as number, page[at + 1] as number, page[at + 2] as number, page[at + 3] as number);
  }

  /** The table that holds the row with this hash, if any. */
  #tableOf(hash: number): HashSlots {
    const old = this.#old;
    if (old === null) return this.#table;
    const { shift, mask } = old;
    return ((((hash >>> shift) & mask) - this.#start) & mask) < this.#moved ? this.#table : old;
  }

  #grow(): void {
    const old = this.#table;
    this.#old = old;
    this.#table = new HashSlots(2 * old.slots);
    // Where a slot is free, no row stands behind its first place across the border between moved and not moved.
    this.#start = 0;
    while (old.words[this.#start + 1] !== 0) this.#start += 2;
    // The free slot counts as moved: rows from the end of the table that come there later are the last to move.
    this.#moved = 2;
  }

  /** Moves the next slots of the old table, and then as many as it takes to come to a free one again. */
  #moveSome({ words, mask }: HashSlots): void {
    const enough = this.#moved + WORDS_PER_ADD;
    for (; ; this.#moved += 2) {
      const place = (this.#start + this.#moved) & mask;
      const row = (words[place + 1] as number) - 1;
      if (row !== NONE) {
        this.#table.put(words[place] as number, row);
        words[place] = 0;
        words[place + 1] = 0;
      } else if (this.#moved >= enough) break;
    }
    if (this.#moved >= words.length) this.#old = null;
  }
}

const SLOTS_MIN = 16;
/** One cache line of the old table: eight slots. The new one is at most half full when all are moved. */
const WORDS_PER_ADD = 16;
