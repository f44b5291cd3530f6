import assert from 'node:assert/strict';

/**
 * Orders as rows of sixteen integers, one cache line each, in pages outside the collected heap: a million of them are
 * 64 MB that no garbage collection looks at, and no array is ever moved because it grows. A snapshot shares the pages;
 * whoever writes to a shared one writes to a copy.
 */
export const NONE = -1;

/** What the words of a row are. The id has four. */
export const ID = 0;
export const ACCOUNT = 4;
export const REVISION = 5;
export const PRICE = 6;
/** The flags; the sign bit is set on buys. */
export const FLAGS = 7;
export const QUANTITY = 8;
export const LEAVES = 9;
export const LEVEL = 10;
/** Neighbours in the level. */
export const PREVIOUS = 11;
export const NEXT = 12;
/** The next row of the same bucket. */
export const CHAIN = 13;
/** Counts arrivals, in two words: it tells priority in time, and one order from the next in the same row. */
export const ARRIVAL = 14;
export const ARRIVAL_HIGH = 15;

/** A row's words begin in its page at `(row & ROW_MASK) << WORDS_SHIFT`. */
export const WORDS_SHIFT = 4;
export const ROW_WORDS = 1 << WORDS_SHIFT;
/** 64 KB a page: copied in some 10 µs where a snapshot shares it. */
export const PAGE_SHIFT = 10;
const PAGE_ROWS = 1 << PAGE_SHIFT;
export const ROW_MASK = PAGE_ROWS - 1;
/** The first page begins small and is doubled: most books hold few orders. */
const FIRST_PAGE_ROWS = 16;

export class OrderRows {
  readonly pages: Int32Array<ArrayBuffer>[] = [];
  /** By page: a snapshot has it, too. Where `#sharing` is false, none. */
  readonly #shared: boolean[] = [];
  #sharing = false;
  /** Rows that were ever in use. */
  #used = 0;
  /** The first of those that are free again; linked by `NEXT`. */
  #free = NONE;

  /** The page of a row, to be read. */
  of(row: number): Int32Array {
    return this.pages[row >>> PAGE_SHIFT] as Int32Array;
  }

  /** The page of a row, to be written. */
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

  /** A row that nobody uses. */
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

  /** All rows in use, in no order. */
  *inUse(): Generator<number> {
    for (let row = 0; row < this.#used; row++) if (this.get(row, LEVEL) !== NONE) yield row;
  }

  /** The pages as they are now, which stay so: until `release`, whoever writes to one gets a copy of it. */
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
        // They are released in their order.
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
