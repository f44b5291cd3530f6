import { testAddresses } from './config.ts';
import type { Log } from './log.ts';
import type { NoServer, ServerForTests } from './services.ts';

/** The Kafka that `KAFKA_BROKERS` names. */
export async function kafkaForTests(_log: Log): Promise<ServerForTests | NoServer> {
  const given = testAddresses().KAFKA_BROKERS;
  if (given) return { address: given, stop: async () => undefined };
  return { missing: 'Set KAFKA_BROKERS.' };
}
