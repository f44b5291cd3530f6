import { type CATEGORIES, keyOfStream } from './streams.ts';

/**
 * Kafka topics: copies of the event store for consumers of one key (docs/topics.md). This file decides which event
 * goes to which topic and partition, for the relay that fills the topics and for their readers.
 *
 * A new partition count moves keys between partitions, so raise the generation together with the count: that makes a
 * new topic, which the relay fills from the store, and each reader changes over at a position of its own. The
 * generation here is the lowest one; the relay makes later ones when the store was restored to an earlier state.
 */
export const TOPICS = {
  /** Every engine input, by symbol. */
  'brokerx.orders': { generation: 1, partitions: 16 },
  /** Every book event, and every event of a market's own stream, by symbol. */
  'brokerx.market': { generation: 1, partitions: 16 },
  /** Every account event, by account. */
  'brokerx.accounts': { generation: 1, partitions: 32 },
} as const;

export type Topic = keyof typeof TOPICS;

/** The stream categories that each topic carries. `inputs`: only those of their events that are engine inputs. */
export const TOPIC_CONTENTS = {
  'brokerx.orders': { categories: ['account', 'market'], inputs: true },
  'brokerx.market': { categories: ['book', 'market'], inputs: false },
  'brokerx.accounts': { categories: ['account'], inputs: false },
} as const satisfies Record<Topic, { categories: readonly (typeof CATEGORIES)[number][]; inputs: boolean }>;

/** The topics of an event, each with the key that decides the partition. */
export function topicsOf(event: {
  stream: string;
  symbol: string | null;
}): readonly { topic: Topic; key: string }[] {
  const { stream, symbol } = event;
  const key = keyOfStream(stream);
  const orders = symbol === null ? [] : [{ topic: 'brokerx.orders', key: symbol } as const];
  if (stream.startsWith('account-')) return [...orders, { topic: 'brokerx.accounts', key }];
  if (stream.startsWith('market-')) return [...orders, { topic: 'brokerx.market', key }];
  if (stream.startsWith('book-')) return [{ topic: 'brokerx.market', key }];
  return [];
}

/** The key's partition: FNV-1a (32 bit) of its UTF-8 bytes, modulo the partition count. Every process gets the same. */
export function partitionOf(key: string, partitions: number): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(key)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h % partitions;
}
