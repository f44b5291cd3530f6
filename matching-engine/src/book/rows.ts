import assert from 'node:assert/strict';

/**
 * Stores orders as rows of sixteen 32-bit integers, one cache line each, in pages outside the garbage-collected heap. A
 * million orders are 64 MB that no collection scans, and growing moves no array. A snapshot shares the pages: a write
 * to a shared page copies it first.
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
/** A page has 1,024 rows, 64 KB. Copying one, while a snapshot shares it, takes about 10 µs. */
export const PAGE_SHIFT = 10;
const PAGE_ROWS = 1 << PAGE_SHIFT;
export const ROW_MASK = PAGE_ROWS - 1;
/** The first page begins small and doubles, because most books hold few orders. */
const FIRST_PAGE_ROWS = 16;

export class OrderRows {
  readonly pages: Int32Array<ArrayBuffer>[] = [];
  /** For each page whether a snapshot shares it. Valid only while `#sharing`. */
  readonly #shared: boolean[] = [];
  #sharing = false;
  /** The number of rows that were ever in use. */
  #used = 0;
  /** The first free one of them; free rows are linked by `NEXT`. */
  #free = NONE;

  /** The page of a row, for reading only. */
  of(row: number): Int32Array {
    return this.pages[row >>> PAGE_SHIFT] as Int32Array;
  }

  /** The page of a row, for writing: a shared page is copied. */
  own(row: number): Int32Array {
    const page = row >>> PAGE_SHIFT;
    if (this.#sharing && this.#shared[page]) this.#copy(page);
    return this.pages[page] as Int32Array;
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

  /** Shares the pages as they are now with a snapshot. Each stays unchanged until the snapshot releases it, in order. */
  share(): { readonly pages: readonly Int32Array[]; release(page: number): void } {
    const pages = [...this.pages];
    for (const page of pages.keys()) {
      assert(!this.#shared[page], 'one snapshot at a time');
      this.#shared[page] = true;
    }
    this.#sharing = pages.length > 0;
    return {
      pages,
      release: (page) => {
        if (this.pages[page] === pages[page]) this.#shared[page] = false;
        // Pages are released in order, so this was the last one.
        if (page === pages.length - 1) this.#sharing = false;
      },
    };
  }

  #copy(page: number): void {
    this.pages[page] = (this.pages[page] as Int32Array<ArrayBuffer>).slice();
    this.#shared[page] = false;
  }

  #grow(full: Int32Array<ArrayBuffer> | undefined): void {
    if (full && full.length < PAGE_ROWS * ROW_WORDS) {
      const larger = new Int32Array(2 * full.length);
      larger.set(full);
      this.pages[0] = larger;
      this.#shared[0] = false;
      return;
    }
    const rows = this.pages.length === 0 ? FIRST_PAGE_ROWS : PAGE_ROWS;
    this.pages.push(new Int32Array(rows * ROW_WORDS));
    this.#shared.push(false);
  }
}
