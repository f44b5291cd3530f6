import type { EventStore } from '../eventStore/eventStore.ts';
import type { KafkaClient } from '../kafka/kafka.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { FeedTopic } from './division.ts';
import { storeFeed } from './feed.store.ts';
import type { Feed } from './feed.ts';
import { topicTail } from './topic/tail.ts';

/**
 * The feed of one topic. Live events come from Kafka; everything else comes from the store, live events too while Kafka or
 * the relay that fills it is away or late. Events are in order for each key, not between keys.
 */
export function kafkaFeed<E>(options: {
  store: EventStore<E>;
  kafka: Pick<KafkaClient, 'fetcher' | 'topicNames' | 'outage'>;
  topic: FeedTopic;
  runtime: Runtime;
  log?: Log | undefined;
  /** Events kept in memory for live consumers. */
  windowEventsMax?: number;
  /** Milliseconds by which the topic may be behind the store before the store is read instead. */
  lateAfterMs?: number;
  /** Milliseconds between two fetches that return events. */
  paceMs?: number;
}): Feed<E> & {
  /** Whether the topic follows the store closely enough to be read. */
  isInTime(): boolean;
} {
  const tail = topicTail(options);
  const feed = storeFeed({ ...options, topicTail: tail });
  return {
    ...feed,
    isInTime: tail.isInTime,
    async close() {
      await feed.close();
      await tail.close();
    },
  };
}
