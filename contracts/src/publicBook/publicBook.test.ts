import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import type { BookFact } from '../events/book.ts';
import type { BookEvent } from '../events/events.ts';
import { bookOf, emptyBook, evolveBook, nothingTouched, type PublicBook, storedBook } from './publicBook.ts';
import { bookChecksum, topLevels } from './publicLevels.ts';

/** Facts at the sequences 0, 1, 2, … */
function after(...facts: BookFact[]): PublicBook {
  const book = emptyBook();
  facts.forEach((fact, sequence) => evolveBook(book, fact as BookEvent, sequence));
  return book;
}
const ref = (name: string) => ({ orderId: name, accountId: `account of ${name}`, revision: 1 });
const rests = (
  name: string,
  side: 'buy' | 'sell',
  limitTicks: number,
  quantity: number,
  restingQuantity = quantity,
) =>
  ({
    type: 'OrderAccepted.v1',
    data: {
      order: ref(name),
      side,
      type: 'limit',
      timeInForce: 'day',
      quantity,
      limitTicks,
      restingQuantity,
    },
  }) satisfies BookFact;
const trade = (maker: string, taker: string, quantity: number, leaves: number): BookFact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 1,
    priceTicks: 100,
    tickCents: 1,
    quantity,
    takerSide: 'buy',
    maker: { ...ref(maker), leaves: 0 },
    taker: { ...ref(taker), leaves },
  },
});
const reduced = (name: string, leavesBefore: number, leaves: number): BookFact => ({
  type: 'OrderReplaced.v1',
  data: {
    order: ref(name),
    amendment: 1,
    side: 'sell',
    priceTicks: 100,
    quantity: leaves,
    leavesBefore,
    leaves,
  },
});
const requeued = (name: string, leavesBefore: number, quantity: number): BookFact => ({
  type: 'OrderReplaced.v1',
  data: {
    order: ref(name),
    amendment: 1,
    side: 'sell',
    priceTicks: 100,
    quantity,
    leavesBefore,
    leaves: quantity,
    entry: { priceTicks: 100, restingQuantity: quantity, entersAfter: 0 },
  },
});
const queue = ({ orders }: PublicBook) => [...orders.values()].map(({ id, quantity }) => [id, quantity]);

test('orders at one price stand in the order of coming; less quantity keeps the place and the name', () => {
  const book = after(rests('a', 'sell', 100, 5), rests('b', 'sell', 100, 6), reduced('a', 5, 3));
  expect(queue(book)).toEqual([
    ['0', 3],
    ['1', 6],
  ]);
});

test('an order with a new priority stands behind the others under a new name', () => {
  const book = after(rests('a', 'sell', 100, 5), rests('b', 'sell', 100, 6), requeued('a', 5, 7));
  expect(queue(book)).toEqual([
    ['1', 6],
    ['2', 7],
  ]);
  expect(topLevels(book.asks, 1, 10)).toEqual([['1.00', '13']]);
});

test('of an iceberg its peak alone is there, and each peak is an order of its own, behind the others', () => {
  const iceberg = rests('i', 'sell', 100, 25);
  const { data } = trade('i', 'd', 10, 0) as Extract<BookFact, { type: 'TradeExecuted.v1' }>;
  const book = after(
    { ...iceberg, data: { ...iceberg.data, shownQuantity: 10 } },
    rests('a', 'sell', 100, 5),
    rests('d', 'buy', 100, 10, 0),
    { type: 'TradeExecuted.v1', data: { ...data, makerPeak: 10 } },
  );
  expect(queue(book)).toEqual([
    ['1', 5],
    ['3', 10],
  ]);
  expect(topLevels(book.asks, 1, 10)).toEqual([['1.00', '15']]);
});

test('what was touched is told: prices, and orders that came, changed and left', () => {
  const book = after(rests('a', 'sell', 100, 5), rests('b', 'sell', 100, 6), rests('c', 'buy', 90, 1));
  book.touched = nothingTouched();
  const taker = rests('d', 'buy', 100, 8, 0);
  for (const [n, fact] of [taker, trade('a', 'd', 5, 3), trade('b', 'd', 3, 0)].entries()) {
    evolveBook(book, fact as BookEvent, 3 + n);
  }
  expect(book.touched).toEqual({
    bids: new Set(),
    asks: new Set([100]),
    added: new Map(),
    changed: new Map([['1', { id: '1', side: 'sell', ticks: 100, quantity: 3 }]]),
    removed: new Set(['0']),
  });
});

