import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../src/servers/testServers.ts';

/**
 * One database for all tests of a file, emptied by each of them: making and dropping a database costs the disk
 * far more than making and dropping our schemas in it.
 */
export function reusedDatabase(): { emptied(): Promise<string> } {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());
  return {
    /** Its URL, once nothing of ours is in it any more. */
    async emptied() {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      try {
        await client.query(`
          set synchronous_commit = off;
          set client_min_messages = warning;
          drop schema if exists store, state, hot, migration cascade`);
      } finally {
        await client.end();
      }
      return database.url;
    },
  };
}
