import { partitionOf, TOPICS } from './topics.ts';

/**
 * The shard of a symbol: what engines, and those who settle, share among themselves. It is the symbol's partition of
 * `brokerx.orders`, so that who owns a shard reads one partition.
 */
export const shardOf = (symbol: string): string =>
  String(partitionOf(symbol, TOPICS['brokerx.orders'].partitions));
export const SHARDS: readonly string[] = Array.from(
  { length: TOPICS['brokerx.orders'].partitions },
  (_, shard) => String(shard),
);
