import { keyOfStream } from './streams.ts';
import { partitionOf, TOPIC_CONTENTS, TOPICS, type Topic, topicsOf } from './topics.ts';

/** A topic as the feed needs it: its name, the events of the store that it carries, and how they are partitioned. */
export function feedTopic(topic: Topic, name: string = topic) {
  const { generation, partitions } = TOPICS[topic];
  const { categories, inputs } = TOPIC_CONTENTS[topic];
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  return {
    name,
    generation,
    partitions,
    filter: inputs ? { categories, symbols: 'any' as const } : { categories },
    partitionOf(event: { stream: string; symbol: string | null }): number {
      const place = topicsOf(event).find((each) => each.topic === topic);
      if (!place) throw new Error(`${topic} carries nothing of ${event.stream}`);
      return partitionOf(place.key, partitions);
    },
    /** The partitions that can hold events of these symbols or streams. */
    partitionsOf({ symbols, streams }: { symbols?: readonly string[] | 'any'; streams?: readonly string[] }) {
      const keys = inputs ? (symbols === 'any' ? undefined : symbols) : streams?.map(keyOfStream);
      return keys ? [...new Set(keys.map((key) => partitionOf(key, partitions)))] : all;
    },
  };
}
