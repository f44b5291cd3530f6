import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventCodec, MARKET_DATA_VIEW } from '@brokerx/contracts';
import {
  createLog,
  openPool,
  postgresEventStore,
  postgresHotStore,
  realRuntime as runtime,
} from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { expect, onTestFinished, test, vi } from 'vitest';
import { makeHistory, mulberry32 } from './history.ts';
import { hotExpected, hotShown } from './hotViewOf.ts';
import { allReached, appendAll, dump, expected, shown } from './readModelsOf.ts';

const log = createLog({ name: 'test-projectors', level: 'silent' });
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Many starts of processes, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000 });

test('two processes, killed again and again while events come in: the read models lose nothing and repeat nothing', async () => {
  const history = makeHistory({ seed: 23, orders: 2_500 });
  const database = await freshDatabase();
  const store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime, log });
  const pool = openPool({ databaseUrl: database.url, max: 2, applicationName: 'test', log });
  const hotStore = await postgresHotStore({ databaseUrl: database.url, runtime, log });
  const running = new Map<string, ChildProcess>();
  const start = (name: string) => {
    const env = { ...process.env, DATABASE_URL: database.url, BROKERX_INSTANCE: name, LOG_LEVEL: 'warn' };
    running.set(name, spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] }));
  };
  const kill = async (name: string) => {
    const child = running.get(name);
    running.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(async () => {
    await Promise.all(Array.from(running.keys(), kill));
    await Promise.all([pool.end(), store.close(), hotStore.close()]);
    await database.drop();
  });

  const below = mulberry32(5);
  const sometime = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const names = ['projectors-1', 'projectors-2'];
  for (const name of names) start(name);
  const parts = 12;
  const size = Math.ceil(history.commits.length / parts);
  for (let part = 0; part < parts; part++) {
    await appendAll(store, history.commits.slice(part * size, (part + 1) * size));
    await sometime(below(400));
    if (part % 2 === 1) {
      await sometime(below(700));
      const name = part < 9 ? (names[below(2)] ?? '') : 'projectors-2';
      await kill(name);
      start(name);
    }
    // One is gone for good: the other one goes on with all of it.
    if (part === 9) await kill('projectors-1');
  }
  const head = await store.head();
  await allReached(pool, head);
  expect(await shown(pool)).toEqual(expected(history));
  const liveRows = await dump(pool);

  const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  await expect.poll(() => view.cursor()).toMatchObject({ storeId: store.id, position: head });
  expect(await hotShown(view, history)).toEqual(hotExpected(history));

  // Started from nothing, it makes the same tables and the same view.
  await kill('projectors-2');
  await pool.query('delete from read.projection');
  await view.clear();
  start('projectors-2');
  await allReached(pool, head);
  expect(await dump(pool)).toEqual(liveRows);
  await expect.poll(() => view.cursor()).toMatchObject({ storeId: store.id, position: head });
  expect(await hotShown(view, history)).toEqual(hotExpected(history));

  // A process that is asked to stop ends well.
  const last = running.get('projectors-2') as ChildProcess;
  last.kill('SIGTERM');
  expect(await once(last, 'exit')).toEqual([0, null]);
});
