import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { reusedDatabase } from '../test/reusedDatabase.ts';
import { realRuntime } from './runtime.ts';
import { snapshotsContract } from './snapshots.contract.ts';
import { postgresSnapshots } from './snapshots.postgres.ts';

const open = (databaseUrl: string, storeId: string) =>
  postgresSnapshots({ databaseUrl, storeId, runtime: realRuntime });

const database = reusedDatabase();

snapshotsContract('postgres', async (storeId) => {
  const snapshots = await open(await database.emptied(), storeId);
  return {
    snapshots,
    close: () => snapshots.close(),
  };
});

test('two generations are kept, and another store has its own', async () => {
  const url = await database.emptied();
  const [storeId, otherId] = [randomUUID(), randomUUID()];
  const [snapshots, others] = [await open(url, storeId), await open(url, otherId)];
  const key = { kind: 'book', key: 'ACME', version: 1 };
  for (const position of [1, 2, 3, 3, 4]) {
    const parts = [new Uint8Array([position])];
    await snapshots.save(key, {
      cursor: { storeId, position },
      revision: -1,
      state: `at ${position}`,
      parts,
    });
  }
  expect(await others.load(key)).toBeNull();
  expect(await others.keys('book', 1)).toEqual([]);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select state from state.snapshot order by position');
  expect(rows).toEqual([{ state: 'at 3' }, { state: 'at 4' }]);
  const parts = await client.query('select position, part, bytes from state.snapshot_part order by position');
  expect(parts.rows).toEqual([
    { position: '3', part: 0, bytes: Buffer.from([3]) },
    { position: '4', part: 0, bytes: Buffer.from([4]) },
  ]);
  await client.end();
  await Promise.all([snapshots.close(), others.close()]);
});
