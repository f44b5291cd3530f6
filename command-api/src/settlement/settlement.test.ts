import { randomUUID } from 'node:crypto';
import {
  type AccountEvent,
  type AccountFact,
  type BookFact,
  bookStream,
  type Event,
  eventCodec,
  mintId,
  seal,
  shardOf,
} from '@brokerx/contracts';
import {
  cutInHalf,
  groupCommit,
  type MemoryLeases,
  memoryEventStore,
  memoryLeases,
  memorySnapshots,
  noTelemetry,
  realRuntime,
  type SnapshotsInMemory,
  storeFeed,
} from '@brokerx/infra';
import { afterEach, expect, test, vi } from 'vitest';
import { placed } from '../../test/facts.ts';
import { quiet, testCause } from '../../test/world.ts';
import { accountsInMemory } from '../account/accounts.ts';
import { startSettlement } from './settlement.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

/** A process that settles, over a store that outlives it. */
async function installation(
  store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() }),
  snapshots = memorySnapshots({ store }),
) {
  const shared = { store, snapshots, runtime: realRuntime, log: quiet };
  const appender = groupCommit(store, { runtime: realRuntime });
  const accounts = accountsInMemory({ ...shared, appender });
  const feed = storeFeed({ store, runtime: realRuntime });
  stops.push(() => feed.close());
  const record = async (accountId: string, ...facts: AccountFact[]) => {
    for (const fact of facts) {
      await accounts.execute(accountId, (_account, { commitId }) => ({
        events: seal(commitId, testCause(), [fact]) as AccountEvent[],
        symbol: null,
      }));
    }
  };
  const bookOf = async (symbol: string, ...facts: BookFact[]) => {
    const id = mintId(realRuntime);
    const stream = bookStream(symbol);
    const expectedRevision = await store.streamRevision(stream);
    const events = seal(id, testCause(), facts) as Event[];
    await store.append([{ id, stream, expectedRevision, chained: false, symbol: null, events }]);
  };
  const book = (...facts: BookFact[]) => bookOf('ACME', ...facts);
  /** A trader with one open buy of 10 at 10.00. */
  const buyer = async (symbol = 'ACME') => {
    const accountId = randomUUID();
    const orderId = randomUUID();
    await record(
      accountId,
      { type: 'AccountOpened.v1', data: { accountId, clientId: randomUUID() } },
      { type: 'CashTransferredIn.v1', data: { transferId: randomUUID(), amountCents: 100_000 } },
      placed({ accountId, orderId, symbol }),
    );
    return { accountId, orderId, revision: 2 };
  };
  const settle = async ({ rows = new Map() as MemoryLeases, owner = 'command-api-1' } = {}) => {
    const leases = memoryLeases({ rows, owner, runtime: realRuntime });
    const settlement = startSettlement({
      ...shared,
      leases,
      accounts,
      feed,
      storeId: store.id,
      telemetry: noTelemetry(),
    });
    stops.push(() => settlement.stop());
    return settlement;
  };
  const typesOf = async (accountId: string) =>
    (await store.readStream(`account-${accountId}`, 3, 100)).map(({ event }) => event.type);
  return { store, snapshots, accounts, record, book, bookOf, buyer, settle, typesOf };
}

type Order = { accountId: string; orderId: string; revision: number };
const trade = (taker: Order, leaves: number, quantity = 4): BookFact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 1,
    priceTicks: 990,
    tickCents: 1,
    quantity,
    takerSide: 'buy',
    taker: { ...taker, leaves },
    maker: { ...taker, orderId: randomUUID(), leaves: 0 },
  },
});
const expired = (order: Order, quantity: number): BookFact => ({
  type: 'OrderExpired.v1',
  data: {
    order,
    side: 'buy',
    priceTicks: 1_000,
    quantity,
    resting: false,
    reason: 'UNFILLED_IOC_QUANTITY_EXPIRED',
  },
});

test('outputs of a batch become one commit an account, each fact caused by its own output', async () => {
  const { store, book, buyer, settle, typesOf } = await installation();
  const [ann, bob] = [await buyer(), await buyer()];
  await book(trade(ann, 6), trade(bob, 6), expired(ann, 6));
  await settle();
  await vi.waitFor(async () => expect(await typesOf(ann.accountId)).toHaveLength(2));
  const annual = await store.readStream(`account-${ann.accountId}`, 3, 10);
  const outputs = await store.readStream('book-ACME', 0, 10);
  expect(annual.map(({ event, commitId }) => [event.type, event.causationId, event.actor, commitId])).toEqual(
    [
      ['OrderFilled.v1', outputs[0]?.event.id, 'system:settlement', annual[0]?.commitId],
      ['OrderClosed.v1', outputs[2]?.event.id, 'system:settlement', annual[0]?.commitId],
    ],
  );
  expect(annual[1]?.event.id).not.toBe(annual[0]?.event.id);
  await vi.waitFor(async () => expect(await typesOf(bob.accountId)).toEqual(['OrderFilled.v1']));
});

