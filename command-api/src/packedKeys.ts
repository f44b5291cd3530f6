import assert from 'node:assert/strict';

/**
 * Keys in the order in which they came, packed: 36 bytes each, at most 48 with room to grow and the index, beside the names of those that have
 * some. A process remembers millions of keys; as objects in a `Map` each took some 450 bytes.
 *
 * Rows form a ring: the oldest goes first. The index finds a row by its id, by open addressing with linear probing. Clients
 * choose their keys: whoever chooses them so that they collide makes his own commands slower, by some microseconds each.
 */
export type KeptKey = {
  /** 32 bits of the hash of command, subject and body: the event that answered the key has the whole hash. */
  hash: number;
  /** Revision of the first event of the commit that answered the key. */
  revision: number;
  /** Event time, milliseconds since the Unix epoch. */
  timeMs: number;
  /** The name that the key's order took (several: joined by commas), given back when the key is forgotten; null for none. */
  clientOrderId: string | null;
};

/** The index has 16 bits for a row. */
const ROWS_MAX = 0xfffe;
const ROWS_FIRST = 8;
const ROWS_GROWTH = 1.15;
/** Places of the index for each row that there is room for, at least: probes stay short. */
const PLACES_PER_ROW = 1.33;
const ID_WORDS = 4;

export class PackedKeys implements Iterable<[string, KeptKey]> {
  size = 0;
  /** Number of the oldest key since the first of all. */
  #first = 0;
  #capacity = 0;
  #ids = new Uint32Array(0);
  #hashes = new Uint32Array(0);
  #revisions = new Float64Array(0);
  #timesMs = new Float64Array(0);
  /** The row at each place, plus 1; 0: none. */
  #index = new Uint16Array(0);
  /** By number of the key. */
  readonly #names = new Map<number, string>();
  /** The id that was asked for last. */
  readonly #asked = new Uint32Array(ID_WORDS);

  get(id: string): KeptKey | undefined {
    const row = this.#find(id);
    return row < 0 ? undefined : this.#keyAt(row);
  }

