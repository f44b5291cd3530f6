import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type Event, keyOfStream, MARKET_DATA_EVENTS, MARKET_DATA_VIEW } from '@brokerx/contracts';
import type { EventStore } from '@brokerx/infra';
import {
  cutInHalf,
  landmarks,
  memoryHotStore,
  memorySnapshots,
  ofOwnPast,
  type SnapshotsInMemory,
} from '@brokerx/infra';
import { expect, test } from 'vitest';
import { keysOf } from '../src/marketData/books.ts';
import { follow } from './followMarket.ts';
import { makeHistory } from './history.ts';
import { hotExpected, hotShown } from './hotViewOf.ts';
import { appendAll, STORE_ID, storeInMemory } from './readModelsOf.ts';

const memory = (kinds: SnapshotsInMemory = new Map()) => {
  const hotStore = memoryHotStore();
  const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  const store = storeInMemory();
  return { store, hotStore, view, snapshots: memorySnapshots({ store, kinds }) };
};

/** Commits that are of no market. */
const elsewhere = (count: number) =>
  makeHistory({ seed: 99, orders: count * 30 })
    .commits.filter(({ stream }) => stream.startsWith('client-'))
    .slice(0, count);

test('the hot view shows every book as it is, and its cursor moves with the store', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 31, orders: 1_000 });
  follow(given);
  for (let done = 0; done < history.commits.length; done += 300) {
    await appendAll(given.store, history.commits.slice(done, done + 300));
  }
  const place = { storeId: STORE_ID, position: await given.store.head() };
  await expect.poll(() => view.cursor()).toEqual(expect.objectContaining(place));
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
});

test('a lost view is written anew by itself, though nothing happens in the market', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 32, orders: 200 });
  await appendAll(given.store, history.commits);
  follow(given);
  const whole = { storeId: STORE_ID, position: await given.store.head() };
  await expect.poll(() => view.cursor()).toEqual(expect.objectContaining(whole));
  await view.clear();
  await expect.poll(() => view.cursor()).toEqual(expect.objectContaining(whole));
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
});

test('a start on damaged snapshots folds everything, and publishes the same', async () => {
  const kinds: SnapshotsInMemory = new Map();
  const { view, ...given } = memory(kinds);
  const history = makeHistory({ seed: 36, orders: 300, symbols: 3 });
  const half = history.commits.length >> 1;
  await appendAll(given.store, history.commits.slice(0, half));
  const first = follow({ ...given, snapshotEveryMs: 1 });
  const then = await given.store.head();
  await expect.poll(async () => (await view.cursor())?.position).toBe(then);
  await first.stop();
  expect(kinds.size).toBe(1);
  cutInHalf(kinds);
  await appendAll(given.store, history.commits.slice(half));
  follow(given);
  await expect.poll(async () => (await view.cursor())?.position).toBe(await given.store.head());
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
});

test('a start folds from the snapshots on, and publishes the same', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 33, orders: 1_000, symbols: 5 });
  const half = history.commits.length >> 1;
  await appendAll(given.store, history.commits.slice(0, half));
  const first = follow({ ...given, snapshotEveryMs: 1 });
  const then = await given.store.head();
  await expect.poll(async () => (await view.cursor())?.position).toBe(then);
  await first.stop();
  await appendAll(given.store, history.commits.slice(half));

  const read: number[] = [];
  const store: EventStore<Event> = {
    ...given.store,
    readAll(after, filter, eventsMax) {
      // Not what is compared with the snapshots.
      if (eventsMax > 1) read.push(after);
      return given.store.readAll(after, filter, eventsMax);
    },
  };
  await view.clear();
  follow({ ...given, store });
  const place = { storeId: STORE_ID, position: await store.head() };
  await expect.poll(() => view.cursor()).toMatchObject(place);
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
  expect(Math.min(...read)).toBe(then);
});

test('a view that is ahead is not set back', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 34, orders: 50 });
  await appendAll(given.store, history.commits);
  const position = await given.store.head();
  const followed = landmarks(null);
  followed.add((await given.store.readAll(0, MARKET_DATA_EVENTS, 100_000)).events);
  const landmark = followed.at(position);
  const ahead = { storeId: STORE_ID, position, ...(landmark ? { landmark } : {}) };
  await view.write({ from: null, to: ahead, set: new Map([['depth:SYM0', 'newer']]) });
  const gate = Promise.withResolvers<void>();
  const store: EventStore<Event> = {
    ...given.store,
    async readAll(after, filter, eventsMax) {
      if (eventsMax > 1) await gate.promise;
      return given.store.readAll(after, filter, eventsMax);
    },
  };
  follow({ ...given, store });
  await setTimeout(300);
  expect(await view.read(['depth:SYM0'])).toEqual({ values: ['newer'], cursor: ahead });

  // Caught up with, it is written again.
  gate.resolve();
  await appendAll(given.store, elsewhere(60));
  const place = { storeId: STORE_ID, position: await given.store.head() };
  await expect.poll(() => view.cursor()).toEqual(expect.objectContaining(place));
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
});

