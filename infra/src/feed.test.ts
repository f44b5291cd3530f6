import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Noted, notedCodec } from '../test/noted.ts';
import { topicOf } from '../test/topicWriter.ts';
import { memoryEventStore } from './eventStore.memory.ts';
import type { EventStore } from './eventStore.ts';
import { appendTexts, collector, feedContract, textsOf } from './feed.contract.ts';
import { storeFeed } from './feed.store.ts';
import { realRuntime } from './runtime.ts';

const openStore = () => memoryEventStore({ id: randomUUID(), codec: notedCodec });

feedContract('memory', async () => {
  const store = openStore();
  return { store, feed: storeFeed({ store, runtime: realRuntime }), close: () => store.close() };
});

feedContract('memory, with a window of five events', async () => {
  const store = openStore();
  return {
    store,
    feed: storeFeed({ store, runtime: realRuntime, windowEventsMax: 5 }),
    close: () => store.close(),
  };
});

feedContract('memory, of the consumers of a topic', async () => {
  const store = openStore();
  const feed = storeFeed({ store, runtime: realRuntime, topic: topicOf(3) });
  return { store, feed, close: () => store.close() };
});

test('live consumers share one reader, and nobody reads while nothing happens', async () => {
  const store = openStore();
  let reads = 0;
  const counting: EventStore<Noted> = {
    ...store,
    readAll: (...page) => {
      reads += 1;
      return store.readAll(...page);
    },
  };
  const feed = storeFeed({ store: counting, runtime: realRuntime });
  const consumers = Array.from({ length: 20 }, (_, i) =>
    collector({ filter: { streams: [`account-${i}`] } }),
  );
  const subscriptions = consumers.map((consumer) => feed.subscribe(consumer));
  await appendTexts(store, 'account-1', ['first']);
  await Promise.all(subscriptions.map((subscription) => subscription.reached(1, 1_000)));
  await delay(30);
  const before = reads;
  await delay(100);
  expect(reads).toBe(before);
  await appendTexts(store, 'account-7', ['seven']);
  await Promise.all(subscriptions.map((subscription) => subscription.reached(2, 1_000)));
  expect(reads).toBe(before + 1);
  expect(consumers.map(textsOf).flat()).toEqual(['first', 'seven']);
  await feed.close();
});

test('a store that fails for a while delays its consumers, no more', async () => {
  const store = openStore();
  let failures = 0;
  const failing: EventStore<Noted> = {
    ...store,
    readAll: (...page) => {
      if (failures-- > 0) throw new Error('the store is away');
      return store.readAll(...page);
    },
  };
  const feed = storeFeed({ store: failing, runtime: realRuntime });
  const consumer = collector({});
  failures = 2;
  const subscription = feed.subscribe(consumer);
  await appendTexts(store, 'account-1', ['a']);
  await subscription.reached(1, 2_000);
  failures = 3;
  await appendTexts(store, 'account-1', ['b'], 0);
  await subscription.reached(2, 2_000);
  expect(textsOf(consumer)).toEqual(['a', 'b']);
  await feed.close();
});
