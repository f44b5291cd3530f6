import { reusedDatabase } from '../test/reusedDatabase.ts';
import { hotStoreContract } from './hotStore.contract.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import { realRuntime } from './runtime.ts';

const database = reusedDatabase();

hotStoreContract('postgres', async () => {
  const hotStore = await postgresHotStore({ databaseUrl: await database.emptied(), runtime: realRuntime });
  return {
    hotStore,
    close: () => hotStore.close(),
  };
});
