import { randomUUID } from 'node:crypto';
import {
  type BookFact,
  bookStream,
  deriveId,
  type Event,
  eventCodec,
  type Fact,
  MARKET_SNAPSHOT,
  marketStream,
  type StoredMarket,
  seal,
} from '@brokerx/contracts';
import {
  cutInHalf,
  memoryEventStore,
  memorySnapshots,
  realRuntime,
  type SnapshotsInMemory,
  storeFeed,
} from '@brokerx/infra';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { expect, onTestFinished, test } from 'vitest';
import { handClock } from '../../test/handClock.ts';
import { liveEvents } from '../live/liveEvents.ts';
import { LINGER_MS, publicBooks } from './publicBooks.ts';

const NAMES = '33333333-3333-4333-8333-333333333333';
const rests = (name: string, limitTicks: number, quantity: number): BookFact => ({
  type: 'OrderAccepted.v1',
  data: {
    order: { orderId: deriveId(NAMES, name), accountId: deriveId(NAMES, 'somebody'), revision: 1 },
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity,
    limitTicks,
    restingQuantity: quantity,
  },
});
const canceled = (name: string, quantity: number): BookFact => ({
  type: 'OrderCanceled.v1',
  data: {
    order: { orderId: deriveId(NAMES, name), accountId: deriveId(NAMES, 'somebody'), revision: 1 },
    side: 'buy',
    priceTicks: 100,
    quantity,
  },
});

async function given({
  booksMax = 10,
  kinds = new Map(),
}: {
  booksMax?: number;
  kinds?: SnapshotsInMemory;
} = {}) {
  const log = createLog({ name: 'test', level: 'silent' });
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const feed = storeFeed({ store, runtime: realRuntime });
  const live = liveEvents({ store, feed, runtime: realRuntime, log });
  const snapshots = memorySnapshots({ store, kinds });
  const clock = handClock();
  const books = publicBooks({ store, live, snapshots, runtime: clock, log, booksMax });
  onTestFinished(async () => {
    books.close();
    await live.close();
    await feed.close();
  });
  const append = async (stream: string, facts: readonly Fact[]) => {
    const id = randomUUID();
    const cause = {
      time: '2026-01-05T14:30:00.000Z',
      actor: 'system:test',
      correlationId: id,
      causationId: id,
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
    };
    const expectedRevision = await store.streamRevision(stream);
    const events = seal(id, cause, facts) as Event[];
    await store.append([{ id, stream, expectedRevision, chained: false, symbol: null, events }]);
  };
  const list = (symbol: string) =>
    append(marketStream(symbol), [
      {
        type: 'SymbolListed.v1',
        data: {
          symbol,
          name: symbol,
          rules: {
            tickCents: 5,
            listingTicks: 100,
            collarPpm: 100_000,
            feePpm: 0,
            orderSharesMax: 1_000,
            dailyClose: '21:00',
          },
          matchingRules: 2,
        },
      },
    ]);
  /** Its bids once it reflects this sequence. */
  const bids = async (symbol: string, sequence: number) => {
    const { book, leave } = await books.use(symbol);
    await expect.poll(() => book.view().last_update_id).toBe(sequence);
    leave();
    return book.view().bids;
  };
  return { store, books, snapshots, clock, append, list, bids };
}

test('a book without a snapshot begins with its first event; the tick size is the listing’s', async () => {
  const { append, list, bids } = await given();
  await list('A');
  await append(bookStream('A'), [rests('one', 100, 3)]);
  expect(await bids('A', 0)).toEqual([['5.00', '3']]);
  await append(bookStream('A'), [rests('two', 100, 4)]);
  expect(await bids('A', 1)).toEqual([['5.00', '7']]);
});

test('a book begins with its snapshot and the events since', async () => {
  const { store, snapshots, append, list, bids } = await given();
  await list('A');
  // What lies before the snapshot is not read: it could not be followed.
  await append(bookStream('A'), [canceled('nobody’s', 9)]);
  await append(bookStream('A'), [canceled('kept', 2)]);
  const state: StoredMarket = {
    symbol: 'A',
    tickCents: 5,
    state: 'continuous',
    sequence: 0,
    book: { orders: [[deriveId(NAMES, 'kept'), '0', 'buy', 100, 6]], coming: null },
    ticker: { lastTicks: null },
    indicative: null,
  };
  const cursor = { storeId: store.id, position: 2 };
  await snapshots.save(
    { ...MARKET_SNAPSHOT, key: 'A' },
    { cursor, revision: 0, state: JSON.stringify(state) },
  );
  expect(await bids('A', 1)).toEqual([['5.00', '4']]);
});

test('a book whose snapshot is damaged begins with its first event', async () => {
  const kinds: SnapshotsInMemory = new Map();
  const { store, snapshots, append, list, bids } = await given({ kinds });
  await list('A');
  await append(bookStream('A'), [rests('one', 100, 3)]);
  const cursor = { storeId: store.id, position: 2 };
  const state = JSON.stringify({ symbol: 'A', sequence: 0, book: { orders: [], coming: null } });
  await snapshots.save({ ...MARKET_SNAPSHOT, key: 'A' }, { cursor, revision: 0, state });
  cutInHalf(kinds);
  expect(await bids('A', 0)).toEqual([['5.00', '3']]);
});

test('a book is followed for a while after the last one has left, and not for ever', async () => {
  const { books, clock, list } = await given();
  await list('A');
  const first = await books.use('A');
  const second = await books.use('A');
  first.leave();
  first.leave();
  clock.pass(LINGER_MS);
  expect(books.count()).toBe(1);
  second.leave();
  clock.pass(LINGER_MS - 1);
  (await books.use('A')).leave();
  clock.pass(LINGER_MS - 1);
  expect([books.count(), second.failed.aborted]).toEqual([1, false]);
  clock.pass(1);
  expect([books.count(), second.failed.aborted]).toEqual([0, true]);
});

test('where as many are followed as can be, one that nobody uses gives way, and then one more is refused', async () => {
  const { books, list } = await given({ booksMax: 2 });
  for (const symbol of ['A', 'B', 'C']) await list(symbol);
  (await books.use('A')).leave();
  await books.use('B');
  await books.use('C');
  await expect(books.use('A')).rejects.toMatchObject({ code: 'OVERLOADED' });
  await expect(books.use('NOWHERE')).rejects.toMatchObject({ code: 'OVERLOADED' });
});

test('a book that cannot be followed any more fails for all who use it, and is opened anew', async () => {
  const { books, append, list } = await given();
  await list('A');
  await append(bookStream('A'), [rests('one', 100, 3)]);
  const { failed } = await books.use('A');
  await append(bookStream('A'), [canceled('one', 4)]);
  // Where the outputs end is known with the next input, or the end of the store.
  await expect.poll(() => failed.aborted).toBe(true);
  expect(books.count()).toBe(0);
  await expect(books.use('A')).rejects.toThrow(/rests 3, not 4/);
});

test('there is no book of what was never listed', async () => {
  const { books } = await given();
  await expect(books.use('NOWHERE')).rejects.toMatchObject({ code: 'UNKNOWN_SYMBOL' });
  expect(books.count()).toBe(0);
});
