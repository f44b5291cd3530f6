import { testAddresses } from './config.ts';
import type { Log } from './log.ts';
import type { NoServer, ServerForTests } from './services.ts';

/** The Redis that `REDIS_URL` names. */
export async function redisForTests(_log: Log): Promise<ServerForTests | NoServer> {
  const given = testAddresses().REDIS_URL;
  if (given) return { address: given, stop: async () => undefined };
  return { missing: 'Set REDIS_URL.' };
}