test('what the rest of an arriving order is called is known only once it rests', () => {
  const arriving = [rests('a', 'sell', 100, 5), rests('d', 'buy', 100, 8, 3)];
  expect(queue(after(...arriving))).toEqual([['0', 5]]);
  expect(queue(after(...arriving, trade('a', 'd', 5, 3)))).toEqual([['1', 3]]);
});

test('each peak of an iceberg is an order of its own, behind the others at its price', () => {
  const peak = rests('a', 'sell', 100, 30);
  const shown = trade('a', 'd', 10, 0);
  const book = after(
    { ...peak, data: { ...peak.data, shownQuantity: 10 } },
    rests('b', 'sell', 100, 6),
    rests('d', 'buy', 100, 10, 0),
    { ...shown, data: { ...shown.data, makerPeak: 10 } } as BookFact,
  );
  expect(queue(book)).toEqual([
    ['1', 6],
    ['3', 10],
  ]);
});

test('peaks that both sides of an auction show with one trade have names of their own', () => {
  const iceberg = (name: string, side: 'buy' | 'sell', ticks: number) => {
    const whole = rests(name, side, ticks, 30);
    return { ...whole, data: { ...whole.data, shownQuantity: 10 } };
  };
  const paired = trade('buyer', 'seller', 10, 20);
  const auction = { buyTicks: 101, sellTicks: 99 };
  const book = after(iceberg('buyer', 'buy', 101), iceberg('seller', 'sell', 99), {
    ...paired,
    data: { ...paired.data, takerSide: 'sell', auction, makerPeak: 10, takerPeak: 10 },
  } as BookFact);
  expect([...book.orders.values()]).toEqual([
    { id: '2', side: 'buy', ticks: 101, quantity: 10 },
    { id: '2-2', side: 'sell', ticks: 99, quantity: 10 },
  ]);
});

test('a stored book is the same book', () => {
  const book = after(
    rests('a', 'sell', 101, 5),
    rests('b', 'sell', 100, 6),
    rests('c', 'buy', 90, 1),
    rests('d', 'buy', 100, 8, 2),
  );
  expect(bookOf(JSON.parse(JSON.stringify(storedBook(book))))).toEqual(book);
});

test('an order that takes more than is there is a defect', () => {
  expect(() => after(rests('a', 'sell', 100, 5), reduced('a', 6, 0))).toThrow(/rests 5, not 6/);
});

test('the checksum is that of the ten best levels as they are written', () => {
  const levels = (from: number, step: number) =>
    Array.from({ length: 12 }, (_, n): [string, string] => [(from + n * step).toFixed(2), String(n + 1)]);
  const book = { bids: levels(99.5, -0.5), asks: levels(100, 0.5) };
  const bids = '99.50:1,99.00:2,98.50:3,98.00:4,97.50:5,97.00:6,96.50:7,96.00:8,95.50:9,95.00:10';
  const asks = '100.00:1,100.50:2,101.00:3,101.50:4,102.00:5,102.50:6,103.00:7,103.50:8,104.00:9,104.50:10';
  expect(bookChecksum(book)).toBe(crc32(`${bids}|${asks}`));
  expect(bookChecksum({ bids: [], asks: [] })).toBe(crc32('|'));
});

test('what the other order of its list filled, a resting order has less; one that waits changes nothing', () => {
  const reduced = (held: object): BookFact => ({
    type: 'OrderReduced.v1',
    data: { order: ref('a'), side: 'sell', priceTicks: 100, quantity: 2, leaves: 3, ...held },
  });
  expect(queue(after(rests('a', 'sell', 100, 5), reduced({})))).toEqual([['0', 3]]);
  expect(queue(after(rests('b', 'sell', 100, 5), reduced({ held: true })))).toEqual([['0', 5]]);
});

test('the trades of an auction take from both of its orders', () => {
  const paired = trade('bid', 'offer', 10, 5) as Extract<BookFact, { type: 'TradeExecuted.v1' }>;
  const auction = { buyTicks: 102, sellTicks: 99 };
  const book = after(
    { type: 'OrderEntered.v1', data: { order: ref('bid'), side: 'buy', limitTicks: 102, quantity: 10 } },
    rests('offer', 'sell', 99, 15),
    { ...paired, data: { ...paired.data, auction } },
  );
  expect([topLevels(book.bids, 1, 5), topLevels(book.asks, 1, 5)]).toEqual([[], [['0.99', '5']]]);
});
