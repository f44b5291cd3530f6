import type { Admin, ConfigResourceTypes, Kafka } from 'kafkajs';
import type { Log } from '../runtime/log.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { KafkaUnusable } from './apis.ts';
import { disconnected } from './disconnect.ts';

export type KafkaTopic = { name: string; partitions: number };

export type PreparedTopics = {
  /** The largest request to one partition that every one of the topics takes. */
  messageBytesMax: number;
};

/**
 * Bytes kept of each partition. Topics are for live readers, the store for everybody else: at full load (some 22 MB/s
 * over 64 partitions) this reaches back a quarter of an hour, which is longer than a restart takes. By size
 * and not by time, because a topic always keeps its newest messages this way: an installation that was off for a week still
 * finds where its relay stood. All topics together stay below 20 GB on each broker that has a copy of all.
 */
const RETENTION_BYTES = 256 * 1024 * 1024;
/** Retention takes away whole segments, and what is being written stays: a quarter of what is kept. */
const SEGMENT_BYTES = RETENTION_BYTES / 4;
/** Bytes of one request to one partition; twice the largest that the relay makes. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
/** Milliseconds until a new topic is known to all brokers and has its leaders. */
const LEADERS_MS = 15_000;
const LOOK_AGAIN_MS = 100;

export async function prepareTopics(
  kafka: Kafka,
  topics: readonly KafkaTopic[],
  options: { replication: number; runtime: Runtime; log?: Log | undefined },
): Promise<PreparedTopics> {
  return asAdmin(kafka, options.runtime, async (admin) => {
    const known = await admin.listTopics();
    const missing = topics.filter(({ name }) => !known.includes(name));
    if (missing.length > 0) {
      options.log?.info({ topics: missing, replication: options.replication }, 'Kafka topics are made');
      await create(admin, missing, options.replication);
    }
    await leaders(admin, topics, options.runtime);
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
    await disconnected(admin, runtime);
  }
}

async function create(admin: Admin, topics: readonly KafkaTopic[], replication: number): Promise<void> {
  // Three copies with two written survive the loss of one broker without losing or refusing anything.
  const writtenCopies = replication >= 3 ? 2 : 1;
  const config = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': String(RETENTION_BYTES),
    'segment.bytes': String(SEGMENT_BYTES),
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'min.insync.replicas': String(writtenCopies),
    // An event's time is the time of the clock that made it, however far ahead of the broker's that may be.
    'message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER),
  };
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  try {
    // Another process may make them at the same time: that is as good. Leaders are waited for below.
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
    throw explained(error, replication) ?? error;
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

function explained(error: unknown, replication: number): KafkaUnusable | null {
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
async function leaders(admin: Admin, topics: readonly KafkaTopic[], runtime: Runtime): Promise<void> {
  const deadlineMs = runtime.monotonicMs() + LEADERS_MS;
  for (;;) {
    const found = await admin
      .fetchTopicMetadata({ topics: topics.map(({ name }) => name) })
      // Right after a topic was made a broker may not know it yet, or say so by a reply that kafkajs drops.
      .catch((error: unknown) => error as Error);
    if (!(found instanceof Error)) {
      for (const { name, partitions } of topics) {
        const actual = found.topics.find((topic) => topic.name === name)?.partitions.length;
        if (actual && actual !== partitions) throw wrongCount(name, actual, partitions);
      }
      const led = found.topics.flatMap((topic) => topic.partitions.filter(({ leader }) => leader >= 0));
      if (led.length === topics.reduce((sum, { partitions }) => sum + partitions, 0)) return;
    }
    if (runtime.monotonicMs() > deadlineMs) {
      const cause = found instanceof Error ? found : undefined;
      throw new Error('some partitions of the topics have no leader: is a broker down?', { cause });
    }
    await sleep(runtime, LOOK_AGAIN_MS);
  }
}

const wrongCount = (name: string, actual: number, stated: number) =>
  new KafkaUnusable(
    `the topic ${name} has ${actual} partitions and must have ${stated}: readers would look for keys in the wrong ones. ` +
      'Nothing in it is precious: stop BrokerX, delete the topic and start again (it is filled from the event store), or name another Kafka in KAFKA_BROKERS.',
  );

/** kafkajs exports this enumeration in its types alone. */
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
