import { notedCodec } from '../../test/noted.ts';
import { reusedDatabase } from '../../test/reusedDatabase.ts';
import { aloneOn } from '../../test/stage.ts';
import { postgresEventStore } from '../eventStore/eventStore.postgres.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { feedContract } from './feed.contract.ts';
import { storeFeed } from './feed.store.ts';

const database = reusedDatabase();

feedContract(
  'postgres',
  async () => {
    const databaseUrl = await database.emptied();
    const store = await postgresEventStore({ databaseUrl, codec: notedCodec, runtime: realRuntime });
    return { ...(await aloneOn(store)), feed: storeFeed({ store, runtime: realRuntime }) };
  },
  { keepsText: true },
);
