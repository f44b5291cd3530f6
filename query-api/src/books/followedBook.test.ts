import { randomUUID } from 'node:crypto';
import type { BookFact, Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { handClock } from '../../test/handClock.ts';
import type { BookUpdate } from './bookUpdate.ts';
import { followedBook, UPDATE_INTERVAL_MS, UPDATES_KEPT_MAX } from './followedBook.ts';

const ref = (orderId: string) => ({ orderId, accountId: 'somebody', revision: 1 });
const rests = (orderId: string, side: 'buy' | 'sell', limitTicks: number, quantity: number): BookFact => ({
  type: 'OrderAccepted.v1',
  data: {
    order: ref(orderId),
    side,
    type: 'limit',
    timeInForce: 'day',
    quantity,
    limitTicks,
    restingQuantity: quantity,
  },
});
const takes = (quantity: number): BookFact => ({
  type: 'OrderAccepted.v1',
  data: {
    order: ref('taker'),
    side: 'buy',
    type: 'limit',
    timeInForce: 'ioc',
    quantity,
    limitTicks: 10_100,
    restingQuantity: 0,
  },
});
const trade = (maker: string, quantity: number, leaves: number): BookFact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 7,
    priceTicks: 10_000,
    tickCents: 1,
    quantity,
    takerSide: 'buy',
    maker: { ...ref(maker), leaves: 0 },
    taker: { ...ref('taker'), leaves },
  },
});
const noted: BookFact = { type: 'InputNoted.v1', data: {} };

function given() {
  const clock = handClock();
  const book = followedBook(
    {
      symbol: 'XEQT',
      tickCents: 1,
      state: 'continuous',
      sequence: 9,
      book: { orders: [['old', '4', 'sell', 10_000, 5]], coming: null },
      ticker: { lastTicks: 9_900 },
      indicative: null,
    },
    clock,
  );
  const updates: BookUpdate[] = [];
  book.watch((update) => updates.push(update));
  book.begin();
  let revision = 9;
  /** Outputs of one input, the last `more` of which are in a later commit. */
  const outputs = (facts: BookFact[], { cause = randomUUID(), more = false } = {}) => {
    facts.forEach((fact, n) => {
      revision += 1;
      const event = {
        ...fact,
        causationId: cause,
        time: '2026-01-05T14:30:00.000Z',
        ...(more && n === facts.length - 1 ? { more: true } : {}),
      } as Event;
      book.take({ event, revision, position: revision * 10, stream: 'book-XEQT' } as Recorded<Event>);
    });
    return cause;
  };
  const told = () => updates.map(({ depth }) => JSON.parse(depth.data));
  return { book, clock, outputs, updates, told };
}

test('an update covers what follows the one before, and says what stands at its prices', () => {
  const { book, outputs, told, updates } = given();
  outputs([takes(3), trade('old', 3, 0)]);
  book.settled();
  expect(told()).toEqual([
    { U: 10, u: 11, crossed: false, checksum: book.view().checksum, bids: [], asks: [['100.00', '2']] },
  ]);
  expect(updates[0]?.trades.map(({ sequence, data }) => [sequence, JSON.parse(data).qty])).toEqual([
    [11, '3'],
  ]);
  expect(JSON.parse(updates[0]?.orders.data ?? '')).toEqual({
    U: 10,
    u: 11,
    removed: [],
    changed: [{ id: '4', qty: '2' }],
    added: [],
  });
  expect([book.sequence(), book.position(), book.lastTicks()]).toEqual([11, 110, 10_000]);
});

test('a price at which nothing stands any more has quantity 0', () => {
  const { book, outputs, told } = given();
  outputs([takes(5), trade('old', 5, 0)]);
  book.settled();
  expect(told()[0].asks).toEqual([['100.00', '0']]);
});

test('private events are covered by an update that says nothing', () => {
  const { book, outputs, told } = given();
  outputs([noted]);
  book.settled();
  const { checksum } = book.view();
  expect(told()).toEqual([{ U: 10, u: 10, crossed: false, checksum, bids: [], asks: [] }]);
});

test('what an input did is told after its last output', () => {
  const { book, clock, outputs, told } = given();
  const cause = outputs([takes(5), trade('old', 3, 2)], { more: true });
  book.settled();
  clock.pass(UPDATE_INTERVAL_MS);
  expect(told()).toEqual([]);
  expect(book.view()).toMatchObject({ last_update_id: 9, asks: [['100.00', '5']] });
  outputs([trade('old', 2, 0)], { cause });
  book.settled();
  expect(told()).toMatchObject([{ U: 10, u: 12, asks: [['100.00', '0']] }]);
});

