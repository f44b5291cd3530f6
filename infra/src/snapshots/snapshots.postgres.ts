import type pg from 'pg';
import { isTransient, openPool, safeInteger, transaction } from '../postgres/postgres.ts';
import { migrateState } from '../postgres/stateSchema.ts';
import type { Log } from '../runtime/log.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { partChecksum, stateChecksum } from './checksum.ts';
import {
  assertParts,
  firstReadable,
  type Snapshot,
  type SnapshotKey,
  type SnapshotOptions,
  type Snapshots,
  type Stored,
  snapshotPast,
} from './snapshots.ts';

/**
 * Snapshots in PostgreSQL (schema `state`). Writes do not wait for the disk: a snapshot lost in a crash only makes the next
 * start longer.
 */
export async function postgresSnapshots(
  options: SnapshotOptions & {
    databaseUrl: string;
    runtime: Runtime;
    log?: Log | undefined;
    /** Only loads: another process creates the tables, and until then there are no snapshots. */
    readOnly?: boolean;
  },
): Promise<Snapshots> {
  const { databaseUrl, store, runtime, log, readOnly = false } = options;
  const storeId = store.id;
  const past = snapshotPast(store);
  const repeat = <T>(work: () => Promise<T>) =>
    repeating(runtime, REPEAT_MS, work, { isTransient, isOver: () => closed });
  let closed = false;
  if (!readOnly) await repeat(() => migrateState(databaseUrl));
  const pool = openPool({
    ...options,
    max: CONNECTIONS,
    applicationName: 'brokerx snapshots',
    settings: { synchronous_commit: 'off' },
  });

  return {
    load(name, read) {
      const generations = generationsOf({ pool, repeat, storeId, readOnly }, name);
      const place = placeOf(name, storeId);
      const remove = async ({ position }: Stored) => {
        if (!readOnly) await repeat(() => pool.query({ ...REMOVE, values: [...place, position] }));
      };
      return firstReadable(name, generations, read, { past, log, remove });
    },
    async save(name, snapshot) {
      const { kind, key } = name;
      const { cursor, revision, state, parts = [] } = snapshot;
      if (cursor.storeId !== storeId) {
        throw new RangeError(`${kind} ${key}: a snapshot of store ${cursor.storeId}, this is ${storeId}`);
      }
      assertParts(`${kind} ${key}`, parts);
      const place = [...placeOf(name, storeId), cursor.position];
      const { landmark } = await past.cursor(cursor.position);
      const commit = [landmark?.position ?? null, landmark?.commitId ?? null];
      const values = [...place, revision, state, parts.length, stateChecksum(name, snapshot), ...commit];
      if (parts.length === 0) await repeat(() => pool.query({ ...SAVE, values }));
      else
        await repeat(() =>
          transaction(pool, (client) => saveInParts(client, name, { place, values, snapshot })),
        );
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

/** Connections: one for loads, one for a save beside them. */
const CONNECTIONS = 2;
/** Milliseconds for which a call is repeated while the server is away: longer than a restart takes. */
const REPEAT_MS = 10_000;

/** `undefined_table` (also for a missing schema) and `undefined_column`: the process that creates the tables has not yet. */
const MISSING_CODES = new Set<unknown>(['42P01', '42703']);
const isMissing = (error: unknown): boolean => MISSING_CODES.has((error as { code?: unknown }).code);

const placeOf = ({ kind, version, key }: SnapshotKey, storeId: string) => [kind, version, key, storeId];

type Row = {
  position: string;
  revision: string;
  state: string;
  parts: number;
  checksum: string | null;
  saved_at: string;
  landmark_position: string | null;
  landmark_commit: string | null;
};
type PartRow = { part: number; bytes: Buffer; checksum: string | null };

/** A key's snapshots, the newest first. Each is read only when it is requested, because it may be large. */
async function* generationsOf(
  from: {
    pool: pg.Pool;
    repeat<T>(work: () => Promise<T>): Promise<T>;
    storeId: string;
    readOnly: boolean;
  },
  name: SnapshotKey,
): AsyncGenerator<Stored> {
  const place = placeOf(name, from.storeId);
  const query = <R extends pg.QueryResultRow>(
    config: pg.QueryConfig,
    ...values: unknown[]
  ): Promise<pg.QueryResult<R>> =>
    from.repeat(() => from.pool.query<R>({ ...config, values: [...place, ...values] }));
  const newestBelow = async (position: string | null): Promise<Row | undefined> => {
    try {
      return (await query<Row>(LOAD, position)).rows[0];
    } catch (error) {
      if (from.readOnly && isMissing(error)) return undefined;
      throw error;
    }
  };
  let below: string | null = null;
  for (;;) {
    const row: Row | undefined = await newestBelow(below);
    if (!row) return;
    const parts = row.parts === 0 ? [] : (await query<PartRow>(LOAD_PARTS, row.position)).rows;
    const stored = storedOf(name, from.storeId, row, parts);
    // It only looks damaged if another save replaced it between the two queries: then read the new one.
    const isReplaced =
      'damage' in stored && (await query(IS_THERE, row.position, row.saved_at)).rowCount === 0;
    if (isReplaced) continue;
    yield stored;
    below = row.position;
  }
}

/** Checks a row and its parts. A snapshot that an older version saved has no checksums, and is accepted if it is readable. */
function storedOf(name: SnapshotKey, storeId: string, row: Row, partRows: readonly PartRow[]): Stored {
  const { position } = row;
  const damaged = (damage: string): Stored => ({ position, damage });
  const [at, revision] = [Number(position), Number(row.revision)];
  if (!Number.isSafeInteger(at) || at < 0 || !Number.isSafeInteger(revision) || revision < -1) {
    return damaged(`it is of no position: ${position}, revision ${row.revision}`);
  }
  if (partRows.length !== row.parts) return damaged(`${partRows.length} of its ${row.parts} parts are there`);
  const parts = partRows.map(({ bytes }) => bytes);
  const snapshot: Snapshot = {
    cursor: { storeId, position: at, ...landmarkOf(row) },
    revision,
    state: row.state,
    ...(parts.length > 0 ? { parts } : {}),
  };
  if (row.checksum !== null && Number(row.checksum) !== stateChecksum(name, snapshot)) {
    return damaged('its state or its place is not what was saved');
  }
  const wrong = partRows.findIndex(
    ({ part, bytes, checksum }, index) =>
      part !== index || (checksum !== null && Number(checksum) !== partChecksum(name, snapshot, part, bytes)),
  );
  return wrong >= 0 ? damaged(`its part ${wrong} is not what was saved`) : { position, snapshot };
}

const landmarkOf = ({ landmark_position: position, landmark_commit: commitId }: Row) =>
  position === null || commitId === null ? {} : { landmark: { position: safeInteger(position), commitId } };

const LOAD: pg.QueryConfig = {
  name: 'snapshot_load',
  text: `select position, revision, state, parts, checksum, saved_at::text,
                landmark_position, landmark_commit
           from state.snapshot
          where kind = $1 and version = $2 and key = $3 and store_id = $4
            and ($5::bigint is null or position < $5)
          order by position desc limit 1`,
};

const LOAD_PARTS: pg.QueryConfig = {
  name: 'snapshot_load_parts',
  text: `select part, bytes, checksum from state.snapshot_part
          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position = $5
          order by part`,
};

const IS_THERE: pg.QueryConfig = {
  name: 'snapshot_is_there',
  text: `select from state.snapshot
          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position = $5
            and saved_at = $6::timestamptz`,
};

const REMOVE: pg.QueryConfig = {
  name: 'snapshot_remove',
  text: `delete from state.snapshot
          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position = $5`,
};

/** Saves unless there is a newer snapshot. Keeps the previous one; deletes older ones and the parts of the one it replaces. */
const SAVE: pg.QueryConfig = {
  name: 'snapshot_save',
  text: `
    with saved as (
      insert into state.snapshot (kind, version, key, store_id, position, revision, state, parts, checksum,
                                  landmark_position, landmark_commit)
      select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
       where not exists (select 1 from state.snapshot
                          where kind = $1 and version = $2 and key = $3 and store_id = $4 and position > $5)
      on conflict (kind, version, key, store_id, position)
        do update set revision = excluded.revision, state = excluded.state, parts = excluded.parts, checksum = excluded.checksum,
                      landmark_position = excluded.landmark_position, landmark_commit = excluded.landmark_commit,
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
  text: `insert into state.snapshot_part (kind, version, key, store_id, position, part, bytes, checksum)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
};

async function saveInParts(
  client: pg.ClientBase,
  name: SnapshotKey,
  { place, values, snapshot }: { place: unknown[]; values: unknown[]; snapshot: Snapshot },
): Promise<void> {
  const { rowCount } = await client.query({ ...SAVE, values });
  if (rowCount === 0) return;
  // One part at a time, because sending copies it.
  for (const [part, bytes] of (snapshot.parts ?? []).entries()) {
    const checksum = partChecksum(name, snapshot, part, bytes);
    await client.query({ ...SAVE_PART, values: [...place, part, bytes, checksum] });
  }
}
