import assert from 'node:assert/strict';

/**
 * Stores orders as rows of sixteen 32-bit integers, one cache line each, outside the garbage-collected heap. A million
 * orders are 64 MB that no collection scans, and growing moves no array. Rows are in pages, pages in large buffers, which
 * the operating system can give large memory pages. A snapshot shares the rows in blocks: before the first write to a
 * shared block its rows are copied for the snapshot.
 */
export const NONE = -1;

/** The words of a row. The id has four. */
export const ID = 0;
export const ACCOUNT = 4;
export const REVISION = 5;
export const PRICE = 6;
/** The flags (`flags.ts`). The sign bit is set for buys. */
export const FLAGS = 7;
export const QUANTITY = 8;
export const LEAVES = 9;
export const LEVEL = 10;
/** The neighbours in the level. */
export const PREVIOUS = 11;
export const NEXT = 12;
// Word 13 is free.
/** The number of the arrival, in two words. It is the priority in time, and tells successive orders in one row apart. */
export const ARRIVAL = 14;
export const ARRIVAL_HIGH = 15;

/** A row's words begin in its page at `(row & ROW_MASK) << WORDS_SHIFT`. */
export const WORDS_SHIFT = 4;
export const ROW_WORDS = 1 << WORDS_SHIFT;
/** A page has 16,384 rows, 1 MB. */
export const PAGE_SHIFT = 14;
const PAGE_ROWS = 1 << PAGE_SHIFT;
export const ROW_MASK = PAGE_ROWS - 1;
const PAGE_WORDS = PAGE_ROWS * ROW_WORDS;
/** The first page begins small and doubles, because most books hold few orders. */
const FIRST_PAGE_ROWS = 16;
/** A new buffer has a quarter as many pages as there are, at least 1 MB and at most 32 MB: less than that is unused. */
const pagesToAdd = (pages: number): number => Math.min(32, Math.max(1, pages >> 2));
/** A block has 1,024 rows, 64 KB. Copying one takes about 10 µs. */
const BLOCK_SHIFT = 10;
const BLOCK_ROWS = 1 << BLOCK_SHIFT;

/** The rows as they are at one moment. */
export type SharedRows = {
  readonly blocks: number;
  /** The rows of a block, valid until the next write to the book. */
  block(block: number): Int32Array;
  /** Ends the sharing of the next block: the snapshot has what it needs of it. */
  release(): void;
};

export class OrderRows {
  readonly pages: Int32Array<ArrayBuffer>[] = [];
  /** Pages of the last buffer that are not in use yet, the next one last. */
  readonly #spare: Int32Array<ArrayBuffer>[] = [];
  /** The blocks from here to `#sharedEnd` are shared. */
  #sharedFrom = 0;
  #sharedEnd = 0;
  /** The shared blocks that were written to, as they were before. */
  #kept: (Int32Array | undefined)[] = [];
  /** The number of rows that were ever in use. */
  #used = 0;
  /** The first free one of them; free rows are linked by `NEXT`. */
  #free = NONE;

  /** The page of a row, for reading only. */
  of(row: number): Int32Array {
    return this.pages[row >>> PAGE_SHIFT] as Int32Array;
  }

  /** The page of a row, for writing: a snapshot keeps what it shares. */
  own(row: number): Int32Array {
    if (this.#sharedEnd > 0) this.#keep(row >>> BLOCK_SHIFT);
    return this.pages[row >>> PAGE_SHIFT] as Int32Array;
  }

  get(row: number, word: number): number {
    return (this.pages[row >>> PAGE_SHIFT] as Int32Array)[((row & ROW_MASK) << WORDS_SHIFT) + word] as number;
  }

  set(row: number, word: number, value: number): void {
    this.own(row)[((row & ROW_MASK) << WORDS_SHIFT) + word] = value;
  }

  /** A free row, which is now in use. */
  take(): number {
    const row = this.#free;
    if (row !== NONE) {
      this.#free = this.get(row, NEXT);
      return row;
    }
    const page = this.pages[this.#used >>> PAGE_SHIFT];
    if (!page || (this.#used & ROW_MASK) * ROW_WORDS >= page.length) this.#grow(page);
    this.#used += 1;
    return this.#used - 1;
  }

  give(row: number): void {
    const page = this.own(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    page[at + LEVEL] = NONE;
    page[at + NEXT] = this.#free;
    this.#free = row;
  }

  /** All rows in use, in no particular order. */
  *inUse(): Generator<number> {
    for (let row = 0; row < this.#used; row++) if (this.get(row, LEVEL) !== NONE) yield row;
  }

  /** Shares the rows as they are now with a snapshot, until it has released all blocks. */
  share(): SharedRows {
    assert(this.#sharedEnd === 0, 'one snapshot at a time');
    const blocks = Math.ceil(this.#used / BLOCK_ROWS);
    this.#sharedFrom = 0;
    this.#sharedEnd = blocks;
    return {
      blocks,
      block: (block) => this.#kept[block] ?? this.#rowsOf(block),
      release: () => {
        this.#kept[this.#sharedFrom] = undefined;
        this.#sharedFrom += 1;
        if (this.#sharedFrom < blocks) return;
        this.#sharedEnd = 0;
        this.#kept = [];
      },
    };
  }

  /** Copies a block of the snapshot's unless that was done. */
  #keep(block: number): void {
    if (block < this.#sharedFrom || block >= this.#sharedEnd || this.#kept[block]) return;
    this.#kept[block] = this.#rowsOf(block).slice();
  }

  #rowsOf(block: number): Int32Array {
    const first = block << BLOCK_SHIFT;
    const at = (first & ROW_MASK) << WORDS_SHIFT;
    return this.of(first).subarray(at, at + BLOCK_ROWS * ROW_WORDS);
  }

  #grow(full: Int32Array<ArrayBuffer> | undefined): void {
    if (full) {
      const larger = new Int32Array(2 * full.length);
      larger.set(full);
      this.pages[0] = larger;
    } else if (this.pages.length === 0) this.pages.push(new Int32Array(FIRST_PAGE_ROWS * ROW_WORDS));
    else {
      if (this.#spare.length === 0) this.#addBuffer(pagesToAdd(this.pages.length));
      this.pages.push(this.#spare.pop() as Int32Array<ArrayBuffer>);
    }
  }

  #addBuffer(pages: number): void {
    const words = new Int32Array(pages * PAGE_WORDS);
    for (let page = pages - 1; page >= 0; page--)
      this.#spare.push(words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS));
  }
}
