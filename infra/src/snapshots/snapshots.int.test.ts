import pg from 'pg';
import { expect, test } from 'vitest';
import { storeOf } from '../../test/noted.ts';
import { reusedDatabase } from '../../test/reusedDatabase.ts';
import type { PastOf } from '../eventStore/past.ts';
import type { Log } from '../runtime/log.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { type Damage, snapshotsContract } from './snapshots.contract.ts';
import { postgresSnapshots } from './snapshots.postgres.ts';

const open = (databaseUrl: string, store: PastOf, log?: Log) =>
  postgresSnapshots({ databaseUrl, store, runtime: realRuntime, log });

const database = reusedDatabase();

const NEWEST = "where key = 'account-1' and position = 9";
const DAMAGE: Record<Damage, string> = {
  'the state is cut in half': `update state.snapshot set state = left(state, 5) ${NEWEST}`,
  'the state is another': `update state.snapshot set state = '{"orders":7}' ${NEWEST}`,
  'the state is empty': `update state.snapshot set state = '' ${NEWEST}`,
  'the position is another': `
    with moved as (
      insert into state.snapshot (kind, version, key, store_id, position, revision, state, parts, checksum)
      select kind, version, key, store_id, 8, revision, state, parts, checksum from state.snapshot ${NEWEST})
    delete from state.snapshot ${NEWEST}`,
  'the position is beyond all numbers': `
    with moved as (
      insert into state.snapshot (kind, version, key, store_id, position, revision, state, checksum)
      select kind, version, key, store_id, 9e18, revision, state, checksum from state.snapshot ${NEWEST})
    delete from state.snapshot ${NEWEST}`,
  'the revision is another': `update state.snapshot set revision = 3 ${NEWEST}`,
  'a part is another': `update state.snapshot_part set bytes = '\\x0305' ${NEWEST} and part = 1`,
  'a part is missing': `delete from state.snapshot_part ${NEWEST} and part = 1`,
  'a part is one too many': `
    insert into state.snapshot_part (kind, version, key, store_id, position, part, bytes)
    select kind, version, key, store_id, position, 2, bytes from state.snapshot_part ${NEWEST} and part = 1`,
  'it is that of another key': `
    update state.snapshot s set state = o.state, checksum = o.checksum
      from state.snapshot o where o.key = 'account-2' and s.key = 'account-1' and s.position = 9`,
  'the state is cut in half, and there is no checksum': `
    update state.snapshot set state = left(state, 5), checksum = null ${NEWEST}`,
  'it does not say what it rests on': `update state.snapshot set landmark_commit = null ${NEWEST}`,
};

snapshotsContract('postgres', async (store, log) => {
  const databaseUrl = await database.emptied();
  const snapshots = await open(databaseUrl, store, log as Log);
  return {
    snapshots,
    damage: (how) => inDatabase(databaseUrl, DAMAGE[how]),
    again: (other) => open(databaseUrl, other, log as Log),
    close: () => snapshots.close(),
  };
});

test('what an older version has kept, without checksums, is loaded', async () => {
  const url = await database.emptied();
  const store = await storeOf(4);
  const storeId = store.id;
  const snapshots = await open(url, store);
  const key = { kind: 'book', key: 'ACME', version: 1 };
  const kept = { cursor: { storeId, position: 4 }, revision: 2, state: '{}', parts: [new Uint8Array([7])] };
  await snapshots.save(key, kept);
  await inDatabase(url, 'update state.snapshot set checksum = null');
  await inDatabase(url, 'update state.snapshot_part set checksum = null');
  expect(await snapshots.load(key, ({ state, parts }) => [state, parts?.[0]?.at(0)])).toMatchObject({
    state: ['{}', 7],
    isNewest: true,
  });
  await snapshots.close();
});

async function inDatabase(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rowCount } = await client.query(statement);
  await client.end();
  expect(rowCount).toBe(1);
}

test('two generations are kept, and another store has its own', async () => {
  const url = await database.emptied();
  const [store, other] = [await storeOf(4), await storeOf(4)];
  const storeId = store.id;
  const [snapshots, others] = [await open(url, store), await open(url, other)];
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
  expect(await others.load(key, ({ state }) => state)).toBeNull();
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
