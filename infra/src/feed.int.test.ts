import { notedCodec } from '../test/noted.ts';
import { reusedDatabase } from '../test/reusedDatabase.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import { feedContract } from './feed.contract.ts';
import { storeFeed } from './feed.store.ts';
import { realRuntime } from './runtime.ts';

const database = reusedDatabase();

feedContract('postgres', async () => {
  const store = await postgresEventStore({
    databaseUrl: await database.emptied(),
    codec: notedCodec,
    runtime: realRuntime,
  });
  return {
    store,
    feed: storeFeed({ store, runtime: realRuntime }),
    close: () => store.close(),
  };
});
