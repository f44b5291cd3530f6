import { partitionOf, TOPICS, type Topic, topicsOf } from '@brokerx/contracts';
import { generationName, type KafkaTopic, newestGeneration, type PartitionOf } from '@brokerx/infra';

/** The partitions of all topics, numbered as slots: the relay keeps one position for each slot. */
export type TopicLayout = {
  topics: readonly KafkaTopic[];
  /** The partition of each slot. */
  slots: readonly PartitionOf[];
  /** The slots that an event goes to, with its key: one in each of its topics. */
  placesOf(event: { stream: string; symbol: string | null }): readonly Place[];
};

export type Place = { slot: number; topic: string; partition: number; key: string };

/** Names the first generation of each topic at the brokers. */
export type TopicNames = (topic: Topic) => string;
export const PLAIN_NAMES: TopicNames = (topic) => topic;
const LEAST_GENERATION = Math.max(...Object.values(TOPICS).map(({ generation }) => generation));

/** The newest generation of which any topic exists: all topics are of the same generation. */
export const newestOf = (existing: readonly string[], names: TopicNames): number =>
  Math.max(
    ...(Object.keys(TOPICS) as Topic[]).map((topic) =>
      newestGeneration(existing, names(topic), LEAST_GENERATION),
    ),
  );

/** Names of the earlier topics that a generation replaces, because they were of another past. */
export const madeAnewBy = (generation: number, names: TopicNames): string[] =>
  Array.from({ length: generation - LEAST_GENERATION }, (_, i) =>
    topicLayout(names, LEAST_GENERATION + i).topics.map(({ name }) => name),
  ).flat();

export function topicLayout(
  names: TopicNames = PLAIN_NAMES,
  generation: number = LEAST_GENERATION,
): TopicLayout {
  const nameOf = (topic: Topic) => generationName(names(topic), generation);
  const first = new Map<Topic, number>();
  const slots: PartitionOf[] = [];
  const all = Object.keys(TOPICS) as Topic[];
  for (const topic of all) {
    first.set(topic, slots.length);
    for (let partition = 0; partition < TOPICS[topic].partitions; partition++) {
      slots.push({ topic: nameOf(topic), partition });
    }
  }
  return {
    topics: all.map((topic) => ({ name: nameOf(topic), partitions: TOPICS[topic].partitions })),
    slots,
    placesOf: (event) =>
      topicsOf(event).map(({ topic, key }) => {
        const partition = partitionOf(key, TOPICS[topic].partitions);
        return { slot: (first.get(topic) ?? 0) + partition, topic: nameOf(topic), partition, key };
      }),
  };
}
