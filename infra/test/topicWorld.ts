import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Cursor } from '../src/eventStore/cursor.ts';
import { memoryEventStore } from '../src/eventStore/eventStore.memory.ts';
import { type EventStore, NO_STREAM, type Recorded } from '../src/eventStore/eventStore.ts';
import { collecting } from '../src/feed/feed.contract.ts';
import { kafkaFeed } from '../src/feed/feed.kafka.ts';
import type { Batch, Consumer } from '../src/feed/feed.ts';
import { realRuntime } from '../src/runtime/runtime.ts';
import { commit, type Noted, notedCodec } from './noted.ts';
import { clientFor, topicOf, topicWriter } from './topicWriter.ts';

export const openStore = () => memoryEventStore({ id: randomUUID(), codec: notedCodec });

/** An empty store, what fills a topic from it, and a feed of that topic, which is read already. */
export async function openWorld(options: {
  brokers: string;
  partitions: number;
  epoch?: number;
  lateAfterMs?: number;
  windowEventsMax?: number;
}) {
  const { brokers, partitions, epoch = 1, ...ofFeed } = options;
  const store = openStore();
  let reads = 0;
  const counting: EventStore<Noted> = {
    ...store,
    readAll: (...page) => {
      reads += 1;
      return store.readAll(...page);
    },
  };
  const topic = topicOf(partitions);
  const writer = await topicWriter({ store, brokers, topic, epoch });
  const kafka = clientFor(brokers);
  const feed = kafkaFeed({ store: counting, kafka, topic, runtime: realRuntime, ...ofFeed });
  await feed.subscribe(collecting({})).stop();
  await expect.poll(feed.isInTime).toBe(true);
  return {
    store,
    feed,
    topic,
    writer,
    /** Pages that the feed has read of the store. */
    reads: () => reads,
    async closeRest() {
      await writer.stop();
      await store.close();
    },
  };
}

export async function appendTexts(
  store: EventStore<Noted>,
  stream: string,
  texts: string[],
  expectedRevision = NO_STREAM,
): Promise<void> {
  const [verdict] = await store.append([commit(stream, expectedRevision, texts)]);
  expect(verdict?.verdict).toBe('ok');
}

/** A commit of two events for each of so many streams, which the next call continues. */
export async function appendMany(store: EventStore<Noted>, streams: number, text: string): Promise<void> {
  const commits = Array.from({ length: streams }, async (_, i) => {
    const stream = `${i % 2 === 0 ? 'book' : 'account'}-${i}`;
    return commit(stream, await store.streamRevision(stream), [`${text} ${i}`, `${text} ${i} again`]);
  });
  for (const { verdict } of await store.append(await Promise.all(commits))) expect(verdict).toBe('ok');
}

/** A consumer of a topic that keeps what it was given, and where that has brought it. */
export function gatherer(given: Partial<Consumer<Noted>>) {
  const events: Recorded<Noted>[] = [];
  let last: Batch<Noted> | null = null;
  return {
    name: 'gatherer',
    after: null,
    filter: {},
    batchEventsMax: 500,
    ...given,
    events,
    cursor(storeId: string): Cursor {
      const { position = given.after?.position ?? 0, partitions = given.after?.partitions } = last ?? {};
      return { storeId, position, ...(partitions ? { partitions } : {}) };
    },
    handle: async (batch: Batch<Noted>) => {
      await given.handle?.(batch);
      expect(batch.position).toBe(Math.min(...(batch.partitions ?? [batch.position])));
      expect(batch.position).toBeGreaterThanOrEqual(last?.position ?? 0);
      events.push(...batch.events);
      last = batch;
    },
  };
}

/** Every event that matches was given once, those of a stream in order. */
export async function expectAll(
  store: EventStore<Noted>,
  consumer: Pick<ReturnType<typeof gatherer>, 'events' | 'filter'>,
): Promise<void> {
  const { events: expected } = await store.readAll(0, consumer.filter, 1_000_000);
  expect(byStream(consumer.events)).toEqual(byStream(expected));
}

export const byStream = (events: readonly Recorded<Noted>[]) =>
  Object.fromEntries(
    Map.groupBy(events, ({ stream }) => stream)
      .entries()
      .map(([stream, group]): [string, string[]] => [
        stream,
        group.map(({ position, event }) => `${position} ${event.text}`),
      ])
      .toArray()
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
