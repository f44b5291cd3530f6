import { reusedDatabase } from '../../test/reusedDatabase.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { leaseContract } from './lease.contract.ts';
import { postgresLeases } from './lease.postgres.ts';

const database = reusedDatabase();

leaseContract('postgres', async () => {
  const databaseUrl = await database.emptied();
  return {
    join: (owner, ttlMs) => postgresLeases({ databaseUrl, owner, ttlMs, runtime: realRuntime }),
    close: async () => {},
  };
});
