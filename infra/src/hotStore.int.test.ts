import { hotStoreContract } from './hotStore.contract.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import { realRuntime } from './runtime.ts';
import { freshDatabase } from './services.ts';

hotStoreContract('postgres', async () => {
  const database = await freshDatabase();
  const hotStore = await postgresHotStore({ databaseUrl: database.url, runtime: realRuntime });
  return {
    hotStore,
    close: async () => {
      await hotStore.close();
      await database.drop();
    },
  };
});
