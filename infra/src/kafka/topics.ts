import type { Admin, ConfigResourceTypes, Kafka } from 'kafkajs';
import type { Log } from '../runtime/log.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { KafkaUnusable } from './apis.ts';
import { disconnect } from './disconnect.ts';

export type KafkaTopic = { name: string; partitions: number };

export type PreparedTopics = {
  /** Bytes of the largest request to one partition that all of the topics accept. */
  messageBytesMax: number;
};

/**
 * Bytes that a partition keeps. Topics serve live readers; all others read the store. At full load (some 22 MB/s over 64
 * partitions) this reaches back a quarter of an hour, longer than a restart takes. The bound is a size and not an age, so
 * that a topic always keeps its newest messages: after a week off, an installation still finds how far its relay had come.
 * A broker with a copy of every topic keeps less than 20 GB.
 */
const RETENTION_BYTES = 256 * 1024 * 1024;
/** Bytes of a segment. Retention removes whole segments but never the one being written, so it is a quarter of the whole. */
const SEGMENT_BYTES = RETENTION_BYTES / 4;
/** Bytes of one request to one partition: twice the largest that the relay makes. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
/** Milliseconds in which a new topic has to be known to all brokers and have its leaders. */
const LEADERS_MS = 15_000;
const LEADERS_POLL_MS = 100;

export async function prepareTopics(
  kafka: Kafka,
  topics: readonly KafkaTopic[],
  options: { replication: number; runtime: Runtime; log?: Log | undefined },
): Promise<PreparedTopics> {
  return asAdmin(kafka, options.runtime, async (admin) => {
    const existing = await admin.listTopics();
    const missing = topics.filter(({ name }) => !existing.includes(name));
    if (missing.length > 0) {
      options.log?.info({ topics: missing, replication: options.replication }, 'Kafka topics are made');
      await createTopics(admin, missing, options.replication);
    }
    await awaitLeaders(admin, topics, options.runtime);
    return { messageBytesMax: await messageBytesMax(admin, topics) };
  });
}

/** The names of all topics that the brokers have. */
export async function topicNames(kafka: Kafka, runtime: Runtime): Promise<string[]> {
  return asAdmin(kafka, runtime, (admin) => admin.listTopics());
}

export async function deleteTopics(kafka: Kafka, names: readonly string[], runtime: Runtime): Promise<void> {
  if (names.length === 0) return;
  await asAdmin(kafka, runtime, (admin) => admin.deleteTopics({ topics: [...names] }));
}

async function asAdmin<T>(kafka: Kafka, runtime: Runtime, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await disconnect(admin, runtime);
  }
}

async function createTopics(admin: Admin, topics: readonly KafkaTopic[], replication: number): Promise<void> {
  // With three copies, two of them written, the loss of one broker loses no message and blocks no write.
  const writtenCopies = replication >= 3 ? 2 : 1;
  const config = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': String(RETENTION_BYTES),
    'segment.bytes': String(SEGMENT_BYTES),
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'min.insync.replicas': String(writtenCopies),
    // A message has its event's time, whose clock may be ahead of the broker's.
    'message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER),
  };
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  try {
    // Another process may create them at the same time, which is no error. `awaitLeaders` follows.
    await admin.createTopics({
      waitForLeaders: false,
      topics: topics.map(({ name, partitions }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries,
      })),
    });
  } catch (error) {
    throw unusableError(error, replication) ?? error;
  }
}

const REMEDIES: Record<string, (replication: number) => string> = {
  INVALID_REPLICATION_FACTOR: (replication) =>
    `there are fewer than ${replication} brokers: add some, or set KAFKA_REPLICATION lower`,
  TOPIC_AUTHORIZATION_FAILED: () => 'this user may not make them: allow it, or make them by hand',
  CLUSTER_AUTHORIZATION_FAILED: () => 'this user may not make them: allow it, or make them by hand',
  POLICY_VIOLATION: () => 'a policy of the brokers forbids them: make them by hand as docs/topics.md says',
  INVALID_CONFIG: () => 'the brokers do not know one of their settings: use brokers of version 3.6 or later',
};

function unusableError(error: unknown, replication: number): KafkaUnusable | null {
  const errors = (error as { errors?: readonly Error[] }).errors ?? [error as Error];
  for (const each of errors) {
    const { type = '' } = each as Error & { type?: string };
    const remedy = REMEDIES[type];
    if (remedy)
      return new KafkaUnusable(`the topics cannot be made (${type}): ${remedy(replication)}`, {
        cause: error,
      });
  }
  return null;
}

/** Waits until all brokers know all topics and each partition has a leader. */
async function awaitLeaders(admin: Admin, topics: readonly KafkaTopic[], runtime: Runtime): Promise<void> {
  const deadlineMs = runtime.monotonicMs() + LEADERS_MS;
  for (;;) {
    const metadata = await admin
      .fetchTopicMetadata({ topics: topics.map(({ name }) => name) })
      // A broker may not know a new topic yet, and may say so in a reply that kafkajs drops.
      .catch((error: unknown) => error as Error);
    if (!(metadata instanceof Error)) {
      for (const { name, partitions } of topics) {
        const actual = metadata.topics.find((topic) => topic.name === name)?.partitions.length;
        if (actual && actual !== partitions) throw wrongPartitionCount(name, actual, partitions);
      }
      const ledPartitions = metadata.topics.flatMap((topic) =>
        topic.partitions.filter(({ leader }) => leader >= 0),
      );
      if (ledPartitions.length === topics.reduce((sum, { partitions }) => sum + partitions, 0)) return;
    }
    if (runtime.monotonicMs() > deadlineMs) {
      const cause = metadata instanceof Error ? metadata : undefined;
      throw new Error('some partitions of the topics have no leader: is a broker down?', { cause });
    }
    await sleep(runtime, LEADERS_POLL_MS);
  }
}

const wrongPartitionCount = (name: string, actual: number, required: number) =>
  new KafkaUnusable(
    `the topic ${name} has ${actual} partitions and must have ${required}: readers would look for keys in the wrong ones. ` +
      'Nothing in it is precious: stop BrokerX, delete the topic and start again (it is filled from the event store), or name another Kafka in KAFKA_BROKERS.',
  );

/** kafkajs exports this enumeration as a type only. */
const RESOURCE_TOPIC = 2 as ConfigResourceTypes.TOPIC;

async function messageBytesMax(admin: Admin, topics: readonly KafkaTopic[]): Promise<number> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name }) => ({
      type: RESOURCE_TOPIC,
      name,
      configNames: ['max.message.bytes'],
    })),
  });
  const limits = resources.flatMap(({ configEntries }) =>
    configEntries.map(({ configValue }) => Number(configValue)),
  );
  return Math.min(MESSAGE_BYTES_MAX, ...limits);
}
