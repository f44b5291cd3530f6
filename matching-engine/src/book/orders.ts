import assert from 'node:assert/strict';
import { AccountNumbers } from './accountNumbers.ts';
import { idFrom, isOther, otherWords, word, words, wordsAgain } from './ids.ts';
import { OrderIndex } from './index.ts';
import {
  ACCOUNT,
  ARRIVAL,
  ARRIVAL_HIGH,
  FLAGS,
  ID,
  LEAVES,
  LEVEL,
  NONE,
  OrderRows,
  PRICE,
  QUANTITY,
  REVISION,
  ROW_MASK,
  WORDS_SHIFT,
} from './rows.ts';

export type Side = 'buy' | 'sell';

/** What is told of an order that is put into a book. */
export type NewOrder = {
  readonly id: string;
  readonly accountId: string;
  /** Revision of the account's stream that placed it. */
  readonly revision: number;
  readonly side: Side;
  readonly priceTicks: number;
  /** How it was placed, in bits (`flags.ts`). */
  readonly flags: number;
  /** Its total. */
  readonly quantity: number;
  /** What of its quantity is neither filled nor taken back. */
  readonly leaves: number;
};

/**
 * An order in a book, as it was when it was looked at: the book keeps it as a row of numbers. `fill` and `reduce` bring
 * this object up to date, and no other one of the same order.
 */
export type RestingOrder = NewOrder & {
  readonly row: number;
  /** Tells whether the row is still this order's. */
  readonly stamp: number;
};

const WORD = 2 ** 32;
const WORD_MAX = 2 ** 31 - 1;
/** The sign bit of a row's flags. */
export const BUYS = -(2 ** 31);
export const FLAGS_MASK = ~BUYS;
/** Small whole numbers by whole numbers that belong to them, in place. */
export function sortedBy(numbers: Float64Array, keyOf: (number: number) => number): Float64Array {
  const least = numbers.reduce((least, number) => Math.min(least, keyOf(number)), Number.MAX_SAFE_INTEGER);
  const most = numbers.reduce((most, number) => Math.max(most, keyOf(number)), 0);
  // Key and number in one, which sorts by itself and ten times as fast, unless that is too large.
  if ((most - least + 1) * NUMBERS_MAX > Number.MAX_SAFE_INTEGER || numbers.length > NUMBERS_MAX)
    return numbers.sort((a, b) => keyOf(a) - keyOf(b));
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    numbers[i] = (keyOf(number) - least) * NUMBERS_MAX + number;
  }
  numbers.sort();
  for (let i = 0; i < numbers.length; i++) numbers[i] = (numbers[i] as number) % NUMBERS_MAX;
  return numbers;
}

const NUMBERS_MAX = 2 ** 24;

/** Orders by id, and by their arrival. */
export class Orders {
  readonly rows = new OrderRows();
  readonly #index = new OrderIndex(this.rows);
  readonly accounts = new AccountNumbers();
  /** Ids that are no UUIDs, by a number that stands in their place. */
  readonly #otherIds = new Map<string, number>();
  readonly #otherNames = new Map<number, string>();
  #others = 0;
  /** Whether the id that was looked for last is no UUID. */
  #isOther = false;
  #arrivals = 0;

  get size(): number {
    return this.#index.size;
  }

  get(id: string): RestingOrder | undefined {
    if (this.size === 0) return undefined;
    const row = this.#find(id, words(id));
    return row === NONE ? undefined : this.seen(row, id);
  }

  has(id: string): boolean {
    return this.#find(id, words(id)) !== NONE;
  }