  /** Adds the key as the newest; one that is there keeps its turn and gets a new answer. */
  set(id: string, key: KeptKey): void {
    let row = this.#find(id);
    if (row < 0) {
      if (this.size === this.#capacity) this.#grow();
      row = this.#rowOf(this.size);
      this.#ids.set(this.#asked, row * ID_WORDS);
      this.size += 1;
      this.#enter(row);
    }
    this.#hashes[row] = key.hash;
    this.#revisions[row] = key.revision;
    this.#timesMs[row] = key.timeMs;
    if (key.clientOrderId === null) this.#names.delete(this.#numberOf(row));
    else this.#names.set(this.#numberOf(row), key.clientOrderId);
  }

  /** When the oldest key came, by event time; undefined: there is none. */
  oldestMs(): number | undefined {
    return this.size === 0 ? undefined : this.#timesMs[this.#rowOf(0)];
  }

  dropOldest(): [string, KeptKey] {
    assert(this.size > 0);
    const row = this.#rowOf(0);
    const oldest: [string, KeptKey] = [this.#idAt(row), this.#keyAt(row)];
    this.#leave(row);
    this.#names.delete(this.#first);
    this.#first += 1;
    this.size -= 1;
    return oldest;
  }

  /** Oldest first. */
  *[Symbol.iterator](): Iterator<[string, KeptKey]> {
    for (let i = 0; i < this.size; i++) {
      const row = this.#rowOf(i);
      yield [this.#idAt(row), this.#keyAt(row)];
    }
  }

  /** Bytes of all keys, without their names. */
  get bytes(): number {
    const arrays = [this.#ids, this.#hashes, this.#revisions, this.#timesMs, this.#index];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The row of the `i`-th key, counted from the oldest. */
  #rowOf(i: number): number {
    return (this.#first + i) % this.#capacity;
  }

  #numberOf(row: number): number {
    const oldest = this.#first % this.#capacity;
    return this.#first + ((row - oldest + this.#capacity) % this.#capacity);
  }

  #keyAt(row: number): KeptKey {
    return {
      hash: this.#hashes[row] ?? 0,
      revision: this.#revisions[row] ?? 0,
      timeMs: this.#timesMs[row] ?? 0,
      clientOrderId: this.#names.get(this.#numberOf(row)) ?? null,
    };
  }

  #idAt(row: number): string {
    return textOf(this.#ids.subarray(row * ID_WORDS, (row + 1) * ID_WORDS));
  }

  /** The id's row, or -1; `#asked` is the id afterwards. */
  #find(id: string): number {
    pack(id, this.#asked);
    if (this.size === 0) return -1;
    const [a, b, c, d] = this.#asked;
    const mask = this.#index.length - 1;
    for (let place = placeOf(this.#asked, 0) & mask; ; place = (place + 1) & mask) {
      const row = (this.#index[place] ?? 0) - 1;
      if (row < 0) return -1;
      const at = row * ID_WORDS;
      const ids = this.#ids;
      if (ids[at] === a && ids[at + 1] === b && ids[at + 2] === c && ids[at + 3] === d) return row;
    }
  }

  #enter(row: number): void {
    const mask = this.#index.length - 1;
    let place = placeOf(this.#ids, row * ID_WORDS) & mask;
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = row + 1;
  }

  /** Takes the row out of the index, and moves those that it had pushed further back into the gap. */
  #leave(row: number): void {
    const mask = this.#index.length - 1;
    let gap = placeOf(this.#ids, row * ID_WORDS) & mask;
    while (this.#index[gap] !== row + 1) gap = (gap + 1) & mask;
    for (let place = (gap + 1) & mask; this.#index[place] !== 0; place = (place + 1) & mask) {
      const home = placeOf(this.#ids, ((this.#index[place] ?? 0) - 1) * ID_WORDS) & mask;
      // It may move where its home is not between the gap and its place.
      if (((place - home) & mask) < ((place - gap) & mask)) continue;
      this.#index[gap] = this.#index[place] ?? 0;
      gap = place;
    }
    this.#index[gap] = 0;
  }

  #grow(): void {
    const capacity = Math.min(ROWS_MAX, Math.max(ROWS_FIRST, Math.ceil(this.#capacity * ROWS_GROWTH)));
    assert(capacity > this.size, `no more than ${ROWS_MAX} keys`);
    const order = Array.from({ length: this.size }, (_, i) => this.#rowOf(i));
    const ids = new Uint32Array(capacity * ID_WORDS);
    const hashes = new Uint32Array(capacity);
    const revisions = new Float64Array(capacity);
    const timesMs = new Float64Array(capacity);
    order.forEach((row, i) => {
      const to = (this.#first + i) % capacity;
      ids.set(this.#ids.subarray(row * ID_WORDS, (row + 1) * ID_WORDS), to * ID_WORDS);
      hashes[to] = this.#hashes[row] ?? 0;
      revisions[to] = this.#revisions[row] ?? 0;
      timesMs[to] = this.#timesMs[row] ?? 0;
    });
    [this.#ids, this.#hashes, this.#revisions, this.#timesMs] = [ids, hashes, revisions, timesMs];
    this.#capacity = capacity;
    this.#index = new Uint16Array(2 ** Math.ceil(Math.log2(capacity * PLACES_PER_ROW)));
    for (let i = 0; i < this.size; i++) this.#enter(this.#rowOf(i));
  }
}

/** Where the first halves of a UUID's four times 32 bits begin in its text, and the second halves. */
const HIGH = [0, 9, 19, 28] as const;
const LOW = [4, 14, 24, 32] as const;

/** Writes a UUID in small letters as four numbers. */
function pack(id: string, words: Uint32Array): void {
  assert(id.length === 36, 'a key is a UUID');
  for (let i = 0; i < ID_WORDS; i++) {
    words[i] = (fourDigits(id, HIGH[i] ?? 0) << 16) | fourDigits(id, LOW[i] ?? 0);
  }
}

const fourDigits = (id: string, at: number): number =>
  (digit(id, at) << 12) | (digit(id, at + 1) << 8) | (digit(id, at + 2) << 4) | digit(id, at + 3);

function digit(id: string, at: number): number {
  const code = id.charCodeAt(at);
  return code > 57 ? code - 87 : code - 48;
}

const bytes = Buffer.alloc(ID_WORDS * 4);
function textOf(words: Uint32Array): string {
  words.forEach((word, i) => void bytes.writeUInt32BE(word, i * 4));
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Mixes all bits of an id into a place of the index (multiplications as in MurmurHash3). */
function placeOf(ids: Uint32Array, at: number): number {
  let h = 0;
  for (let i = 0; i < ID_WORDS; i++) {
    h = Math.imul(h ^ (ids[at + i] ?? 0), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  }
  return (h ^ (h >>> 16)) >>> 0;
}
