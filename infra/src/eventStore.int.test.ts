import { eventStoreContract, notedCodec } from './eventStore.contract.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import { realRuntime } from './runtime.ts';
import { freshDatabase } from './services.ts';

eventStoreContract('postgres', async () => {
  const database = await freshDatabase();
  const store = await postgresEventStore({
    databaseUrl: database.url,
    codec: notedCodec,
    runtime: realRuntime,
  });
  return {
    store,
    close: async () => {
      await store.close();
      await database.drop();
    },
  };
});
