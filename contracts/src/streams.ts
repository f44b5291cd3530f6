/** Stream names: a category, a dash, and the key. */
export const clientStream = (clientId: string): string => `client-${clientId}`;
export const accountStream = (accountId: string): string => `account-${accountId}`;
export const marketStream = (symbol: string): string => `market-${symbol}`;
export const bookStream = (symbol: string): string => `book-${symbol}`;
export const emailStream = (hmac: string): string => `email-${hmac}`;
export const phoneStream = (hmac: string): string => `phone-${hmac}`;
export const CATEGORIES = ['client', 'account', 'market', 'book', 'email', 'phone'] as const;

/** The key in a stream's name: `account-<id>` → `<id>`. */
export const keyOfStream = (stream: string): string => stream.slice(stream.indexOf('-') + 1);

/**
 * Kafka topics and their fixed partition counts. Changing a count moves keys between partitions: it makes a new
 * generation of the topic, never an edit here.
 */
export const TOPICS = {
  /** Every engine input, by symbol. */
  'brokerx.orders': { partitions: 16 },
  /** Every book event, by symbol. */
  'brokerx.market': { partitions: 16 },
  /** Every account event, by account. */
  'brokerx.accounts': { partitions: 32 },
} as const;

/** FNV-1a (32 bit) of the key's UTF-8 bytes, modulo the partition count: small, and the same everywhere. */
export function partitionOf(key: string, partitions: number): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(key)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h % partitions;
}

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
