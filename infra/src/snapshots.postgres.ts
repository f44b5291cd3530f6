import type pg from 'pg';
import type { Log } from './log.ts';
import { migrate } from './migrate.ts';
import { openPool, repeating, safeInteger, transaction } from './postgres.ts';
import type { Runtime } from './runtime.ts';
import { assertParts, type Snapshots } from './snapshots.ts';

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
      for (;;) {
        const { rows } = await repeat(() => pool.query<Row>({ ...LOAD, values })).catch((error: unknown) => {
          if (readOnly && isMissing(error)) return { rows: [] };
          throw error;
        });
        const row = rows[0];
        if (!row) return null;
        const snapshot = {
          cursor: { storeId, position: safeInteger(row.position) },
          revision: safeInteger(row.revision),
          state: row.state,
        };
        if (row.parts === 0) return snapshot;
        const found = await repeat(() =>
          pool.query<{ bytes: Buffer }>({ ...LOAD_PARTS, values: [...values, row.position] }),
        );
        // Others are there, or none, where newer snapshots have taken its place meanwhile.
        if (found.rows.length === row.parts)
          return { ...snapshot, parts: found.rows.map(({ bytes }) => bytes) };
      }
    },
    async save({ kind, key, version }, { cursor, revision, state, parts = [] }) {
      if (cursor.storeId !== storeId) {
        throw new RangeError(`${kind} ${key}: a snapshot of store ${cursor.storeId}, this is ${storeId}`);
      }
      assertParts(`${kind} ${key}`, parts);
      const place = [kind, version, key, storeId, cursor.position];
      const values = [...place, revision, state, parts.length];
      if (parts.length === 0) await repeat(() => pool.query({ ...SAVE, values }));
      else await repeat(() => transaction(pool, (client) => saveInParts(client, { place, values, parts })));
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

/** `undefined_table`, and the schema's, too, or `undefined_column`: the owner is older, or has not begun. */
const MISSING_CODES = new Set<unknown>(['42P01', '42703']);
const isMissing = (error: unknown): boolean => MISSING_CODES.has((error as { code?: unknown }).code);

type Row = { position: string; revision: string; state: string; parts: number };

const LOAD: pg.QueryConfig = {
  name: 'snapshot_load',
  text: `select position, revision, state, parts from state.snapshot
          where kind = $1 and version = $2 and key = $3 and store_id = $4
          order by position desc limit 1`,
};

const LOAD_PARTS: pg.QueryConfig = {
  name: 'snapshot_load_parts',
  text: `select bytes from state.snapshot_part
          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position = $5
          order by part`,
};

/** Not if a newer one stands; beside it the one before stays. What this place had in parts goes. */
const SAVE: pg.QueryConfig = {
  name: 'snapshot_save',
  text: `
    with saved as (
      insert into state.snapshot (kind, version, key, store_id, position, revision, state, parts)
      select $1, $2, $3, $4, $5, $6, $7, $8
       where not exists (select 1 from state.snapshot
                          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position > $5)
      on conflict (kind, version, key, store_id, position)
        do update set revision = excluded.revision, state = excluded.state, parts = excluded.parts,
                      saved_at = clock_timestamp()
      returning position
    ), replaced as (
      delete from state.snapshot_part p
       using saved
       where p.kind = $1 and p.version = $2 and p.key = $3 and p.store_id = $4 and p.position = $5
    ), old as (
      delete from state.snapshot s
       using saved
       where s.kind = $1 and s.version = $2 and s.key = $3 and s.store_id = $4
         and s.position < (select max(b.position) from state.snapshot b
                            where b.kind = $1 and b.version = $2 and b.key = $3 and b.store_id = $4
                              and b.position < $5)
    )
    select position from saved`,
};

const SAVE_PART: pg.QueryConfig = {
  name: 'snapshot_save_part',
  text: `insert into state.snapshot_part (kind, version, key, store_id, position, part, bytes)
         values ($1, $2, $3, $4, $5, $6, $7)`,
};

async function saveInParts(
  client: pg.ClientBase,
  { place, values, parts }: { place: unknown[]; values: unknown[]; parts: readonly Uint8Array[] },
): Promise<void> {
  const { rowCount } = await client.query({ ...SAVE, values });
  if (rowCount === 0) return;
  // One at a time: each is copied on its way.
  for (const [part, bytes] of parts.entries()) {
    await client.query({ ...SAVE_PART, values: [...place, part, bytes] });
  }
}
