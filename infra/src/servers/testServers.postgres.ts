import { testAddresses } from '../runtime/config.ts';
import type { Log } from '../runtime/log.ts';
import type { ServerForTests } from './serverForTests.ts';
import { startTemporaryPostgres } from './temporaryPostgres.ts';

/** The database that `DATABASE_URL` names, or else a temporary one of our own. */
export async function postgresForTests(log: Log): Promise<ServerForTests> {
  const given = testAddresses().DATABASE_URL;
  if (given) return { address: given, stop: async () => undefined };
  const server = await startTemporaryPostgres(log);
  return { address: server.url, stop: () => server.stop() };
}