test('a settler that begins again from the start settles nothing twice', async () => {
  const first = await installation();
  const ann = await first.buyer();
  await first.book(trade(ann, 6), trade(ann, 2), expired(ann, 2));
  const settlement = await first.settle();
  await vi.waitFor(async () => expect(await first.typesOf(ann.accountId)).toHaveLength(3));
  await settlement.stop();
  const head = await first.store.head();
  // Another process, without the saved cursor.
  const second = await installation(first.store);
  const again = await second.settle();
  await vi.waitFor(() => expect(again.position()).toBe(head));
  expect(await second.typesOf(ann.accountId)).toEqual(['OrderFilled.v1', 'OrderFilled.v1', 'OrderClosed.v1']);
  expect(await first.store.head()).toBe(head);
});

test('a cached account that is older than the output is brought up to date first', async () => {
  const settler = await installation();
  const accountId = randomUUID();
  const order = { accountId, orderId: randomUUID(), revision: 2 };
  await settler.record(accountId, { type: 'AccountOpened.v1', data: { accountId, clientId: randomUUID() } });
  // Another process takes the order; the settler still has the empty account in memory.
  const other = await installation(settler.store);
  await other.record(
    accountId,
    { type: 'CashTransferredIn.v1', data: { transferId: randomUUID(), amountCents: 100_000 } },
    placed(order),
  );
  await settler.book(trade(order, 6));
  await settler.settle();
  await vi.waitFor(async () => expect(await settler.typesOf(accountId)).toEqual(['OrderFilled.v1']));
});

test('two processes share the symbols; one goes on where the other ends, and nothing is settled twice', async () => {
  const rows: MemoryLeases = new Map();
  const one = await installation();
  const two = await installation(one.store, one.snapshots);
  const first = await one.settle({ rows });
  const second = await two.settle({ rows, owner: 'command-api-2' });
  await vi.waitFor(() => expect([first.shards(), second.shards()]).toEqual([8, 8]), { timeout: 100_000 });
  const symbols = ['ACME', 'BOLT', 'CORE', 'DUNE', 'EPIC', 'FLUX', 'GRID', 'HALO'];
  const buyers = await Promise.all(
    symbols.map(async (symbol) => ({ symbol, order: await one.buyer(symbol) })),
  );
  for (const { symbol, order } of buyers) await one.bookOf(symbol, trade(order, 6));
  const settled = (count: number) =>
    vi.waitFor(async () => {
      for (const { order } of buyers) expect(await one.typesOf(order.accountId)).toHaveLength(count);
    }, 10_000);
  await settled(1);
  await first.stop();
  for (const { symbol, order } of buyers) await one.bookOf(symbol, trade(order, 2), expired(order, 2));
  await vi.waitFor(() => expect(second.shards()).toBe(16), { timeout: 100_000 });
  await settled(3);
  const head = await one.store.head();
  await vi.waitFor(() => expect(second.position()).toBe(head), 10_000);
  for (const { order } of buyers) {
    expect(await one.typesOf(order.accountId)).toEqual([
      'OrderFilled.v1',
      'OrderFilled.v1',
      'OrderClosed.v1',
    ]);
  }
});

test('a shard begins where all symbols stood together, before they were shared', async () => {
  const { store, snapshots, book, buyer, settle, typesOf } = await installation();
  const ann = await buyer();
  await book(trade(ann, 6));
  const cursor = { storeId: store.id, position: await store.head() };
  await snapshots.save({ kind: 'settlement', key: 'all', version: 1 }, { cursor, revision: -1, state: '{}' });
  await book(expired(ann, 10));
  await settle();
  await vi.waitFor(async () => expect(await typesOf(ann.accountId)).toEqual(['OrderClosed.v1']));
});

test('where the cursors are damaged all outputs are looked at again, and nothing is settled twice', async () => {
  const kinds: SnapshotsInMemory = new Map();
  const kept = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const snapshots = memorySnapshots({ store: kept, kinds });
  const { book, buyer, settle, typesOf } = await installation(kept, snapshots);
  const ann = await buyer();
  await book(trade(ann, 6));
  const first = await settle();
  await vi.waitFor(async () => expect(await typesOf(ann.accountId)).toEqual(['OrderFilled.v1']));
  await first.stop();
  cutInHalf(kinds);
  await book(expired(ann, 10));
  await settle({ owner: 'command-api-2' });
  await vi.waitFor(async () =>
    expect(await typesOf(ann.accountId)).toEqual(['OrderFilled.v1', 'OrderClosed.v1']),
  );
});

test('an account that cannot be settled is parked while others go on, and holds the cursor back', async () => {
  const { snapshots, book, buyer, settle, typesOf } = await installation();
  const [ann, bob] = [await buyer(), await buyer()];
  // The book says that more is left than the order has.
  await book(trade(ann, 99), trade(bob, 6));
  await book(expired(ann, 6), expired(bob, 6));
  const settlement = await settle();
  await vi.waitFor(async () =>
    expect(await typesOf(bob.accountId)).toEqual(['OrderFilled.v1', 'OrderClosed.v1']),
  );
  await vi.waitFor(() => expect(settlement.parkedAccounts()).toBe(1));
  expect(await typesOf(ann.accountId)).toEqual([]);
  await settlement.stop();
  const key = { kind: 'settlement', key: `shard-${shardOf('ACME')}`, version: 1 };
  const saved = await snapshots.load(key, ({ state }) => state);
  expect(saved?.cursor.position).toBe(6);
});
