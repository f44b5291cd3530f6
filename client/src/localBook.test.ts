import { bookChecksum, decimalFromCents, type views, type WireLevel } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LocalBook, localBook } from './localBook.ts';

const update = (U: number, u: number, bids: WireLevel[], whole: WireLevel[] = bids): views.DepthUpdate => ({
  U,
  u,
  crossed: false,
  checksum: bookChecksum({ bids: whole, asks: [] }),
  bids,
  asks: [],
});
const snapshot = (last_update_id: number, bids: WireLevel[]): views.BookView => ({
  symbol: 'XEQT',
  last_update_id,
  crossed: false,
  checksum: bookChecksum({ bids, asks: [] }),
  bids,
  asks: [],
});
const seen = (book: LocalBook) => [book.isSynced(), book.sequence(), book.bids()];

test('updates that come before the snapshot are applied behind it, and what it has already is dropped', () => {
  const book = localBook();
  expect(book.take(update(5, 6, [['10.00', '1']]))).toBe('kept');
  expect(book.take(update(7, 8, [['10.00', '2']]))).toBe('kept');
  expect(book.begin(snapshot(7, [['10.00', '2']]))).toBe('synced');
  expect(seen(book)).toEqual([true, 8, [['10.00', '2']]]);
  expect(book.take(update(3, 8, [['10.00', '9']]))).toBe('known');
  expect(
    book.take(
      update(
        9,
        9,
        [['10.01', '5']],
        [
          ['10.01', '5'],
          ['10.00', '2'],
        ],
      ),
    ),
  ).toBe('applied');
  expect(book.take(update(10, 10, [['10.00', '0']], [['10.01', '5']]))).toBe('applied');
  expect(seen(book)).toEqual([true, 10, [['10.01', '5']]]);
});

test('a snapshot that lies before what came is of no use', () => {
  const book = localBook();
  expect(book.begin(snapshot(3, []), 4)).toBe('too_old');
  book.take(update(6, 7, []));
  expect(book.begin(snapshot(4, []))).toBe('too_old');
  expect(book.begin(snapshot(5, []))).toBe('synced');
  expect(book.sequence()).toBe(7);
});

test('a gap makes it sync again, and the update behind the gap is not lost', () => {
  const book = localBook();
  book.begin(snapshot(3, [['10.00', '1']]));
  expect(book.take(update(5, 5, [['10.00', '4']]))).toBe('gap');
  expect(book.isSynced()).toBe(false);
  expect(book.take(update(6, 6, [['10.00', '5']]))).toBe('kept');
  expect(book.begin(snapshot(4, [['10.00', '2']]))).toBe('synced');
  expect(seen(book)).toEqual([true, 6, [['10.00', '5']]]);
});

test('a checksum that differs makes it sync again', () => {
  const book = localBook();
  book.begin(snapshot(3, [['10.00', '1']]));
  expect(book.take(update(4, 4, [['10.00', '4']], [['10.00', '5']]))).toBe('mismatch');
  expect(book.begin({ ...snapshot(4, [['10.00', '5']]), checksum: 1 })).toBe('mismatch');
  expect(book.begin(snapshot(4, [['10.00', '5']]))).toBe('synced');
});

test('a gap among the kept updates keeps all that lies behind it', () => {
  const book = localBook();
  book.take(update(4, 4, [['10.00', '1']]));
  book.take(update(6, 6, [['10.00', '3']]));
  book.take(update(7, 7, [['10.00', '4']]));
  expect(book.begin(snapshot(3, []))).toBe('gap');
  expect(book.begin(snapshot(5, [['10.00', '2']]))).toBe('synced');
  expect(seen(book)).toEqual([true, 7, [['10.00', '4']]]);
});

test('whatever is lost or comes twice, a book that says it is synced is the server’s', () => {
  const step = fc.record({
    side: fc.constantFrom('bids', 'asks'),
    cents: fc.integer({ min: 1, max: 30 }),
    quantity: fc.integer({ min: 0, max: 3 }),
    /** What becomes of the update on its way. */
    way: fc.constantFrom('comes', 'comes', 'comes', 'lost', 'twice'),
    /** Whether a snapshot, so many sequences old, is fetched after it. */
    snapshot: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const book = localBook();
      const server = { bids: new Map<number, number>(), asks: new Map<number, number>() };
      const shown = () => {
        const of = (side: 'bids' | 'asks', sign: number): WireLevel[] =>
          [...server[side]]
            .sort(([a], [b]) => sign * (a - b))
            .map(([cents, quantity]) => [decimalFromCents(cents), String(quantity)]);
        const levels = { bids: of('bids', -1), asks: of('asks', 1) };
        return { ...levels, crossed: false, checksum: bookChecksum(levels) };
      };
      const history = [shown()];
      for (const { side, cents, quantity, way, snapshot: age } of steps) {
        if (quantity === 0) server[side].delete(cents);
        else server[side].set(cents, quantity);
        const u = history.length;
        history.push(shown());
        const none = { bids: [], asks: [] };
        const level: WireLevel = [decimalFromCents(cents), String(quantity)];
        const { crossed, checksum } = shown();
        const change = { U: u, u, crossed, checksum, ...none, [side]: [level] };
        for (let times = way === 'lost' ? 0 : way === 'twice' ? 2 : 1; times > 0; times--) book.take(change);
        if (age !== null && !book.isSynced()) {
          const at = Math.max(0, u - age);
          book.begin({ symbol: 'XEQT', last_update_id: at, ...(history[at] as (typeof history)[0]) });
        }
        if (!book.isSynced()) continue;
        const { bids, asks } = history[book.sequence()] as (typeof history)[0];
        expect({ bids: book.bids(), asks: book.asks() }).toEqual({ bids, asks });
      }
    }),
  );
});
