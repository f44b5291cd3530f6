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
import { freshDatabase } from '@brokerx/infra/services.ts';
import { expect, onTestFinished, test } from 'vitest';
import { makeHistory, mulberry32 } from './history.ts';
import { hotExpected, hotShown } from './hotViewOf.ts';
import { allReached, appendAll, dump, expected, shown } from './readModelsOf.ts';

const log = createLog({ name: 'test-projectors', level: 'silent' });
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

test('killed again and again while events come in, the read models lose nothing and repeat nothing', async () => {
  const history = makeHistory({ seed: 23, orders: 2_500 });
  const database = await freshDatabase();
  const store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime, log });
  const pool = openPool({ databaseUrl: database.url, max: 2, applicationName: 'test', log });
  const hotStore = await postgresHotStore({ databaseUrl: database.url, runtime, log });
  let projectors: ChildProcess | undefined;
  const start = () => {
    const env = {
      ...process.env,
      DATABASE_URL: database.url,
      // Whatever servers the tests are told of: this one reads what is written here.
      EVENTSTORE_URL: '',
      KAFKA_BROKERS: '',
      REDIS_URL: '',
      BROKERX_INSTANCE: 'projectors-1',
      LOG_LEVEL: 'warn',
    };
    projectors = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const kill = async () => {
    if (!projectors || projectors.exitCode !== null || projectors.signalCode !== null) return;
    projectors.kill('SIGKILL');
    await once(projectors, 'exit');
  };
  onTestFinished(async () => {
    await kill();
    await Promise.all([pool.end(), store.close(), hotStore.close()]);
    await database.drop();
  });

  const below = mulberry32(5);
  const sometime = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  start();
  const parts = 12;
  const size = Math.ceil(history.commits.length / parts);
  for (let part = 0; part < parts; part++) {
    await appendAll(store, history.commits.slice(part * size, (part + 1) * size));
    await sometime(below(400));
    if (part % 2 === 1) {
      await sometime(below(700));
      await kill();
      start();
    }
  }
  const head = await store.head();
  await allReached(pool, head);
  expect(await shown(pool)).toEqual(expected(history));
  const liveRows = await dump(pool);

  const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  await expect.poll(() => view.cursor(), { timeout: 10_000 }).toEqual({ storeId: store.id, position: head });
  expect(await hotShown(view, history)).toEqual(hotExpected(history));

  // Started from nothing, it makes the same tables and the same view.
  await kill();
  await pool.query('delete from read.projection');
  await view.clear();
  start();
  await allReached(pool, head);
  expect(await dump(pool)).toEqual(liveRows);
  await expect.poll(() => view.cursor(), { timeout: 10_000 }).toEqual({ storeId: store.id, position: head });
  expect(await hotShown(view, history)).toEqual(hotExpected(history));

  // A process that is asked to stop ends well.
  projectors?.kill('SIGTERM');
  expect(await once(projectors as ChildProcess, 'exit')).toEqual([0, null]);
});
