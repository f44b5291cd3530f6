import assert from 'node:assert/strict';
import { ForeignCursor } from '../eventStore/cursor.ts';
import type { EventStore } from '../eventStore/eventStore.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { feedConsumer, type Pump } from './consumer.ts';
import { type FeedTopic, liesWithin, undivided } from './division.ts';
import type { Feed } from './feed.ts';
import { feedTail } from './tail.ts';
import type { TopicTail } from './topic/tail.ts';

/**
 * The feed that reads the store itself. One reader, the tail, follows the head with the union of the live consumers' filters
 * and keeps the newest events, parsed once, in a bounded window. A consumer whose position the window does not cover reads
 * pages of its own, with its own filter, until the window covers it. A slow consumer drops out of the window and catches up
 * again, so that it costs the others neither time nor memory.
 */
export function storeFeed<E>(options: {
  store: EventStore<E>;
  runtime: Runtime;
  log?: Log | undefined;
  /** Events by which a live consumer may lag before it reads pages of its own. */
  windowEventsMax?: number;
  /** The topic that all consumers read: their cursors have a position for each of its partitions. */
  topic?: FeedTopic;
  /** Serves live consumers instead of the tail, while it continues exactly where they are. */
  topicTail?: TopicTail<E>;
}): Feed<E> {
  const { store, log, topic } = options;
  const division = topic ?? undivided;
  const pumps = new Set<Pump>();
  const tail = feedTail({
    ...options,
    onAdvance: () => {
      for (const pump of pumps) pump.advanced();
    },
    lowest: () => Math.min(...Array.from(pumps, (pump) => pump.position())),
  });

  return {
    subscribe(consumer) {
      if (consumer.after && consumer.after.storeId !== store.id) {
        throw new ForeignCursor(
          `${consumer.name} stands in store ${consumer.after.storeId}, this is ${store.id}`,
        );
      }
      assert(
        !topic || liesWithin(consumer.filter, topic.filter),
        `${consumer.name} wants more than the topic ${topic?.name} carries: give it the feed of the store`,
      );
      const pump = feedConsumer({ ...options, division, tail, consumer });
      pumps.add(pump);
      log?.debug({ consumer: consumer.name, after: consumer.after?.position ?? 0 }, 'subscribed');
      return {
        position: pump.position,
        reached: pump.reached,
        async stop() {
          await pump.stop();
          pumps.delete(pump);
        },
      };
    },
    head: tail.head,
    async close() {
      const running = [...pumps];
      pumps.clear();
      await Promise.all([tail.close(), ...running.map((pump) => pump.stop())]);
    },
  };
}
