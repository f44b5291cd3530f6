import { Gauge } from 'prom-client';
import type { Metrics } from '../runtime/metrics.ts';

/** A gauge that shows where the consumers of a topic get their live events from. */
export function watchTopicFeed({ registry }: Metrics, topic: string, isInTime: () => boolean): void {
  new Gauge({
    name: 'brokerx_feed_topic_in_time',
    help: '1 while live events come from this Kafka topic, 0 while the event store is read instead.',
    labelNames: ['topic'] as const,
    registers: [registry],
    collect() {
      this.set({ topic }, isInTime() ? 1 : 0);
    },
  });
}