test('where a commit may go on, what came before its last input is told', () => {
  const { outputs, told } = given();
  outputs([noted]);
  outputs([rests('a', 'buy', 9_000, 1)]);
  expect(told()).toMatchObject([{ U: 10, u: 10 }]);
});

test('updates within the interval are one; whoever asks for the book has it told at once', () => {
  const { book, clock, outputs, told } = given();
  outputs([noted]);
  book.settled();
  outputs([rests('a', 'buy', 9_000, 1)]);
  book.settled();
  outputs([rests('b', 'buy', 9_000, 2)]);
  book.settled();
  expect(told()).toMatchObject([{ U: 10, u: 10 }]);
  clock.pass(UPDATE_INTERVAL_MS);
  expect(told().slice(1)).toMatchObject([{ U: 11, u: 12, bids: [['90.00', '3']] }]);
  outputs([rests('c', 'buy', 9_000, 4)]);
  book.settled();
  expect(book.view()).toMatchObject({ last_update_id: 13, bids: [['90.00', '7']] });
  expect(told().slice(2)).toMatchObject([{ U: 13, u: 13, bids: [['90.00', '7']] }]);
});

test('an order that came and went between two updates is in neither', () => {
  const { book, clock, outputs, updates } = given();
  outputs([noted]);
  book.settled();
  outputs([rests('a', 'sell', 9_950, 1)]);
  outputs([takes(1), trade('a', 1, 0)]);
  book.settled();
  clock.pass(UPDATE_INTERVAL_MS);
  expect(JSON.parse(updates[1]?.orders.data ?? '')).toEqual({
    U: 11,
    u: 13,
    removed: [],
    changed: [],
    added: [],
  });
});

test('updates are kept to resume from, as far back as there is room', () => {
  const { book, clock, outputs } = given();
  const next = () => {
    outputs([noted]);
    book.settled();
    clock.pass(UPDATE_INTERVAL_MS);
  };
  for (let n = 0; n < 5; n++) next();
  expect(book.since(9)?.map(({ U }) => U)).toEqual([10, 11, 12, 13, 14]);
  expect(book.since(12)?.map(({ U }) => U)).toEqual([13, 14]);
  expect(book.since(14)).toEqual([]);
  expect(book.since(8)).toBeNull();
  for (let n = 0; n < UPDATES_KEPT_MAX; n++) next();
  expect(book.since(9)).toBeNull();
  expect(book.since(14)).toHaveLength(UPDATES_KEPT_MAX);
});

test('orders are shown one by one, best price first, at one price the one that came first', () => {
  const { book, outputs } = given();
  outputs([rests('a', 'sell', 10_000, 1)]);
  outputs([rests('b', 'sell', 9_990, 2)]);
  outputs([rests('c', 'buy', 9_000, 3)]);
  book.settled();
  expect(book.ordersView()).toEqual({
    symbol: 'XEQT',
    last_update_id: 12,
    bids: [{ id: '12', price: '90.00', qty: '3' }],
    asks: [
      { id: '11', price: '99.90', qty: '2' },
      { id: '4', price: '100.00', qty: '5' },
      { id: '10', price: '100.00', qty: '1' },
    ],
  });
});

test('an auction tells what it would bring while its call runs', () => {
  const { book, outputs } = given();
  const auction = () => JSON.parse(book.auction().data);
  const none = { indicative_price: null, indicative_qty: null, surplus_side: null, surplus_qty: null };
  outputs([{ type: 'MarketStateChanged.v1', data: { state: 'opening_auction' } }]);
  const result = { priceTicks: 10_000, quantity: 5, surplus: 3, surplusSide: 'buy' as const };
  outputs([{ type: 'IndicativePriceChanged.v1', data: result }]);
  book.settled();
  expect(auction()).toEqual({
    state: 'opening_auction',
    indicative_price: '100.00',
    indicative_qty: '5',
    surplus_side: 'buy',
    surplus_qty: '3',
  });
  outputs([{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }]);
  book.settled();
  expect(auction()).toEqual({ state: 'continuous', ...none });
});

test('an event that does not follow is a defect', () => {
  const { book } = given();
  const event = { ...noted, causationId: 'an input' } as Event;
  expect(() => book.take({ event, revision: 11 } as Recorded<Event>)).toThrow(/has a gap/);
});
