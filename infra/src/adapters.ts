import type { AdapterSettings } from './adapters.settings.ts';
import { postgresEventStore } from './eventStore/eventStore.postgres.ts';
import type { Codec, EventStore } from './eventStore/eventStore.ts';
import type { FeedTopic } from './feed/division.ts';
import { storeFeed } from './feed/feed.store.ts';
import type { Feed } from './feed/feed.ts';
import { watchTopicFeed } from './feed/metrics.ts';
import { postgresHotStore } from './hotStore/hotStore.postgres.ts';
import type { HotStore } from './hotStore/hotStore.ts';
import type { KafkaClient } from './kafka/kafka.ts';
import type { Log } from './runtime/log.ts';
import type { Metrics } from './runtime/metrics.ts';
import type { Runtime } from './runtime/runtime.ts';
import { talliesWithFallback } from './tally/tally.fallback.ts';
import { memoryTallies } from './tally/tally.memory.ts';
import type { Tallies } from './tally/tally.ts';

/**
 * The one place where configuration chooses adapters. Services ask for a port and are given whatever the settings
 * name; nothing else knows which one it is. What is not PostgreSQL's is loaded only where it is used: the clients of others are
 * larger than all the rest, and every start would wait for them.
 */
type Around = { settings: AdapterSettings; runtime: Runtime; log?: Log | undefined };

export async function openEventStore<E>({
  settings,
  ...rest
}: Around & { codec: Codec<E> }): Promise<EventStore<E>> {
  const { eventStoreUrl: url, databaseUrl } = settings;
  if (url === undefined) return postgresEventStore({ databaseUrl, ...rest });
  const { eventStoreDb } = await import('./eventStore/eventStore.eventstoredb.ts');
  return eventStoreDb({ url, ...rest });
}

/** `storeId`: of the event store that its views are made from. */
export async function openHotStore({
  settings,
  storeId,
  ...rest
}: Around & { storeId: string }): Promise<HotStore> {
  const { redisUrl: url, databaseUrl } = settings;
  if (!url) return postgresHotStore({ databaseUrl, ...rest });
  const { redisHotStore } = await import('./hotStore/hotStore.redis.ts');
  return redisHotStore({ url, storeId, ...rest });
}

/**
 * The feed of consumers that read the store's own order; with a topic, of those that want only what it carries and need
 * order within a key only: then it is Kafka's, where there is one. `paceMs`: time between two reads of Kafka that find something.
 */
export async function openFeed<E>({
  settings,
  topic,
  metrics,
  paceMs = 0,
  ...rest
}: Around & {
  store: EventStore<E>;
  topic?: FeedTopic;
  metrics?: Metrics;
  paceMs?: number;
}): Promise<Feed<E>> {
  if (!topic) return storeFeed(rest);
  const kafka = await openTopics({ ...rest, settings, clientId: 'brokerx-feed' });
  if (!kafka) return storeFeed({ ...rest, topic });
  const { kafkaFeed } = await import('./feed/feed.kafka.ts');
  const feed = kafkaFeed({ ...rest, kafka, topic, paceMs });
  if (metrics) watchTopicFeed(metrics, topic.name, feed.isInTime);
  return feed;
}

/** The client of Kafka, for topics themselves; null where there is no Kafka. */
export async function openTopics({
  settings,
  ...rest
}: Around & { clientId: string }): Promise<KafkaClient | null> {
  if (!settings.kafka) return null;
  const { openKafka } = await import('./kafka/kafka.ts');
  return openKafka(settings.kafka, rest);
}

/** What limits rest on: shared among all processes where there is a Redis. `secret` hides what is counted from it. */
export async function openTallies({
  settings,
  ...rest
}: Around & { storeId: string; secret: Buffer }): Promise<Tallies> {
  const own = memoryTallies(rest.runtime);
  const { redisUrl: url } = settings;
  if (!url) return own;
  const { redisTallies } = await import('./tally/tally.redis.ts');
  return talliesWithFallback({
    shared: await redisTallies({ url, ...rest }),
    own,
    ...rest,
  });
}
