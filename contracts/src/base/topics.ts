import { type CATEGORIES, keyOfStream } from './streams.ts';

/**
 * Kafka topics: projections of the event store for consumers of one key (docs/topics.md). What goes where is decided
 * here, for the relay that fills them and for all who read them.
 *
 * Changing a partition count moves keys between partitions, so it is never an edit of the number alone: the generation
 * is raised with it, which makes a new topic beside the old one, filled from the store; readers of the old one change
 * over at a position of their own. What is stated here is the least generation: the relay makes later ones where the
 * store was put back to an earlier state.
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

/** What each topic carries, by category of the stream; `inputs`: of these only what is an input of an engine. */
export const TOPIC_CONTENTS = {
  'brokerx.orders': { categories: ['account', 'market'], inputs: true },
  'brokerx.market': { categories: ['book', 'market'], inputs: false },
  'brokerx.accounts': { categories: ['account'], inputs: false },
} as const satisfies Record<Topic, { categories: readonly (typeof CATEGORIES)[number][]; inputs: boolean }>;

/** Where an event goes: its topics, and in each the key that decides the partition. */
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

/** FNV-1a (32 bit) of the key's UTF-8 bytes, modulo the partition count: small, and the same everywhere. */
export function partitionOf(key: string, partitions: number): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(key)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h % partitions;
}
