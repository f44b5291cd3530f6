import type pg from 'pg';
import type { Log } from './log.ts';
import { migrate } from './migrate.ts';
import { openPool, repeating, safeInteger } from './postgres.ts';
import type { Runtime } from './runtime.ts';
import type { Snapshots } from './snapshots.ts';

/**
 * Snapshots in PostgreSQL (schema `state`). Written without waiting for the disk: one that is lost in a crash
 * makes the next start longer, nothing else.
 */
export async function postgresSnapshots(options: {
  databaseUrl: string;
  /** Snapshots of other stores are not there. */
  storeId: string;
  runtime: Runtime;
  log?: Log | undefined;
  /** For who only loads: the tables are made by others, and until then there are no snapshots. */
  readOnly?: boolean;
}): Promise<Snapshots> {
  const { databaseUrl, storeId, runtime, readOnly = false } = options;
  const repeat = <T>(work: () => Promise<T>) => repeating(runtime, REPEAT_MS, work, { up: () => closed });
  let closed = false;
  if (!readOnly) await repeat(() => migrateState(databaseUrl));
  const pool = openPool({
    ...options,
    max: CONNECTIONS,
    applicationName: 'brokerx snapshots',
    settings: { synchronous_commit: 'off' },
  });

  return {
    async load({ kind, key, version }) {
      const values = [kind, version, key, storeId];
      const { rows } = await repeat(() => pool.query<Row>({ ...LOAD, values })).catch((error: unknown) => {
        if (readOnly && isMissingTable(error)) return { rows: [] };
        throw error;
      });
      const row = rows[0];
      return row
        ? {
            cursor: { storeId, position: safeInteger(row.position) },
            revision: safeInteger(row.revision),
            state: row.state,
          }
        : null;
    },
    async save({ kind, key, version }, { cursor, revision, state }) {
      if (cursor.storeId !== storeId) {
        throw new RangeError(`${kind} ${key}: a snapshot of store ${cursor.storeId}, this is ${storeId}`);
      }
      const values = [kind, version, key, storeId, cursor.position, revision, state];
      await repeat(() => pool.query({ ...SAVE, values }));
    },
    async keys(kind, version) {
      const { rows } = await repeat(() =>
        pool.query<{ key: string }>(
          `select distinct key collate "C" as key from state.snapshot
            where kind = $1 and version = $2 and store_id = $3 order by 1`,
          [kind, version, storeId],
        ),
      );
      return rows.map(({ key }) => key);
    },
    async close() {
      if (closed) return;
      closed = true;
      await pool.end();
    },
  };
}

/** The schema that snapshots and leases share. */
export const migrateState = (databaseUrl: string) =>
  migrate({ databaseUrl, directory: new URL('../migrations/state', import.meta.url), name: 'state' });

/** One for loads, one for a save beside them. */
const CONNECTIONS = 2;
/** Milliseconds for which a call is repeated while the server is away: longer than a restart takes. */
const REPEAT_MS = 10_000;

/** `undefined_table`, and the schema's, too. */
const isMissingTable = (error: unknown): boolean => (error as { code?: unknown }).code === '42P01';

type Row = { position: string; revision: string; state: string };

const LOAD: pg.QueryConfig = {
  name: 'snapshot_load',
  text: `select position, revision, state from state.snapshot
          where kind = $1 and version = $2 and key = $3 and store_id = $4
          order by position desc limit 1`,
};

/** Not if a newer one stands; beside it the one before stays. */
const SAVE: pg.QueryConfig = {
  name: 'snapshot_save',
  text: `
    with saved as (
      insert into state.snapshot (kind, version, key, store_id, position, revision, state)
      select $1, $2, $3, $4, $5, $6, $7
       where not exists (select 1 from state.snapshot
                          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position > $5)
      on conflict (kind, version, key, store_id, position)
        do update set revision = excluded.revision, state = excluded.state, saved_at = clock_timestamp()
      returning position
    )
    delete from state.snapshot s
     using saved
     where s.kind = $1 and s.version = $2 and s.key = $3 and s.store_id = $4
       and s.position < (select max(b.position) from state.snapshot b
                          where b.kind = $1 and b.version = $2 and b.key = $3 and b.store_id = $4
                            and b.position < $5)`,
};
