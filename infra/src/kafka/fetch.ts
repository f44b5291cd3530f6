import type { Kafka } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { disconnected } from './disconnect.ts';
import type { KafkaTopic } from './topics.ts';

/**
 * Reads partitions from given offsets, without a consumer group: nothing assigns partitions, and no offsets are committed.
 * kafkajs has no such reader; this one is made of kafkajs's inner parts, which is safe because patch.ts insists on the exact
 * version.
 */
export type KafkaFetcher = {
  /** For each partition the oldest offset that it still holds and the next one to be written. */
  bounds(topics: readonly KafkaTopic[]): Promise<(PartitionOf & { first: bigint; next: bigint })[]>;
  /**
   * Messages from these offsets on, in order within each partition. A partition may be missing in the reply: then fetch again.
   * Waits up to `waitMs` while there are no messages. Throws an error with `type` `OFFSET_OUT_OF_RANGE` if a partition does
   * not hold an offset, or no longer holds it.
   */
  fetch(
    places: readonly (PartitionOf & { offset: bigint })[],
    limits: { waitMs: number; bytesMax: number },
  ): Promise<(PartitionOf & { messages: FetchedMessage[] })[]>;
  /** Groups partitions by the broker that leads them: a fetch of one group waits for that broker alone. */
  byLeader(partitions: readonly PartitionOf[]): PartitionOf[][];
  close(): Promise<void>;
};

export type PartitionOf = { topic: string; partition: number };

export type FetchedMessage = {
  offset: bigint;
  key: Buffer | null;
  value: Buffer | null;
  /** Our headers are all text. */
  headers: Readonly<Record<string, string>>;
  timestampMs: number;
};

/** `topics`: every topic that the fetcher will read. */
export async function kafkaFetcher(
  kafka: Kafka,
  topics: readonly KafkaTopic[],
  runtime: Runtime,
): Promise<KafkaFetcher> {
  const cluster = clusterOf(kafka);
  await cluster.connect();

  /** Sends a request for partitions to the brokers that lead them, and joins the replies. */
  const fromLeaders = async <P extends PartitionOf, R>(
    partitions: readonly P[],
    ask: (broker: Broker, part: Map<string, P[]>) => Promise<R[]>,
  ): Promise<R[]> => {
    try {
      const answers = await Promise.all(
        byLeader(cluster, partitions)
          .entries()
          .map(async ([nodeId, part]) => ask(await cluster.findBroker({ nodeId }), part)),
      );
      return answers.flat();
    } catch (error) {
      // Brokers or leaders may have changed: the next attempt uses fresh metadata.
      if (!cluster.isConnected()) await cluster.connect();
      await cluster.refreshMetadata();
      throw error;
    }
  };

  const offsets = async (partitions: readonly PartitionOf[], timestamp: typeof EARLIEST | typeof LATEST) =>
    fromLeaders(partitions, async (broker, part) => {
      const { responses } = await broker.listOffsets({
        isolationLevel: READ_UNCOMMITTED,
        topics: topicsOf(part, ({ partition }) => ({ partition, timestamp })),
      });
      return responses.flatMap(({ topic, partitions: each }) =>
        each.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
      );
    });

  try {
    await cluster.addMultipleTargetTopics(topics.map(({ name }) => name));
  } catch (error) {
    await disconnected(cluster, runtime);
    throw error;
  }
  return {
    async bounds(boundTopics) {
      const all = boundTopics.flatMap(({ name, partitions }) =>
        Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
      );
      const first = byPartition(await offsets(all, EARLIEST));
      const next = byPartition(await offsets(all, LATEST));
      return all.map((each) => ({
        ...each,
        first: first.get(partitionKey(each))?.offset ?? 0n,
        next: next.get(partitionKey(each))?.offset ?? 0n,
      }));
    },

    async fetch(places, { waitMs, bytesMax }) {
      await cluster.refreshMetadataIfNecessary();
      const from = byPartition(places);
      return fromLeaders(places, async (broker, part) => {
        const { responses } = await broker.fetch({
          maxWaitTime: waitMs,
          minBytes: 1,
          maxBytes: bytesMax,
          isolationLevel: READ_UNCOMMITTED,
          topics: topicsOf(part, ({ partition, offset }) => ({
            partition,
            fetchOffset: String(offset),
            maxBytes: bytesMax,
          })),
        });
        return responses.flatMap(({ topicName: topic, partitions }) =>
          partitions.map(({ partition, messages }) => {
            const { offset = 0n } = from.get(partitionKey({ topic, partition })) ?? {};
            // A broker sends whole batches, which may begin before the requested offset.
            return {
              topic,
              partition,
              messages: messages.map(parseMessage).filter((message) => message.offset >= offset),
            };
          }),
        );
      });
    },

    byLeader: (partitions) =>
      Array.from(byLeader(cluster, partitions).values(), (part) => [...part.values()].flat()),

    close: () => disconnected(cluster, runtime),
  };
}

/** Partitions by their leader's node id, then by topic. */
function byLeader<P extends PartitionOf>(
  cluster: Cluster,
  partitions: readonly P[],
): Map<string, Map<string, P[]>> {
  const leaders = new Map<string, Map<string, P[]>>();
  for (const [topic, group] of grouped(partitions, ({ topic }) => topic)) {
    const ids = group.map(({ partition }) => partition);
    for (const [nodeId, led] of Object.entries(cluster.findLeaderForPartitions(topic, ids))) {
      const part = leaders.get(nodeId) ?? new Map<string, P[]>();
      leaders.set(nodeId, part);
      part.set(
        topic,
        group.filter(({ partition }) => led.includes(partition)),
      );
    }
  }
  return leaders;
}

export const partitionKey = ({ topic, partition }: PartitionOf): string => `${topic}/${partition}`;

const byPartition = <P extends PartitionOf>(all: readonly P[]): Map<string, P> =>
  new Map(all.map((each) => [partitionKey(each), each]));

const topicsOf = <P, Q>(part: Map<string, P[]>, toRequest: (partition: P) => Q) =>
  [...part].map(([topic, partitions]) => ({ topic, partitions: partitions.map(toRequest) }));

function grouped<T>(all: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) groups.set(keyOf(each), [...(groups.get(keyOf(each)) ?? []), each]);
  return groups;
}

function parseMessage({ offset, key, value, headers = {}, timestamp }: RawMessage): FetchedMessage {
  const text: Record<string, string> = {};
  for (const name of Object.keys(headers)) text[name] = String(headers[name]);
  return { offset: BigInt(offset), key, value, headers: text, timestampMs: Number(timestamp) };
}

const EARLIEST = -2;
const LATEST = -1;
/** We use no transactions, so no message is ever uncommitted. */
const READ_UNCOMMITTED = 0;

type RawMessage = {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer | undefined>;
  timestamp: string;
};

/** The parts of kafkajs's `Broker` that this file uses. */
type Broker = {
  listOffsets(request: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  fetch(request: {
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{
    responses: { topicName: string; partitions: { partition: number; messages: RawMessage[] }[] }[];
  }>;
};

/** The parts of kafkajs's `Cluster` that this file uses. */
type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(by: { nodeId: string }): Promise<Broker>;
};

/** Makes connections with all of the client's settings, by the inner function that kafkajs's consumers use. */
function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol as symbol];
  if (!create) throw new Error('kafkajs has no inner function that makes its connections');
  return create({ metadataMaxAge: METADATA_MS, allowAutoTopicCreation: false });
}

/** Milliseconds after which brokers and leaders are looked up again even if nothing failed. */
const METADATA_MS = 300_000;
