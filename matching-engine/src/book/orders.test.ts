import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numbered } from '../../sim/random.ts';
import { emptyBook, fill, matchable, reduce, remove, rest } from './book.ts';
import { idFrom, word, words } from './ids.ts';
import { type NewOrder, Orders, type RestingOrder } from './orders.ts';
import { LEVEL } from './rows.ts';

const order = (id: string, terms: Partial<NewOrder> = {}): NewOrder => ({
  id,
  accountId: 'A',
  revision: 7,
  side: 'buy',
  priceTicks: 100,
  flags: 5,
  quantity: 10,
  leaves: 4,
  ...terms,
});
const plain = ({ row: _row, stamp: _stamp, ...told }: RestingOrder): NewOrder => told;

test('a UUID in small letters becomes four words, and is itself again', () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      expect(words(id)).toBe(true);
      const [a = 0, b = 0, c = 0, d = 0] = word;
      expect(idFrom(a, b, c, d)).toBe(id);
    }),
  );
});

test.for([
  ['no UUID', 'X1'],
  ['the nil UUID', '00000000-0000-0000-0000-000000000000'],
  ['capital letters', '00000000-0000-4000-8000-00000000000A'],
  ['a dash too few', '00000000-0000-4000-80000000000000000a'],
  ['a letter that is no digit', '00000000-0000-4000-8000-00000000000g'],
  ['a letter beyond the table of small ones', '00000000-0000-4000-8000-0000000000İ0'],
] as const)('%s has no words, and is found under its own name all the same', ([, id]) => {
  expect(words(id)).toBe(false);
  const orders = new Orders();
  orders.rows.set(orders.add(order(numbered(1, 1))), LEVEL, 0);
  expect(orders.has(id)).toBe(false);
  const row = orders.add(order(id));
  expect(plain(orders.get(id) as RestingOrder)).toEqual(order(id));
  orders.rows.set(row, LEVEL, 0);
  expect([...orders.values()].map((one) => one.id)).toContain(id);
  orders.drop(row);
  expect(orders.has(id)).toBe(false);
  expect(orders.has(numbered(1, 1))).toBe(true);
});

test('an order is what was put in, until it is filled, reduced and taken out', () => {
  const book = emptyBook();
  const [first, second] = [order(numbered(1, 1)), order(numbered(1, 2), { accountId: 'B', side: 'sell' })];
  rest(book, first);
  rest(book, { ...second, priceTicks: 101 });
  expect(plain(book.orders.get(first.id) as RestingOrder)).toEqual(first);
  const found = matchable(book, 'buy', 101)?.first;
  if (!found) throw new Error('nothing to buy');
  fill(book, found, 1);
  expect(plain(found)).toEqual({ ...second, priceTicks: 101, leaves: 3 });
  reduce(book, found, 8);
  expect(plain(book.orders.get(second.id) as RestingOrder)).toEqual({
    ...second,
    priceTicks: 101,
    quantity: 8,
    leaves: 1,
  });
  fill(book, found, 1);
  expect(plain(found)).toEqual({ ...second, priceTicks: 101, quantity: 8, leaves: 0 });
  expect(book.orders.has(second.id)).toBe(false);
  expect(() => remove(book, found)).toThrow(`order ${second.id} is not in the book`);
  // Its row is another order's by now.
  rest(book, order(numbered(1, 3)));
  expect(() => remove(book, found)).toThrow('is not in the book');
});

test('orders come and go by the thousand, and are found, counted and told by arrival as in a Map', () => {
  const orders = new Orders();
  const model = new Map<string, { row: number; accountId: string }>();
  const coming = fc.record({ id: fc.nat(3_000), account: fc.nat(6_000) });
  fc.assert(
    fc.property(fc.array(coming, { minLength: 3_000, maxLength: 6_000 }), (steps) => {
      for (const { id: number, account } of steps) {
        const id = number % 10 === 0 ? `other ${number}` : numbered(number, number);
        const accountId = `account ${account}`;
        const known = model.get(id);
        if (known) {
          orders.drop(known.row);
          model.delete(id);
        } else {
          const row = orders.add(order(id, { accountId }));
          orders.rows.set(row, LEVEL, 0);
          model.set(id, { row, accountId });
        }
      }
      expect(orders.size).toBe(model.size);
      expect([...orders.values()].map((one) => [one.id, one.accountId])).toEqual(
        [...model].map(([id, { accountId }]) => [id, accountId]),
      );
      for (const [id, { row }] of model) expect(orders.get(id)?.row).toBe(row);
    }),
    { numRuns: 10 },
  );
  expect(model.size).toBeGreaterThan(500);
});

test('shared rows stay as they were, whatever happens to the orders', () => {
  const orders = new Orders();
  const rows = Array.from({ length: 20_000 }, (_, i) => orders.add(order(numbered(1, i))));
  for (const row of rows) orders.rows.set(row, LEVEL, 0);
  const shared = orders.rows.share();
  const blocks = Array.from({ length: shared.blocks }, (_, block) => block);
  const before = blocks.map((block) => shared.block(block).slice());
  expect(() => orders.rows.share()).toThrow('one snapshot at a time');
  shared.release();
  for (const row of rows.slice(100, 2_000)) orders.drop(row);
  for (const row of rows.slice(17_000, 18_000)) orders.drop(row);
  for (let i = 0; i < 4_000; i++) orders.add(order(numbered(2, i)));
  for (const block of blocks.slice(1)) expect(shared.block(block)).toEqual(before[block]);
  for (const _ of blocks.slice(1)) shared.release();
  expect(orders.size).toBe(21_100);
  const again = orders.rows.share();
  expect(again.block(1), 'the rows as they are now').not.toEqual(before[1]);
  expect(again.block(3), 'no order was there').toEqual(before[3]);
});

test('the first page may grow while its rows are shared', () => {
  const orders = new Orders();
  for (let i = 0; i < 10; i++) orders.rows.set(orders.add(order(numbered(1, i))), LEVEL, 0);
  const shared = orders.rows.share();
  const before = shared.block(0).slice();
  for (let i = 0; i < 3_000; i++) orders.add(order(numbered(2, i)));
  expect(shared.block(0)).toEqual(before);
});

test('who leaves or comes while orders are walked by arrival is not met', () => {
  const book = emptyBook();
  for (let i = 1; i <= 4; i++) rest(book, order(numbered(1, i)));
  const met: string[] = [];
  for (const one of book.orders.values()) {
    met.push(one.id);
    if (met.length > 1) continue;
    for (const gone of [one.id, numbered(1, 3)]) remove(book, book.orders.get(gone) as RestingOrder);
    rest(book, order(numbered(1, 5)));
  }
  expect(met).toEqual([1, 2, 4].map((i) => numbered(1, i)));
});
