import type { Event } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  type EventStore,
  type Leases,
  type Log,
  type MemoryLeases,
  type Metrics,
  memoryLeases,
  noTelemetry,
  realRuntime as runtime,
  storeFeed,
} from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import type pg from 'pg';
import { onTestFinished } from 'vitest';
import { projectionMetrics } from '../src/run/metrics.ts';
import { type Projecting, startProjecting } from '../src/run/project.ts';
import type { TableProjection } from '../src/run/projection.ts';
import { allProjections } from '../src/tables/allProjections.ts';
import { openReadModels } from '../src/tables/readModels.ts';

/** Projections at work in the test's own process, over tables of the test's own. */
const quiet = createLog({ name: 'test-projectors', level: 'silent' });

/** A database of the test's own, with the tables of the read models. */
export async function readModels(): Promise<pg.Pool> {
  const database = await freshDatabase();
  const pool = await openReadModels({ databaseUrl: database.url, runtime, log: quiet });
  onTestFinished(async () => {
    await pool.end();
    await database.drop();
  });
  return pool;
}

type Given = {
  log?: Log;
  store: EventStore<Event>;
  pool: pg.Pool;
  projections?: TableProjection[];
  batchEventsMax?: number;
  owner?: string;
  /** Shared by those who share the projections. */
  rows?: MemoryLeases;
  /** Whether the leases of projections are held, as far as the process knows, while they are its own. */
  knowsLeases?: () => boolean;
};

export function project({
  store,
  pool,
  projections = allProjections(),
  batchEventsMax = 2_000,
  owner = 'a',
  rows = new Map(),
  log = quiet,
  knowsLeases = () => true,
}: Given): Projecting & { metrics: Metrics } {
  const feed = storeFeed({ store, runtime, log });
  const metrics = createMetrics('test', '0');
  const projecting = startProjecting({
    projections,
    pool,
    store,
    feed,
    leases: doubted(memoryLeases({ rows, owner, runtime }), knowsLeases),
    runtime,
    log,
    telemetry: noTelemetry(runtime),
    metrics: projectionMetrics(metrics, () => feed.head()),
    batchEventsMax,
  });
  const stop = async () => {
    await projecting.stop();
    await feed.close();
  };
  onTestFinished(stop);
  return { ...projecting, stop, metrics };
}

const doubted = (leases: Leases, isKnown: () => boolean): Leases => ({
  ...leases,
  async tryAcquire(name) {
    const lease = await leases.tryAcquire(name);
    if (!lease?.name.startsWith('projection:')) return lease;
    return { ...lease, isHeld: () => isKnown() && lease.isHeld() };
  },
});
