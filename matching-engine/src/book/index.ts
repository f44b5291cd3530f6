import { hashOf, word } from './ids.ts';
import { CHAIN, ID, NONE, type OrderRows, PAGE_SHIFT, ROW_MASK, WORDS_SHIFT } from './rows.ts';

/**
 * Finds a row by the words of its id. This is a hash table that grows by one bucket at a time (linear hashing), so that
 * no order waits while all others are moved. The rows of a bucket are linked by `CHAIN`.
 */
export class OrderIndex {
  readonly #rows: OrderRows;
  #heads: Int32Array<ArrayBuffer> = new Int32Array(HEADS).fill(NONE);
  /** Buckets below `split` have been split for the next doubling: their hashes use one more bit than `mask`. */
  #mask = HEADS / 2 - 1;
  #split = 0;
  #size = 0;
  /** The hash of the id of the last `find`. */
  #hash = 0;

  constructor(rows: OrderRows) {
    this.#rows = rows;
  }

  get size(): number {
    return this.#size;
  }

  /** Makes the buckets for this many rows at once. Does nothing unless the index is empty. */
  reserve(count: number): void {
    if (this.#size > 0) return;
    while (this.#mask + 1 < count * BUCKETS_PER_ROW) this.#mask = 2 * this.#mask + 1;
    this.#heads = new Int32Array(Math.max(this.#heads.length, this.#mask + 1)).fill(NONE);
    this.#split = 0;
  }

  /** The row with the id in `word`, or `NONE`. */
  find(): number {
    const a = word[0] as number;
    const b = word[1] as number;
    const c = word[2] as number;
    const d = word[3] as number;
    const { pages } = this.#rows;
    this.#hash = hashOf(a, b, c, d);
    let row = this.#heads[this.#bucket(this.#hash)] as number;
    while (row !== NONE) {
      const page = pages[row >>> PAGE_SHIFT] as Int32Array;
      const at = (row & ROW_MASK) << WORDS_SHIFT;
      if (
        page[at + ID + 3] === d &&
        page[at + ID + 2] === c &&
        page[at + ID + 1] === b &&
        page[at + ID] === a
      )
        break;
      row = page[at + CHAIN] as number;
    }
    return row;
  }

  /** Adds a row whose id the last `find` did not find. */
  add(row: number): void {
    const bucket = this.#bucket(this.#hash);
    this.#rows.own(row)[((row & ROW_MASK) << WORDS_SHIFT) + CHAIN] = this.#heads[bucket] as number;
    this.#heads[bucket] = row;
    this.#size += 1;
    if (this.#size * BUCKETS_PER_ROW > this.#mask + 1 + this.#split) this.#addBucket();
  }

  remove(row: number): void {
    const bucket = this.#bucket(this.#hashOf(row));
    const after = this.#rows.get(row, CHAIN);
    const head = this.#heads[bucket] as number;
    if (head === row) this.#heads[bucket] = after;
    else {
      let before = head;
      for (let at = this.#rows.get(head, CHAIN); at !== row; at = this.#rows.get(at, CHAIN)) before = at;
      this.#rows.set(before, CHAIN, after);
    }
    this.#size -= 1;
  }

  #hashOf(row: number): number {
    const page = this.#rows.of(row);
    const at = ((row & ROW_MASK) << WORDS_SHIFT) + ID;
    return hashOf(page[at] as number, page[at + 1] as number, page[at + 2] as number, page[at + 3] as number);
  }

  #bucket(hash: number): number {
    const bucket = hash & this.#mask;
    return bucket < this.#split ? hash & (2 * this.#mask + 1) : bucket;
  }

  /** Splits the next bucket: half of its rows go to a new one at the end. */
  #addBucket(): void {
    const rows = this.#rows;
    const bit = this.#mask + 1;
    const low = this.#split;
    const high = low + bit;
    if (high >= this.#heads.length) {
      const heads = new Int32Array(2 * this.#heads.length).fill(NONE);
      heads.set(this.#heads);
      this.#heads = heads;
    }
    let row = this.#heads[low] as number;
    this.#heads[low] = NONE;
    while (row !== NONE) {
      const next = rows.get(row, CHAIN);
      const bucket = (this.#hashOf(row) & bit) === 0 ? low : high;
      rows.set(row, CHAIN, this.#heads[bucket] as number);
      this.#heads[bucket] = row;
      row = next;
    }
    this.#split += 1;
    if (this.#split < bit) return;
    this.#mask = 2 * this.#mask + 1;
    this.#split = 0;
  }
}

/** The number of buckets at first. */
const HEADS = 16;
/** More buckets than rows, so that a bucket seldom has a second row to compare. They cost 8 bytes for each row. */
const BUCKETS_PER_ROW = 2;