  /** All of them by arrival. Those that leave before their turn are left out, as are those that come meanwhile. */
  *values(): Generator<RestingOrder> {
    const last = this.#arrivals;
    for (const row of this.byArrival()) {
      if (this.rows.get(row, LEVEL) !== NONE && this.#arrivalOf(row) <= last) yield this.seen(row);
    }
  }

  /** Adds an order as the last to have come. Its row stands in no level yet. */
  add(order: NewOrder): number {
    const { id } = order;
    // Whoever adds an order has mostly looked for it just before.
    if (this.#find(id, wordsAgain(id)) !== NONE) assert.fail(`order ${id} is in the book already`);
    if (this.#isOther) this.#nameOther(id);
    return this.addRead(order, this.accounts.take(order.accountId));
  }

  /** The row with the id in `word`, or `NONE`. */
  findRead(): number {
    return this.#index.find();
  }

  /** Adds an order with the id in `word`, which was looked for last and not found; its account has been taken. */
  addRead(order: Omit<NewOrder, 'id' | 'accountId'>, account: number): number {
    const { revision, side, priceTicks, flags, quantity, leaves } = order;
    if (!(leaves > 0 && leaves <= quantity)) assert.fail(`an order has ${leaves} of ${quantity} to rest`);
    if (priceTicks > WORD_MAX || quantity > WORD_MAX || revision > WORD_MAX || flags >>> 0 > WORD_MAX)
      assert.fail(`an order has a number above ${WORD_MAX}`);
    this.#arrivals += 1;
    const row = this.rows.take();
    const page = this.rows.own(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    page[at + ID] = word[0] as number;
    page[at + ID + 1] = word[1] as number;
    page[at + ID + 2] = word[2] as number;
    page[at + ID + 3] = word[3] as number;
    page[at + ACCOUNT] = account;
    page[at + REVISION] = revision;
    page[at + PRICE] = priceTicks;
    page[at + FLAGS] = side === 'buy' ? flags | BUYS : flags;
    page[at + QUANTITY] = quantity;
    page[at + LEAVES] = leaves;
    page[at + LEVEL] = NONE;
    page[at + ARRIVAL] = this.#arrivals | 0;
    page[at + ARRIVAL_HIGH] = Math.floor(this.#arrivals / WORD);
    this.#index.add(row);
    return row;
  }

  /** Takes an order out, which stands in no level any more. */
  drop(row: number): void {
    this.#index.remove(row);
    const page = this.rows.of(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    this.accounts.give(page[at + ACCOUNT] as number);
    if (isOther(page[at + ID + 1] as number)) this.#forgetOther(page[at + ID] as number);
    this.rows.give(row);
  }

  /** Whether the order is the one that stands in its row. */
  stands({ row, stamp }: RestingOrder): boolean {
    const page = this.rows.of(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    return page[at + ARRIVAL] === stamp && page[at + LEVEL] !== NONE;
  }

  sideOf(row: number): Side {
    return this.rows.get(row, FLAGS) < 0 ? 'buy' : 'sell';
  }

  /** The order in a row; its id where that is at hand. */
  seen(row: number, id?: string): RestingOrder {
    const page = this.rows.of(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    const flags = page[at + FLAGS] as number;
    return {
      row,
      stamp: page[at + ARRIVAL] as number,
      id: id ?? this.#idAt(page, at),
      accountId: this.accounts.name(page[at + ACCOUNT] as number),
      revision: page[at + REVISION] as number,
      side: flags < 0 ? 'buy' : 'sell',
      priceTicks: page[at + PRICE] as number,
      flags: flags & FLAGS_MASK,
      quantity: page[at + QUANTITY] as number,
      leaves: page[at + LEAVES] as number,
    };
  }

  /** What a row's numbers stand for: accounts by number, and ids that are no UUIDs. Copies. */
  names(): { accounts: string[]; otherIds: [number: number, id: string][] } {
    return { accounts: this.accounts.names(), otherIds: [...this.#otherNames] };
  }

  /** Makes room for so many more orders, so that none of them waits for it. */
  reserve(count: number): void {
    this.#index.reserve(count);
  }

  /** Rows, the oldest first. */
  byArrival(): Float64Array {
    const found = new Float64Array(this.size);
    let count = 0;
    for (const row of this.rows.inUse()) found[count++] = row;
    return sortedBy(found, (row) => this.#arrivalOf(row));
  }

  #arrivalOf(row: number): number {
    return this.rows.get(row, ARRIVAL_HIGH) * WORD + (this.rows.get(row, ARRIVAL) >>> 0);
  }

  #find(id: string, hasWords: boolean): number {
    this.#isOther = !hasWords;
    if (this.#isOther) {
      const number = this.#otherIds.get(id);
      if (number === undefined) return NONE;
      otherWords(number);
    }
    return this.#index.find();
  }

  #idAt(page: Int32Array, at: number): string {
    const a = page[at + ID] as number;
    const b = page[at + ID + 1] as number;
    if (isOther(b)) return this.#otherNames.get(a) as string;
    return idFrom(a, b, page[at + ID + 2] as number, page[at + ID + 3] as number);
  }

  #nameOther(id: string): void {
    this.#others += 1;
    this.#otherIds.set(id, this.#others);
    this.#otherNames.set(this.#others, id);
    otherWords(this.#others);
    this.#index.find();
  }

  #forgetOther(number: number): void {
    this.#otherIds.delete(this.#otherNames.get(number) as string);
    this.#otherNames.delete(number);
  }
}
