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

/** An order to be added to a book. */
export type NewOrder = {
  readonly id: string;
  readonly accountId: string;
  /** The revision of the account's stream that placed the order. */
  readonly revision: number;
  readonly side: Side;
  readonly priceTicks: number;
  /** Its terms as bits (`flags.ts`). */
  readonly flags: number;
  /** The total quantity. */
  readonly quantity: number;
  /** The open part of the quantity: neither filled nor taken off. */
  readonly leaves: number;
};

/**
 * A copy of an order in a book, which itself is a row of numbers. `fill` and `reduce` update the copy that they are
 * given, and no other copy of the same order.
 */
export type RestingOrder = NewOrder & {
  readonly row: number;
  /** The low word of the row's arrival: it differs when the row belongs to another order by now. */
  readonly stamp: number;
};

const WORD = 2 ** 32;
const WORD_MAX = 2 ** 31 - 1;
/** The sign bit of a row's flags. */
export const BUYS = -(2 ** 31);
export const FLAGS_MASK = ~BUYS;

/** Sorts small whole numbers in place by their keys, which are whole numbers. */
export function sortedBy(numbers: Float64Array, keyOf: (number: number) => number): Float64Array {
  const least = numbers.reduce((least, number) => Math.min(least, keyOf(number)), Number.MAX_SAFE_INTEGER);
  const most = numbers.reduce((most, number) => Math.max(most, keyOf(number)), 0);
  // Key and number in one value sort ten times as fast as with a comparison function, unless the value gets too large.
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

/** The orders of a book, found by id or in order of arrival. */
export class Orders {
  readonly rows = new OrderRows();
  readonly #index = new OrderIndex(this.rows);
  readonly accounts = new AccountNumbers();
  /** Ids that are no UUIDs. A number stands for each of them in the rows. */
  readonly #otherIds = new Map<string, number>();
  readonly #otherNames = new Map<number, string>();
  #others = 0;
  /** Whether the last id that was looked up is no UUID. */
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

  /** The orders by arrival. Orders that leave during the iteration, or arrive during it, are skipped. */
  *values(): Generator<RestingOrder> {
    const last = this.#arrivals;
    for (const row of this.byArrival()) {
      if (this.rows.get(row, LEVEL) !== NONE && this.#arrivalOf(row) <= last) yield this.seen(row);
    }
  }

  /** Adds an order as the last arrival. Its row is in no level yet. */
  add(order: NewOrder): number {
    const { id } = order;
    // Callers have mostly looked the same id up just before.
    if (this.#find(id, wordsAgain(id)) !== NONE) assert.fail(`order ${id} is in the book already`);
    if (this.#isOther) this.#nameOther(id);
    return this.addRead(order, this.accounts.take(order.accountId));
  }

  /** The row with the id in `word`, or `NONE`. */
  findRead(): number {
    return this.#index.find();
  }

  /** Adds an order whose id is in `word` and was not found by the last lookup; `account` is its account's number. */
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

  /** Removes an order that is in no level any more. */
  drop(row: number): void {
    this.#index.remove(row);
    const page = this.rows.of(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    this.accounts.give(page[at + ACCOUNT] as number);
    if (isOther(page[at + ID + 1] as number)) this.#forgetOther(page[at + ID] as number);
    this.rows.give(row);
  }

  /** Whether the order is still in its row. */
  stands({ row, stamp }: RestingOrder): boolean {
    const page = this.rows.of(row);
    const at = (row & ROW_MASK) << WORDS_SHIFT;
    return page[at + ARRIVAL] === stamp && page[at + LEVEL] !== NONE;
  }

  sideOf(row: number): Side {
    return this.rows.get(row, FLAGS) < 0 ? 'buy' : 'sell';
  }

  /** A copy of the order in a row. Pass its id if it is at hand. */
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

  /** Copies of the texts that rows name by number: account ids, and order ids that are no UUIDs. */
  names(): { accounts: string[]; otherIds: [number: number, id: string][] } {
    return { accounts: this.accounts.names(), otherIds: [...this.#otherNames] };
  }

  /** Makes room in the index for this many orders at once. */
  reserve(count: number): void {
    this.#index.reserve(count);
  }

  /** All rows, the oldest first. */
  byArrival(): Float64Array {
    const rows = new Float64Array(this.size);
    let count = 0;
    for (const row of this.rows.inUse()) rows[count++] = row;
    return sortedBy(rows, (row) => this.#arrivalOf(row));
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
