import { partitionOf, TOPICS, type Topic, topicName, topicsOf } from '@brokerx/contracts';
import type { KafkaTopic, PartitionOf } from '@brokerx/infra';

/** All partitions of all topics as one row of slots, which is how the relay keeps its books. */
export type TopicLayout = {
  topics: readonly KafkaTopic[];
  /** Of each slot, its partition. */
  slots: readonly PartitionOf[];
  /** Where an event goes: with its key, to one slot in each of its topics. */
  placesOf(event: { stream: string; symbol: string | null }): readonly Place[];
};

export type Place = { slot: number; topic: string; partition: number; key: string };

/** `nameOf`: what the topics are called at the brokers. */
export function topicLayout(nameOf: (topic: Topic) => string = topicName): TopicLayout {
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
