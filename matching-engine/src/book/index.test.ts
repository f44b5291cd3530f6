import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOf, putWords, word } from './ids.ts';
import { OrderIndex } from './index.ts';
import { ID, NONE, OrderRows } from './rows.ts';

type Words = readonly [a: number, b: number, c: number, d: number];

/** An index beside a Map that must agree with it on every id. */
class Indexed {
  readonly rows = new OrderRows();
  readonly index = new OrderIndex(this.rows);
  readonly model = new Map<string, { id: Words; row: number }>();

  /** Adds an order with this id, or removes the one that is there. */
  toggle(id: Words): void {
    putWords(...id);
    const found = this.index.find();
    const known = this.model.get(String(id));
    if (found !== (known?.row ?? NONE)) expect.fail(`${String(id)} is found in row ${found}`);
    if (known) {
      this.index.remove(known.row);
      this.rows.give(known.row);
      this.model.delete(String(id));
      return;
    }
    const row = this.rows.take();
    for (const [i, value] of word.entries()) this.rows.set(row, ID + i, value);
    this.index.add(row);
    this.model.set(String(id), { id, row });
  }

  /** Throws unless every order is found in its row. */
  check(): void {
    expect(this.index.size).toBe(this.model.size);
    for (const { id, row } of this.model.values()) {
      putWords(...id);
      if (this.index.find() !== row) expect.fail(`${String(id)} is not found in row ${row}`);
    }
  }
}

/** The factor by which `hashOf` multiplies last, and the one that undoes it. */
const FACTOR = 0x85ebca6b;
let inverse = FACTOR;
for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(FACTOR, inverse));

/** The id with this hash among all that end in `d`. */
function idOfHash(hash: number, d: number): Words {
  const mixed = hashOf(0, 1, 2, d);
  const undone = (value: number): number => Math.imul(value ^ (value >>> 16), inverse);
  return [undone(hash) ^ undone(mixed), 1, 2, d];
}

test('an id can be made for every hash', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (hash, d) => {
      expect(hashOf(...idOfHash(hash, d))).toBe(hash | 0);
    }),
  );
});

/** Hashes that share their first places, at the end of the table, at its beginning and in between. */
const crowded = fc.oneof(
  fc.constantFrom(0, -1, 0x7fff_ffff),
  fc.nat(40).map((low) => -1 - low * 0x10_0000),
  fc.nat(40).map((low) => low * 0x10_0000),
  fc.integer(),
);
const id = fc.tuple(crowded, fc.nat(5)).map(([hash, d]) => idOfHash(hash, d));

test('ids that crowd on few places are found as in a Map, while the table grows and orders leave', () => {
  fc.assert(
    fc.property(fc.array(id, { minLength: 50, maxLength: 400 }), (ids) => {
      const indexed = new Indexed();
      for (const one of ids) {
        indexed.toggle(one);
        indexed.check();
      }
    }),
    { numRuns: 50 },
  );
});

test('fifty thousand ids are found after all were added, after most left, and after others came', () => {
  const indexed = new Indexed();
  const idOf = (number: number): Words => [Math.imul(number, 0x9e3779b1), 0x7000, number, 1];
  for (let i = 0; i < 50_000; i++) indexed.toggle(idOf(i));
  indexed.check();
  for (let i = 0; i < 45_000; i++) indexed.toggle(idOf(i));
  indexed.check();
  for (let i = 50_000; i < 70_000; i++) indexed.toggle(idOf(i));
  indexed.check();
});

test('room that is made beforehand changes nothing', () => {
  const indexed = new Indexed();
  indexed.index.reserve(1_000);
  for (let d = 0; d < 5_000; d++) indexed.toggle(idOfHash(d % 7 === 0 ? -1 : Math.imul(d, 0x9e3779b1), d));
  indexed.check();
});
