import { randomUUID } from 'node:crypto';
import { KafkaJSError, type Message, Partitioners, type Producer } from 'kafkajs';
import type { EventStore, Recorded } from '../src/eventStore/eventStore.ts';
import type { FeedTopic } from '../src/feed/division.ts';
import { openKafka } from '../src/kafka/kafka.ts';
import { mayFail } from '../src/runtime/mayFail.ts';
import { realRuntime, sleep } from '../src/runtime/runtime.ts';
import type { Noted } from './noted.ts';

/** A topic of as many partitions, divided by the key in a stream's name, and carrying the whole store. */
export const topicOf = (partitions: number): FeedTopic => {
  const partitionOfKey = (key: string) =>
    [...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % partitions;
  const partitionOf = ({ stream }: { stream: string }) =>
    partitionOfKey(stream.slice(stream.indexOf('-') + 1));
  return {
    name: `test-${randomUUID()}`,
    generation: 1,
    partitions,
    filter: {},
    partitionOf,
    partitionsOf: ({ streams }) => [
      ...new Set(
        streams?.map((stream) => partitionOf({ stream })) ?? Array.from({ length: partitions }, (_, i) => i),
      ),
    ],
  };
};

export const clientFor = (brokers: string) =>
  openKafka(
    { brokers: brokers.split(','), ssl: false, replication: 1 },
    { clientId: 'test', runtime: realRuntime },
  );

/** Writes a store's events into a topic as a relay does: in order, with a watermark for every partition after each page. */
export type TopicWriter = {
  /** Stops sending anything to these partitions until `release`; the others go on. */
  hold(...partitions: number[]): void;
  release(): Promise<void>;
  send(partition: number, messages: Message[]): Promise<void>;
  stop(): Promise<void>;
};

export async function topicWriter(options: {
  store: EventStore<Noted>;
  brokers: string;
  topic: FeedTopic;
  epoch?: number;
  /** Position to begin after. */
  after?: number;
}): Promise<TopicWriter> {
  const { store, topic, epoch = 1, after = 0 } = options;
  const client = clientFor(options.brokers);
  await client.prepareTopics([topic]);
  const newProducer = () =>
    client.kafkajs.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
  let producer: Producer = newProducer();
  await producer.connect();
  let stopped = false;
  let wake = () => {};
  const held = new Map<number, Message[]>();
  const partitions = Array.from({ length: topic.partitions }, (_, partition) => partition);

  const send = async (messages: readonly Message[]) => {
    const free = messages.filter((message) => {
      held.get(message.partition ?? 0)?.push(message);
      return !held.has(message.partition ?? 0);
    });
    for (let isSent = free.length === 0; !isSent && !stopped; ) {
      try {
        await producer.send({ topic: topic.name, messages: free });
        isSent = true;
      } catch (error) {
        if (!(error instanceof KafkaJSError)) throw error;
        // The broker is away; what was sent already comes twice.
        await mayFail(producer.disconnect(), AWAY);
        await sleep(realRuntime, 100);
        producer = newProducer();
        await mayFail(producer.connect(), AWAY);
        await mayFail(client.prepareTopics([topic]), AWAY);
      }
    }
  };
  const run = async () => {
    const leave = store.onAppend(() => wake());
    let position = after;
    await send(partitions.map((partition) => watermark(store.id, epoch, position, partition)));
    while (!stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const page = await store.readAll(position, topic.filter, 500);
      if (page.position > position) {
        position = page.position;
        const events = page.events.map((event) => ({
          ...eventMessage(store, epoch, event),
          partition: topic.partitionOf(event),
        }));
        await send([
          ...events,
          ...partitions.map((partition) => watermark(store.id, epoch, position, partition)),
        ]);
      } else await promise;
    }
    leave();
  };
  const running = mayFail(run(), 'a page that cannot be read ends it, as it would end a relay');
  return {
    hold(...some) {
      for (const partition of some) held.set(partition, []);
    },
    async release() {
      const waiting = [...held.values()].flat();
      held.clear();
      await send(waiting);
    },
    async send(partition, messages) {
      await producer.send({
        topic: topic.name,
        messages: messages.map((message) => ({ ...message, partition })),
      });
    },
    async stop() {
      stopped = true;
      wake();
      await running;
      await mayFail(producer.disconnect(), AWAY);
    },
  };
}

export const eventMessage = (
  store: EventStore<Noted>,
  epoch: number,
  recorded: Recorded<Noted>,
): Message => ({
  key: recorded.stream,
  value: store.codec.encode([recorded.event]).slice(1, -1),
  headers: {
    id: randomUUID(),
    type: store.codec.typeOf(recorded.event),
    position: String(recorded.position),
    stream: recorded.stream,
    revision: String(recorded.revision),
    commit: recorded.commitId,
    symbol: recorded.symbol ?? '',
    store: store.id,
    epoch: String(epoch),
  },
});

export const watermark = (store: string, epoch: number, position: number, partition: number): Message => ({
  key: '',
  value: '',
  partition,
  headers: { type: 'watermark', position: String(position), store, epoch: String(epoch) },
});

const AWAY = 'the broker may be away: it is tried again';
