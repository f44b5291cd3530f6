import type { Kafka } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { disconnect } from './disconnect.ts';
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

/** Opens a reader. `topics` are all topics that it will read. */
export async function kafkaFetcher(
  kafka: Kafka,
  topics: readonly KafkaTopic[],
  runtime: Runtime,
): Promise<KafkaFetcher> {
  const cluster = clusterOf(kafka);
  await cluster.connect();
  try {
    await cluster.addMultipleTargetTopics(topics.map(({ name }) => name));
  } catch (error) {
    await disconnect(cluster, runtime);
    throw error;
  }
  return {
    bounds: (boundTopics) => bounds(cluster, boundTopics),
    fetch: (places, limits) => fetchFrom(cluster, places, limits),
    byLeader: (partitions) =>
      Array.from(byLeader(cluster, partitions).values(), (byTopic) => [...byTopic.values()].flat()),
    close: () => disconnect(cluster, runtime),
  };
}

async function bounds(
  cluster: Cluster,
  topics: readonly KafkaTopic[],
): Promise<(PartitionOf & { first: bigint; next: bigint })[]> {
  const partitions = topics.flatMap(({ name, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
  );
  const first = byPartition(await offsets(cluster, partitions, EARLIEST));
  const next = byPartition(await offsets(cluster, partitions, LATEST));
  return partitions.map((partition) => ({
    ...partition,
    first: first.get(partitionKey(partition))?.offset ?? 0n,
    next: next.get(partitionKey(partition))?.offset ?? 0n,
  }));
}

const offsets = (
  cluster: Cluster,
  partitions: readonly PartitionOf[],
  timestamp: typeof EARLIEST | typeof LATEST,
): Promise<(PartitionOf & { offset: bigint })[]> =>
  fromLeaders(cluster, partitions, async (broker, byTopic) => {
    const { responses } = await broker.listOffsets({
      isolationLevel: READ_UNCOMMITTED,
      topics: topicRequests(byTopic, ({ partition }) => ({ partition, timestamp })),
    });
    return responses.flatMap(({ topic, partitions: replies }) =>
      replies.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
    );
  });

async function fetchFrom(
  cluster: Cluster,
  places: readonly (PartitionOf & { offset: bigint })[],
  { waitMs, bytesMax }: { waitMs: number; bytesMax: number },
): Promise<(PartitionOf & { messages: FetchedMessage[] })[]> {
  await cluster.refreshMetadataIfNecessary();
  const requested = byPartition(places);
  return fromLeaders(cluster, places, async (broker, byTopic) => {
    const { responses } = await broker.fetch({
      maxWaitTime: waitMs,
      minBytes: 1,
      maxBytes: bytesMax,
      isolationLevel: READ_UNCOMMITTED,
      topics: topicRequests(byTopic, ({ partition, offset }) => ({
        partition,
        fetchOffset: String(offset),
        maxBytes: bytesMax,
      })),
    });
    return responses.flatMap(({ topicName: topic, partitions }) =>
      partitions.map(({ partition, messages }) => {
        const { offset = 0n } = requested.get(partitionKey({ topic, partition })) ?? {};
        // A broker sends whole batches, which may begin before the requested offset.
        return {
          topic,
          partition,
          messages: messages.map(parseMessage).filter((message) => message.offset >= offset),
        };
      }),
    );
  });
}

/** Sends a request for partitions to the brokers that lead them, and joins the replies. */
async function fromLeaders<P extends PartitionOf, R>(
  cluster: Cluster,
  partitions: readonly P[],
  request: (broker: Broker, byTopic: Map<string, P[]>) => Promise<R[]>,
): Promise<R[]> {
  try {
    const replies = await Promise.all(
      byLeader(cluster, partitions)
        .entries()
        .map(async ([nodeId, byTopic]) => request(await cluster.findBroker({ nodeId }), byTopic)),
    );
    return replies.flat();
  } catch (error) {
    // Brokers or leaders may have changed: the next attempt uses fresh metadata.
    if (!cluster.isConnected()) await cluster.connect();
    await cluster.refreshMetadata();
    throw error;
  }
}

/** Partitions by their leader's node id, then by topic. */
function byLeader<P extends PartitionOf>(
  cluster: Cluster,
  partitions: readonly P[],
): Map<string, Map<string, P[]>> {
  const leaders = new Map<string, Map<string, P[]>>();
  for (const [topic, group] of grouped(partitions, ({ topic }) => topic)) {
    const ids = group.map(({ partition }) => partition);
    for (const [nodeId, ledIds] of Object.entries(cluster.findLeaderForPartitions(topic, ids))) {
      const byTopic = leaders.get(nodeId) ?? new Map<string, P[]>();
      leaders.set(nodeId, byTopic);
      byTopic.set(
        topic,
        group.filter(({ partition }) => ledIds.includes(partition)),
      );
    }
  }
  return leaders;
}

export const partitionKey = ({ topic, partition }: PartitionOf): string => `${topic}/${partition}`;

const byPartition = <P extends PartitionOf>(partitions: readonly P[]): Map<string, P> =>
  new Map(partitions.map((partition) => [partitionKey(partition), partition]));

const topicRequests = <P, Q>(byTopic: Map<string, P[]>, toRequest: (partition: P) => Q) =>
  [...byTopic].map(([topic, partitions]) => ({ topic, partitions: partitions.map(toRequest) }));

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
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
