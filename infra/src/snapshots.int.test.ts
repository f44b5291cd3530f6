import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { realRuntime } from './runtime.ts';
import { freshDatabase } from './services.ts';
import { snapshotsContract } from './snapshots.contract.ts';
import { postgresSnapshots } from './snapshots.postgres.ts';

const open = (databaseUrl: string, storeId: string) =>
  postgresSnapshots({ databaseUrl, storeId, runtime: realRuntime });

snapshotsContract('postgres', async (storeId) => {
  const database = await freshDatabase();
  const snapshots = await open(database.url, storeId);
  return {
    snapshots,
    close: async () => {
      await snapshots.close();
      await database.drop();
    },
  };
});

test('two generations are kept, and another store has its own', async () => {
  const database = await freshDatabase();
  const [storeId, otherId] = [randomUUID(), randomUUID()];
  const [snapshots, others] = [await open(database.url, storeId), await open(database.url, otherId)];
  const key = { kind: 'book', key: 'ACME', version: 1 };
  for (const position of [1, 2, 3, 3, 4]) {
    await snapshots.save(key, { cursor: { storeId, position }, revision: -1, state: `at ${position}` });
  }
  expect(await others.load(key)).toBeNull();
  expect(await others.keys('book', 1)).toEqual([]);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query('select state from state.snapshot order by position');
  expect(rows).toEqual([{ state: 'at 3' }, { state: 'at 4' }]);
  await client.end();
  await Promise.all([snapshots.close(), others.close()]);
  await database.drop();
});
