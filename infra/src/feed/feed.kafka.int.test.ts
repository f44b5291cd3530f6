import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { commit, type Noted } from '../../test/noted.ts';
import { aloneOn, WAIT_MS } from '../../test/stage.ts';
import {
  appendMany,
  appendTexts,
  byStream,
  expectAll,
  gatherer,
  openStore,
  openWorld,
} from '../../test/topicWorld.ts';
import { clientFor, eventMessage, topicOf, topicWriter, watermark } from '../../test/topicWriter.ts';
import type { Cursor } from '../eventStore/cursor.ts';
import { NO_STREAM, type Recorded } from '../eventStore/eventStore.ts';
import { realRuntime } from '../runtime/runtime.ts';
import type { FeedTopic } from './division.ts';
import { feedContract } from './feed.contract.ts';
import { kafkaFeed } from './feed.kafka.ts';
import { storeFeed } from './feed.store.ts';

const brokers = inject('kafkaBrokers') ?? '';

describe.runIf(brokers)('Kafka', () => {
  feedContract(
    'a topic of one partition',
    async () => {
      const world = await openWorld({ brokers, partitions: 1, lateAfterMs: 300 });
      return { ...(await aloneOn(world.store)), feed: world.feed, close: world.closeRest };
    },
    { keepsText: true },
  );

  type Options = Omit<Parameters<typeof openWorld>[0], 'brokers'>;
  const worlds: Awaited<ReturnType<typeof openWorld>>[] = [];
  const opened = async (options: Options) => {
    const world = await openWorld({ brokers, ...options });
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) {
      await world.feed.close();
      await world.closeRest();
    }
  });

  test('live consumers are given everything by the topic, and nobody reads the store', async () => {
    const { store, feed, reads } = await opened({ partitions: 4 });
    const [one, other] = [gatherer({}), gatherer({ filter: { categories: ['book'] } })];
    const subscriptions = [one, other].map((consumer) => feed.subscribe(consumer));
    await appendTexts(store, 'account-a', ['first']);
    await Promise.all(subscriptions.map((subscription) => subscription.reached(1, WAIT_MS)));
    const before = reads();
    for (let i = 0; i < 50; i++) {
      await store.append([
        commit(`account-${i}`, NO_STREAM, ['a', 'b', 'c']),
        commit(`book-${i}`, NO_STREAM, ['d']),
      ]);
      if (i % 10 === 0) await delay(5);
    }
    await Promise.all(subscriptions.map((subscription) => subscription.reached(201, WAIT_MS)));
    // The writer reads the same store: one read for each wake-up, and no others.
    expect(reads()).toBe(before);
    await expectAll(store, one);
    await expectAll(store, other);
    expect(feed.head()).toBe(201);
  });

  test('a consumer comes back to the places where it was, and gets what it lacked, once', async () => {
    const world = await opened({ partitions: 4, lateAfterMs: 60_000 });
    const { store, feed, writer, topic } = world;
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'before');
    await subscription.reached(20, WAIT_MS);
    const [held = 0] = topic.partitionsOf({ streams: ['account-1'] });
    writer.hold(held);
    await appendMany(store, 10, 'meanwhile');
    // What is not in the held partition comes all the same.
    const everything = (await store.readAll(0, {}, 1_000)).events;
    const free = everything.filter((event) => topic.partitionOf(event) !== held);
    const arrived = () => byStream(consumer.events.filter((event) => topic.partitionOf(event) !== held));
    await expect.poll(arrived).toEqual(byStream(free));
    expect(subscription.position()).toBe(20);
    await subscription.stop();
    const cursor = consumer.cursor(store.id);
    expect(cursor).toMatchObject({ position: 20 });
    expect(Math.min(...(cursor.partitions ?? []))).toBe(20);
    expect(Math.max(...(cursor.partitions ?? []))).toBe(40);

    // Without Kafka, and with it.
    for (const next of [storeFeed({ store, runtime: realRuntime, topic }), feed]) {
      const returned = gatherer({ after: cursor, batchEventsMax: 3 });
      const again = next.subscribe(returned);
      if (next === feed) await writer.release();
      await again.reached(40, WAIT_MS);
      await again.stop();
      const given = [...consumer.events, ...returned.events];
      expect(given).toHaveLength(everything.length);
      expect(byStream(given)).toEqual(byStream(everything));
    }
  });

  test('a consumer of some keys waits for their partitions only', async () => {
    const { store, feed, writer, topic } = await opened({ partitions: 4, lateAfterMs: 60_000 });
    const consumer = gatherer({ filter: { streams: ['account-1'] } });
    const subscription = feed.subscribe(consumer);
    const [its = 0] = topic.partitionsOf(consumer.filter);
    await appendMany(store, 4, 'before');
    await subscription.reached(8, WAIT_MS);
    writer.hold(...[0, 1, 2, 3].filter((partition) => partition !== its));
    await appendMany(store, 4, 'after');
    await subscription.reached(16, WAIT_MS);
    await expectAll(store, consumer);
    await writer.release();
  });

  test('a cursor of another number of partitions, or a filter beyond the topic, is refused', async () => {
    const { store, feed, topic } = await opened({ partitions: 4 });
    const after = { storeId: store.id, position: 3, partitions: [3, 4] };
    expect(() => feed.subscribe(gatherer({ after }))).toThrow('2 partitions, this feed has 4');
    const narrow = storeFeed({
      store,
      runtime: realRuntime,
      topic: { ...topic, filter: { categories: ['book'] } },
    });
    expect(() => narrow.subscribe(gatherer({}))).toThrow('wants more than the topic');
    await narrow.close();
  });

  test('what is not of this store, of a relay that was replaced, or there already is left out', async () => {
    const { store, feed, writer, topic } = await opened({ partitions: 2, epoch: 5, lateAfterMs: 60_000 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendTexts(store, 'account-a', ['a', 'b', 'c']);
    await subscription.reached(3, WAIT_MS);
    const [event] = (await store.readAll(2, {}, 1)).events;
    if (!event) throw new Error('there is no third event');
    const partition = topic.partitionOf(event);
    const forged = (position: number, epoch: number, storeId = store.id) => {
      const text = `forged at ${position} of ${epoch}`;
      const other = { ...event, position, revision: position, event: { text } };
      return eventMessage({ ...store, id: storeId }, epoch, other);
    };
    await writer.send(partition, [
      eventMessage(store, 5, event),
      forged(1, 5),
      forged(3, 6),
      forged(50, 4),
      forged(60, 7, randomUUID()),
      { key: 'k', value: 'not of a relay at all' },
      { key: 'k', value: 'no number', headers: { store: store.id, epoch: 'x', position: '90' } },
      watermark(store.id, 6, 3, partition),
    ]);
    await appendTexts(store, 'account-a', ['d'], 2);
    // The writer's own epoch is the lower one now: only the newer relay is listened to.
    const [d] = (await store.readAll(3, {}, 1)).events;
    if (d) await writer.send(partition, [eventMessage(store, 6, d)]);
    await expect.poll(() => consumer.events.map(({ event: { text } }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a relay that goes on further than its predecessor came leaves nothing out', async () => {
    const { store, feed, writer, topic } = await opened({ partitions: 2 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 4, 'first');
    await subscription.reached(8, WAIT_MS);
    await writer.stop();
    await appendMany(store, 4, 'never sent');
    // It was told wrongly where the other one had come to.
    const second = await topicWriter({ store, brokers, topic, epoch: 2, after: await store.head() });
    await appendMany(store, 4, 'second');
    await subscription.reached(24, WAIT_MS);
    await expectAll(store, consumer);
    await second.stop();
  });

  test('a reader that has fallen behind what the topic keeps goes on from the store', async () => {
    const { store, feed, topic } = await opened({ partitions: 2, windowEventsMax: 10 });
    const gate = Promise.withResolvers<void>();
    const consumer = gatherer({ batchEventsMax: 5, handle: () => gate.promise });
    const subscription = feed.subscribe(consumer);
    for (let i = 0; i < 30; i++) await appendMany(store, 10, `part ${i}`);
    const client = clientFor(brokers);
    const admin = client.kafkajs.admin();
    await admin.connect();
    await expect
      .poll(async () => (await admin.fetchTopicOffsets(topic.name)).every(({ high }) => Number(high) > 250))
      .toBe(true);
    const ends = await admin.fetchTopicOffsets(topic.name);
    await admin.deleteTopicRecords({
      topic: topic.name,
      partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
    });
    await admin.disconnect();
    gate.resolve();
    await subscription.reached(600, WAIT_MS);
    await appendMany(store, 10, 'after');
    await subscription.reached(620, WAIT_MS);
    await expectAll(store, consumer);
  });

  test('a topic that is deleted and made again is read again', async () => {
    const { store, feed, writer, topic } = await opened({ partitions: 2 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'before');
    await subscription.reached(20, WAIT_MS);
    await writer.stop();
    const admin = clientFor(brokers).kafkajs.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic.name] });
    await admin.disconnect();
    await appendMany(store, 10, 'without a topic');
    await subscription.reached(40, WAIT_MS);
    const second = await topicWriter({ store, brokers, topic, epoch: 1, after: 30 });
    await expect.poll(feed.isInTime).toBe(false);
    await expect.poll(feed.isInTime).toBe(true);
    await appendMany(store, 10, 'after');
    await subscription.reached(60, WAIT_MS);
    await expectAll(store, consumer);
    await second.stop();
  });

  test('a topic that is made anew beside the old one is read when the old one is deleted', async () => {
    const { store, feed, writer, topic } = await opened({ partitions: 2 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'before');
    await subscription.reached(20, WAIT_MS);
    await writer.stop();
    const newer = { ...topic, name: `${topic.name}.2` };
    const second = await topicWriter({ store, brokers, topic: newer, epoch: 1 });
    await clientFor(brokers).deleteTopics([topic.name]);
    await expect.poll(feed.isInTime).toBe(false);
    await expect.poll(feed.isInTime).toBe(true);
    await appendMany(store, 10, 'after');
    await subscription.reached(40, WAIT_MS);
    await expectAll(store, consumer);
    await second.stop();
  });

  test('while the relay stands still the store is read, and then the topic again', async () => {
    const { store, feed, writer, reads } = await opened({ partitions: 2, lateAfterMs: 200 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'before');
    await subscription.reached(20, WAIT_MS);
    writer.hold(0, 1);
    await appendMany(store, 10, 'meanwhile');
    await subscription.reached(40, WAIT_MS);
    expect(feed.isInTime()).toBe(false);
    await appendMany(store, 10, 'meanwhile, too');
    await subscription.reached(60, WAIT_MS);
    await writer.release();
    await expect.poll(feed.isInTime).toBe(true);
    const before = reads();
    await appendMany(store, 10, 'after');
    await subscription.reached(80, WAIT_MS);
    expect(reads()).toBe(before);
    await expectAll(store, consumer);
  });

  test('consumers of every pace, coming and going under load, get every event once and in order of its key', async () => {
    const { store, feed } = await opened({ partitions: 4, windowEventsMax: 200 });
    const PARTS = 200;
    const slow = gatherer({ batchEventsMax: 50, handle: () => delay(15) });
    const uneven = gatherer({ handle: () => (Math.random() < 0.2 ? delay(40) : Promise.resolve()) });
    const few = gatherer({ filter: { streams: ['account-3', 'book-7'] }, batchEventsMax: 2 });
    const staying = [slow, uneven, few].map((consumer) => feed.subscribe(consumer));
    const writing = (async () => {
      for (let i = 0; i < PARTS; i++) {
        await appendMany(store, 10, `part ${i}`);
        if (i % 4 === 0) await delay(5);
      }
    })();
    // One leaves again and again and comes back where it stood.
    const restless = { events: [] as Recorded<Noted>[], filter: {} };
    let cursor: Cursor | null = null;
    for (let turn = 0; turn < 12; turn++) {
      const consumer: ReturnType<typeof gatherer> = gatherer({ after: cursor, batchEventsMax: 20 });
      const subscription = feed.subscribe(consumer);
      await delay(20 + turn * 5);
      await subscription.stop();
      restless.events.push(...consumer.events);
      cursor = consumer.cursor(store.id);
    }
    await writing;
    const last = gatherer({ after: cursor });
    staying.push(feed.subscribe(last));
    await Promise.all(staying.map((subscription) => subscription.reached(PARTS * 20, WAIT_MS)));
    restless.events.push(...last.events);
    for (const consumer of [slow, uneven, few, restless]) await expectAll(store, consumer);
  });

  test('a Kafka that is not there costs nothing but a warning: the store is read', async () => {
    const store = openStore();
    const topic = topicOf(2);
    const feed = kafkaFeed({ store, kafka: clientFor('127.0.0.1:1'), topic, runtime: realRuntime });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'a');
    await subscription.reached(20, WAIT_MS);
    await appendMany(store, 10, 'b');
    await subscription.reached(40, WAIT_MS);
    await expectAll(store, consumer);
    expect(feed.isInTime()).toBe(false);
    await feed.close();
  });

  test('a topic of another number of partitions is left alone', async () => {
    const { store, topic, writer } = await opened({ partitions: 2 });
    const other: FeedTopic = { ...topicOf(3), name: topic.name };
    const feed = kafkaFeed({ store, kafka: clientFor(brokers), topic: other, runtime: realRuntime });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 10, 'a');
    await subscription.reached(20, WAIT_MS);
    await delay(700);
    await appendMany(store, 10, 'b');
    await subscription.reached(40, WAIT_MS);
    expect(feed.isInTime()).toBe(false);
    await feed.close();
    await writer.stop();
  });
});
