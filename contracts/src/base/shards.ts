import { partitionOf, TOPICS } from './topics.ts';

/**
 * Shards: the sets of symbols that engines and settlers divide among themselves. A symbol's shard is its partition of
 * `brokerx.orders`, so that the owner of a shard reads one partition.
 */
export const shardOf = (symbol: string): string =>
  String(partitionOf(symbol, TOPICS['brokerx.orders'].partitions));
export const SHARDS: readonly string[] = Array.from(
  { length: TOPICS['brokerx.orders'].partitions },
  (_, shard) => String(shard),
);
