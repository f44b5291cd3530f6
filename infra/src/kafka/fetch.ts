import type { Kafka } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { disconnected } from './disconnect.ts';
import type { KafkaTopic } from './topics.ts';

/**
 * Reading partitions from offsets that the caller knows, without a consumer group: nobody decides who reads what, and
 * nothing is committed. kafkajs has no such reader, but has all that one is made of; this reaches for it, which is
 * as safe as the exact version that patch.ts insists on.
 */
export type KafkaFetcher = {
  /** What each partition holds: the oldest offset that is kept and the one that comes next. */
  bounds(topics: readonly KafkaTopic[]): Promise<(PartitionOf & { first: bigint; next: bigint })[]>;
  /**
   * Messages from these offsets on, of each partition in order; a partition may be missing in the reply, then ask again.
   * Waits for up to `waitMs` while there are none. Throws with `type` `OFFSET_OUT_OF_RANGE` where an offset is not there (any more).
   */
  fetch(
    places: readonly (PartitionOf & { offset: bigint })[],
    limits: { waitMs: number; bytesMax: number },
  ): Promise<(PartitionOf & { messages: FetchedMessage[] })[]>;
  /** The partitions in groups, one for each broker that leads some: a fetch of one group waits for one broker alone. */
  byLeader(partitions: readonly PartitionOf[]): PartitionOf[][];
  close(): Promise<void>;
};

export type PartitionOf = { topic: string; partition: number };

export type FetchedMessage = {
  offset: bigint;
  key: Buffer | null;
  value: Buffer | null;
  /** Headers are text with us. */
  headers: Readonly<Record<string, string>>;
  timestampMs: number;
};

/** `topics`: all that it will be asked for. */
export async function kafkaFetcher(
  kafka: Kafka,
  topics: readonly KafkaTopic[],
  runtime: Runtime,
): Promise<KafkaFetcher> {
  const cluster = clusterOf(kafka);
  await cluster.connect();

  /** Divides what is asked for among the brokers that lead it, and puts the answers together. */
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
      // Brokers or leaders may have changed: the next attempt goes by what holds then.
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
    async bounds(wanted) {
      const all = wanted.flatMap(({ name, partitions }) =>
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
            // A broker gives whole batches: they may begin before what was asked for.
            return {
              topic,
              partition,
              messages: messages.map(fetched).filter((one) => one.offset >= offset),
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

/** By node id and topic. */
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

const topicsOf = <P, Q>(part: Map<string, P[]>, asked: (each: P) => Q) =>
  [...part].map(([topic, partitions]) => ({ topic, partitions: partitions.map(asked) }));

function grouped<T>(all: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) groups.set(keyOf(each), [...(groups.get(keyOf(each)) ?? []), each]);
  return groups;
}

function fetched({ offset, key, value, headers = {}, timestamp }: RawMessage): FetchedMessage {
  const text: Record<string, string> = {};
  for (const name of Object.keys(headers)) text[name] = String(headers[name]);
  return { offset: BigInt(offset), key, value, headers: text, timestampMs: Number(timestamp) };
}

const EARLIEST = -2;
const LATEST = -1;
/** We write no transactions: there is nothing uncommitted. */
const READ_UNCOMMITTED = 0;

type RawMessage = {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer | undefined>;
  timestamp: string;
};

/** What is used of kafkajs's `Broker`. */
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

/** What is used of kafkajs's `Cluster`. */
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

/** Connections of their own, with all settings of the client: made by the function that its consumers use. */
function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol as symbol];
  if (!create) throw new Error('kafkajs has no inner function that makes its connections');
  return create({ metadataMaxAge: METADATA_MS, allowAutoTopicCreation: false });
}

/** Milliseconds after which brokers and leaders are asked for again also when nothing failed. */
const METADATA_MS = 300_000;
