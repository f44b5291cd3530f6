import type { Event } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  type EventStore,
  memoryLeases,
  noTelemetry,
  realRuntime as runtime,
  storeFeed,
} from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/services.ts';
import type pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { allProjections } from '../src/allProjections.ts';
import { type Projecting, startProjecting } from '../src/project.ts';
import type { TableProjection } from '../src/projection.ts';
import { projectionMetrics } from '../src/projectionMetrics.ts';
import { openReadModels } from '../src/readModels.ts';
import { makeHistory, mulberry32 } from './history.ts';
import { allReached, appendAll, dump, expected, shown, storeInMemory } from './readModelsOf.ts';

const log = createLog({ name: 'test-projectors', level: 'silent' });

async function readModels(): Promise<pg.Pool> {
  const database = await freshDatabase();
  const pool = await openReadModels({ databaseUrl: database.url, runtime, log });
  onTestFinished(async () => {
    await pool.end();
    await database.drop();
  });
  return pool;
}

type Given = {
  store: EventStore<Event>;
  pool: pg.Pool;
  projections?: TableProjection[];
  batchEventsMax?: number;
  owner?: string;
};

function project({
  store,
  pool,
  projections = allProjections(),
  batchEventsMax = 2_000,
  owner = 'a',
}: Given): Projecting {
  const feed = storeFeed({ store, runtime, log });
  const projecting = startProjecting({
    projections,
    pool,
    store,
    feed,
    leases: memoryLeases({ rows: new Map(), owner, runtime }),
    runtime,
    log,
    telemetry: noTelemetry(runtime),
    metrics: projectionMetrics(createMetrics('test', '0'), () => feed.head()),
    batchEventsMax,
  });
  const stop = async () => {
    await projecting.stop();
    await feed.close();
  };
  onTestFinished(stop);
  return { ...projecting, stop };
}

test('projected live in small batches, the tables show what happened, and a rebuild gives the same bytes', async () => {
  const history = makeHistory({ seed: 11, orders: 1_500 });
  const store = storeInMemory();
  const pool = await readModels();
  const live = project({ store, pool, batchEventsMax: 37 });
  const below = mulberry32(1);
  for (let done = 0; done < history.commits.length; ) {
    const some = 1 + below(400);
    await appendAll(store, history.commits.slice(done, done + some));
    done += some;
    if (below(3) === 0) await new Promise((resolve) => setTimeout(resolve, below(30)));
  }
  await allReached(pool, await store.head());
  expect(await shown(pool)).toEqual(expected(history));
  const liveRows = await dump(pool);
  await live.stop();

  await pool.query('delete from read.projection');
  project({ store, pool });
  await allReached(pool, await store.head());
  expect(await dump(pool)).toEqual(liveRows);
  expect((await pool.query('select * from read.parked')).rows).toEqual([]);
});
