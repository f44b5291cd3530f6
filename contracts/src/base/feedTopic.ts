import { keyOfStream } from './streams.ts';
import { partitionOf, TOPIC_CONTENTS, TOPICS, type Topic, topicsOf } from './topics.ts';

/** What a reader of a topic has to know of it: its name, what of the store it carries, and how that is divided. */
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
    /** The partitions that can hold what is of these symbols and streams. */
    partitionsOf({ symbols, streams }: { symbols?: readonly string[] | 'any'; streams?: readonly string[] }) {
      const keys = inputs ? (symbols === 'any' ? undefined : symbols) : streams?.map(keyOfStream);
      return keys ? [...new Set(keys.map((key) => partitionOf(key, partitions)))] : all;
    },
  };
}
