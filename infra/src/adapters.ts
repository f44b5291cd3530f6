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
 * The one place where settings choose adapters: services open a port and never learn which adapter stands behind it.
 * The clients of other servers than PostgreSQL are imported only when used, because they are larger than all the rest and
 * would slow every start.
 */
type Options = { settings: AdapterSettings; runtime: Runtime; log?: Log | undefined };

export async function openEventStore<E>({
  settings,
  ...rest
}: Options & { codec: Codec<E> }): Promise<EventStore<E>> {
  const { eventStoreUrl: url, databaseUrl } = settings;
  if (url === undefined) return postgresEventStore({ databaseUrl, ...rest });
  const { eventStoreDb } = await import('./eventStore/eventStore.eventstoredb.ts');
  return eventStoreDb({ url, ...rest });
}

/** `storeId`: the event store that the views are made from. */
export async function openHotStore({
  settings,
  storeId,
  ...rest
}: Options & { storeId: string }): Promise<HotStore> {
  const { redisUrl: url, databaseUrl } = settings;
  if (!url) return postgresHotStore({ databaseUrl, ...rest });
  const { redisHotStore } = await import('./hotStore/hotStore.redis.ts');
  return redisHotStore({ url, storeId, ...rest });
}

/**
 * Opens a feed in the store's own order. With `topic` it carries only that topic's events, in order within each key, and comes
 * from Kafka where there is one. `paceMs`: milliseconds between two reads of Kafka that return events.
 */
export async function openFeed<E>({
  settings,
  topic,
  metrics,
  paceMs = 0,
  ...rest
}: Options & {
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

/** Opens Kafka's client, for work on the topics themselves; null where there is no Kafka. */
export async function openTopics({
  settings,
  ...rest
}: Options & { clientId: string }): Promise<KafkaClient | null> {
  if (!settings.kafka) return null;
  const { openKafka } = await import('./kafka/kafka.ts');
  return openKafka(settings.kafka, rest);
}

/** Opens the counters that rate limits use, shared by all processes if there is a Redis. `secret` hides the keys from it. */
export async function openTallies({
  settings,
  ...rest
}: Options & { storeId: string; secret: Buffer }): Promise<Tallies> {
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
