import type { DiskSpace, Log } from '@brokerx/infra';
import { isTransient, migrate, openPool, type Runtime, repeating } from '@brokerx/infra';
import type pg from 'pg';

/** The database of the read models, with its tables as the projections of this version expect them. */
export async function openReadModels(options: {
  databaseUrl: string;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<pg.Pool> {
  const { databaseUrl, runtime } = options;
  const directory = new URL('../../migrations', import.meta.url);
  await repeating(runtime, START_MS, () => migrate({ databaseUrl, directory, name: 'read' }), {
    isTransient,
  });
  return openPool({
    ...options,
    max: CONNECTIONS,
    applicationName: 'brokerx projectors',
    settings: SESSION,
    pipeline: true,
  });
}

/** `ok`, or why the read models cannot be written now. */
export async function readModelsState(pool: pg.Pool, disk: DiskSpace): Promise<string> {
  try {
    await pool.query('select 1');
    return disk.shortage() ?? 'ok';
  } catch (error) {
    return isTransient(error) ? 'PostgreSQL is away' : String(error);
  }
}

/** Milliseconds for which the start waits for a server that is away. */
const START_MS = 10_000;
/** Lanes rarely run beside each other; one more reads the rows that a batch changes. */
const CONNECTIONS = 4;
/**
 * Rows are always found by key. Plans are made while the tables are small, when the planner would rather read them
 * whole and hash them, which later costs more with every order.
 */
const SESSION = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  plan_cache_mode: 'force_generic_plan',
};