test('values that are newer than their cursor says are not set back by a new start', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 36, orders: 1_500 });
  await appendAll(given.store, history.commits);
  const expected = hotExpected(history);
  // As one leaves them whose books were each at another place: the cursor is the lowest.
  const newest = Object.entries(expected).map(([key, value]) => [key, JSON.stringify(value)] as const);
  await view.write({ from: null, to: { storeId: STORE_ID, position: 1 }, set: new Map(newest) });
  const slow: EventStore<Event> = {
    ...given.store,
    readAll: async (...page) => {
      await setTimeout(1);
      return given.store.readAll(...page);
    },
  };
  follow({ ...given, store: slow, batchEventsMax: 10 });
  const head = await given.store.head();
  for (let at = 0; at < head; ) {
    expect(await hotShown(view, history)).toEqual(expected);
    at = (await view.cursor())?.position ?? 0;
    await setTimeout(1);
  }
  expect(await hotShown(view, history)).toEqual(expected);
});

test('the view of another store is replaced', async () => {
  const { view, ...given } = memory();
  const history = makeHistory({ seed: 35, orders: 100 });
  await appendAll(given.store, history.commits);
  const foreign = { storeId: '11111111-1111-4111-8111-111111111111', position: 9_999_999 };
  await view.write({ from: null, to: foreign, set: new Map([['depth:GONE', '{}']]) });
  follow(given);
  const place = { storeId: STORE_ID, position: await given.store.head() };
  await expect.poll(() => view.cursor()).toEqual(expect.objectContaining(place));
  expect(await hotShown(view, history)).toEqual(hotExpected(history));
  expect((await view.read(['depth:GONE'])).values).toEqual([null]);
});

test.for([
  ['ends before the view does', 0],
  ['has gone on elsewhere, as far as the view', 1],
] as const)('a view of a store that was put back, and %s, is made anew', async ([, goesOn]) => {
  const kinds: SnapshotsInMemory = new Map();
  const { view, snapshots, ...given } = memory(kinds);
  const { commits } = makeHistory({ seed: 37, orders: 300 });
  await appendAll(given.store, commits);
  const first = follow({ ...given, snapshots });
  await expect.poll(async () => (await view.cursor())?.position).toBe(await given.store.head());
  await first.stop();

  // Other commits at the same places, so that nothing but them tells the difference.
  const kept = commits.length >> 1;
  const since = commits.slice(kept).map((commit) => ({ ...commit, id: randomUUID() }));
  const store = storeInMemory();
  await appendAll(store, [...commits.slice(0, kept), ...(goesOn ? since.slice(0, -1) : [])]);
  const withdrawn: string[] = [];
  const guarded = ofOwnPast(view, store, MARKET_DATA_EVENTS);
  expect(await guarded.read(['depth:S1'])).toEqual({ values: [null], cursor: null });
  follow({
    hotStore: {
      ...given.hotStore,
      view: () => ({
        ...view,
        async clear() {
          withdrawn.push('cleared');
          await view.clear();
        },
      }),
    },
    store,
    // Snapshots of the other past are there, too.
    snapshots: memorySnapshots({ store, kinds }),
  });
  const straight = memoryHotStore().view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  follow({
    store,
    hotStore: { view: () => straight, close: async () => undefined },
    snapshots: memorySnapshots({ store }),
  });
  await expect.poll(async () => (await view.cursor())?.position).toBe(await store.head());
  await expect.poll(async () => (await straight.cursor())?.position).toBe(await store.head());
  expect(withdrawn).toEqual(['cleared']);
  const keys = (await given.store.readAll(0, MARKET_DATA_EVENTS, 100_000)).events
    .filter(({ event }) => event.type === 'SymbolListed.v1')
    .flatMap(({ stream }) => keysOf(keyOfStream(stream)));
  expect(keys.length).toBeGreaterThan(0);
  expect((await guarded.read(keys)).values).toEqual((await straight.read(keys)).values);
});
