import { leaseContract } from './lease.contract.ts';
import { postgresLeases } from './lease.postgres.ts';
import { realRuntime } from './runtime.ts';
import { freshDatabase } from './services.ts';

leaseContract('postgres', async () => {
  const database = await freshDatabase();
  return {
    join: (owner, ttlMs) => postgresLeases({ databaseUrl: database.url, owner, ttlMs, runtime: realRuntime }),
    close: () => database.drop(),
  };
});
