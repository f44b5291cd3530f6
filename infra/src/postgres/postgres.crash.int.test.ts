import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit, notedCodec, storeOf } from '../../test/noted.ts';
import { postgresEventStore } from '../eventStore/eventStore.postgres.ts';
import { NO_STREAM } from '../eventStore/eventStore.ts';
import { groupCommit } from '../eventStore/groupCommit.ts';
import { collecting, textsOf } from '../feed/feed.contract.ts';
import { storeFeed } from '../feed/feed.store.ts';
import { postgresHotStore } from '../hotStore/hotStore.postgres.ts';
import { postgresLeases } from '../lease/lease.postgres.ts';
import { createLog } from '../runtime/log.ts';
import { realRuntime as runtime } from '../runtime/runtime.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../servers/embeddedPostgres.ts';
import { postgresSnapshots } from '../snapshots/snapshots.postgres.ts';

/** PostgreSQL is killed with SIGKILL and started again under everything that is connected to it. */
let folder: string;
let server: EmbeddedPostgres;
const start = () =>
  startEmbeddedPostgres({
    dataRoot: folder,
    log: createLog({ name: 'crash-test', level: 'silent' }),
    syncNewData: false,
    settings: { shared_buffers: '32MB' },
  });
const killAndRestart = async () => {
  process.kill(server.pid, 'SIGKILL');
  await server.exited;
  server = await start();
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-crash-'));
  server = await start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a killed server costs time: what was acknowledged is there, once, and the feed goes on', async () => {
  const databaseUrl = server.url;
  const store = await postgresEventStore({ databaseUrl, codec: notedCodec, runtime });
  const appender = groupCommit(store);
  const feed = storeFeed({ store, runtime });
  const consumer = collecting({});
  const subscription = feed.subscribe(consumer);

  const acknowledged: string[] = [];
  let stopping = false;
  const lane = async (lane: number) => {
    for (let i = 0; !stopping; i++) {
      const verdict = await appender.append(commit(`account-${lane}`, i - 1, [`${lane}:${i}`]));
      expect(verdict).toMatchObject({ revision: i });
      acknowledged.push(`${lane}:${i}`);
    }
  };
  const lanes = Promise.all([1, 2, 3, 4].map(lane));
  await expect.poll(() => acknowledged.length).toBeGreaterThan(50);
  await killAndRestart();
  const atRestart = acknowledged.length;
  await expect.poll(() => acknowledged.length).toBeGreaterThan(atRestart + 50);
  stopping = true;
  await lanes;

  await subscription.reached(await store.head(), 10_000);
  expect(textsOf(consumer).sort()).toEqual([...acknowledged].sort());

  // Another process's append is heard of again, over a LISTEN connection that came back.
  const stranger = await postgresEventStore({ databaseUrl, codec: notedCodec, runtime });
  await stranger.append([commit('account-9', NO_STREAM, ['after all'])]);
  await subscription.reached(await stranger.head(), 10_000);
  expect(textsOf(consumer).at(-1)).toBe('after all');
  await feed.close();
  await appender.close();
  await Promise.all([store.close(), stranger.close()]);
}, 60_000);

test('hot values and their cursor are lost together; snapshots and leases stay', async () => {
  const databaseUrl = server.url;
  const store = await storeOf(10);
  const storeId = store.id;
  const [hotStore, snapshots, leases] = await Promise.all([
    postgresHotStore({ databaseUrl, runtime }),
    postgresSnapshots({ databaseUrl, store, runtime }),
    postgresLeases({ databaseUrl, owner: 'first', runtime }),
  ]);
  const depth = hotStore.view('depth', 1);
  const heard: number[] = [];
  depth.onChange((position) => heard.push(position));
  const cursor = { storeId, position: 7 };
  const key = { kind: 'book', key: 'ACME', version: 1 };
  await depth.write({ from: null, to: cursor, set: new Map([['ACME', '1']]) });
  await snapshots.save(key, { cursor, revision: 3, state: '{}' });
  // Snapshots are written without waiting for the disk: the next synchronous commit takes them along.
  expect(await leases.tryAcquire('settler')).toMatchObject({ epoch: 1 });

  await killAndRestart();

  expect(await depth.read(['ACME'])).toEqual({ values: [null], cursor: null });
  expect(await depth.write({ from: cursor, to: { storeId, position: 8 }, set: new Map() })).toBe('stale');
  expect(await depth.write({ from: null, to: { storeId, position: 9 }, set: new Map([['ACME', '2']]) })).toBe(
    'ok',
  );
  expect(await depth.read(['ACME'])).toEqual({ values: ['2'], cursor: { storeId, position: 9 } });
  await expect.poll(() => heard.at(-1)).toBe(9);
  expect(await snapshots.load(key, ({ state }) => state)).toMatchObject({ cursor, revision: 3, state: '{}' });
  expect(await leases.tryAcquire('settler')).toMatchObject({ epoch: 2 });
  await Promise.all([hotStore.close(), snapshots.close(), leases.close()]);
}, 60_000);
