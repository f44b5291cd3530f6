import { notedCodec } from './eventStore.contract.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import { feedContract } from './feed.contract.ts';
import { storeFeed } from './feed.store.ts';
import { realRuntime } from './runtime.ts';
import { freshDatabase } from './services.ts';

feedContract('postgres', async () => {
  const database = await freshDatabase();
  const store = await postgresEventStore({
    databaseUrl: database.url,
    codec: notedCodec,
    runtime: realRuntime,
  });
  return {
    store,
    feed: storeFeed({ store, runtime: realRuntime }),
    close: async () => {
      await store.close();
      await database.drop();
    },
  };
});
