import { partitionOf, TOPICS, type Topic, topicsOf } from '@brokerx/contracts';
import { generationName, type KafkaTopic, newestGeneration, type PartitionOf } from '@brokerx/infra';

/** All partitions of all topics as one row of slots, which is how the relay keeps its books. */
export type TopicLayout = {
  topics: readonly KafkaTopic[];
  /** Of each slot, its partition. */
  slots: readonly PartitionOf[];
  /** Where an event goes: with its key, to one slot in each of its topics. */
  placesOf(event: { stream: string; symbol: string | null }): readonly Place[];
};

export type Place = { slot: number; topic: string; partition: number; key: string };

/** What the first generation of each topic is called at the brokers. */
export type TopicNames = (topic: Topic) => string;
export const PLAIN_NAMES: TopicNames = (topic) => topic;
const LEAST_GENERATION = Math.max(...Object.values(TOPICS).map(({ generation }) => generation));

/** The newest generation of which any of the topics is there: all of them are of the same. */
export const newestOf = (existing: readonly string[], names: TopicNames): number =>
  Math.max(
    ...(Object.keys(TOPICS) as Topic[]).map((topic) =>
      newestGeneration(existing, names(topic), LEAST_GENERATION),
    ),
  );

/** Names of the topics that a generation was made instead of, because they were of another past. */
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
