import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { commit, type Noted, notedCodec } from '../../test/noted.ts';
import { aloneOn, sharing, WAIT_MS } from '../../test/stage.ts';
import { topicOf } from '../../test/topicWriter.ts';
import { memoryEventStore } from '../eventStore/eventStore.memory.ts';
import { type EventStore, NO_STREAM } from '../eventStore/eventStore.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { collecting, feedContract, textsOf } from './feed.contract.ts';
import { storeFeed } from './feed.store.ts';

const openStore = () => memoryEventStore({ id: randomUUID(), codec: notedCodec });
const appendTo = (store: EventStore<Noted>, stream: string, texts: string[], expected = NO_STREAM) =>
  store.append([commit(stream, expected, texts)]);

for (const [name, options] of [
  ['memory', {}],
  ['memory, with a window of five events', { windowEventsMax: 5 }],
  ['memory, of the consumers of a topic', { topic: topicOf(3) }],
] as const) {
  feedContract(
    name,
    async () => {
      const stage = await aloneOn(openStore());
      return { ...stage, feed: storeFeed({ store: stage.store, runtime: realRuntime, ...options }) };
    },
    { keepsText: true },
  );
}

// As a feed of a store that others use at the same time is tested, on one where that can be seen to hold.
const shared = openStore();
let tests = 0;
feedContract(
  'memory, shared with others',
  async () => {
    const stage = await sharing(shared, `t${tests++}`);
    await appendTo(shared, 'account-stranger', ['traded'], await shared.streamRevision('account-stranger'));
    const feed = storeFeed({ store: shared, runtime: realRuntime });
    return { ...stage, feed, close: async () => undefined };
  },
  { keepsText: false },
);

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
    collecting({ filter: { streams: [`account-${i}`] } }),
  );
  const subscriptions = consumers.map((consumer) => feed.subscribe(consumer));
  await appendTo(store, 'account-1', ['first']);
  await Promise.all(subscriptions.map((subscription) => subscription.reached(1, WAIT_MS)));
  await delay(30);
  const before = reads;
  await delay(100);
  expect(reads).toBe(before);
  await appendTo(store, 'account-7', ['seven']);
  await Promise.all(subscriptions.map((subscription) => subscription.reached(2, WAIT_MS)));
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
  const consumer = collecting({});
  failures = 2;
  const subscription = feed.subscribe(consumer);
  await appendTo(store, 'account-1', ['a']);
  await subscription.reached(1, WAIT_MS);
  failures = 3;
  await appendTo(store, 'account-1', ['b'], 0);
  await subscription.reached(2, WAIT_MS);
  expect(textsOf(consumer)).toEqual(['a', 'b']);
  await feed.close();
});
