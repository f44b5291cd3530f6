import { testAddresses } from '../runtime/config.ts';
import type { Log } from '../runtime/log.ts';
import type { ServerForTests } from './serverForTests.ts';
import { startTemporaryPostgres } from './temporaryPostgres.ts';

/** The PostgreSQL that `DATABASE_URL` names; else a temporary one. */
export async function postgresForTests(log: Log): Promise<ServerForTests> {
  const configured = testAddresses().DATABASE_URL;
  if (configured) return { address: configured, stop: async () => undefined };
  const server = await startTemporaryPostgres(log);
  return { address: server.url, stop: () => server.stop() };
}
