import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { type Cursor, type Past, safeInteger, transaction } from '@brokerx/infra';
import type pg from 'pg';
import { column } from './columns.ts';
import { type Database, keyOf, type TableProjection } from './projection.ts';

/**
 * The cursors of projections (`read.projection`). A cursor moves by compare-and-set in the transaction that writes its rows. Where
 * two processes project the same events into the same tables, one of them gets `CursorMoved`, and nothing of it is written.
 */
export class CursorMoved extends Error {
  override name = 'CursorMoved';
  /** The projections whose stored cursors are elsewhere. */
  readonly projections: readonly TableProjection[];
  constructor(projections: readonly TableProjection[], from: number) {
    super(`${projections.map(keyOf).join(', ')} did not stand at ${from}`);
    this.projections = projections;
  }
}

/**
 * Returns the positions of the projections, by key. A projection without a cursor begins at 0 with empty tables, so deleting a
 * cursor is all it takes to rebuild. The same happens, after a call of `onForeign`, where the cursor is not of this event store:
 * the tables were built from another store, or from another past of this one (one of them was put back to an earlier state).
 */
export async function openCursors(
  pool: pg.Pool,
  past: Past,
  projections: readonly TableProjection[],
  onForeign: (projection: TableProjection, builtFrom: Cursor) => void = () => undefined,
): Promise<Map<string, number>> {
  // The event store is read before the lock, so that other processes do not wait for it.
  const before = await storedCursors(pool);
  const validCursors = new Map<string, Cursor>();
  for (const projection of projections) {
    const row = before.get(keyOf(projection));
    const cursor = row && (await validCursor(past, row));
    if (cursor) validCursors.set(keyOf(projection), cursor);
    else if (row) onForeign(projection, cursorOf(row));
  }
  return transaction(pool, async (db) => {
    // Another process may begin the same projections at this moment.
    await db.query('lock table read.projection in share row exclusive mode');
    const current = await storedCursors(db);
    const positions = new Map<string, number>();
    for (const projection of projections) {
      const key = keyOf(projection);
      const row = current.get(key);
      // A cursor that another process has begun or moved meanwhile is valid: that process has checked it, too.
      const cursor = validCursors.get(key);
      const isValid = row !== undefined && (cursor !== undefined || hasMoved(before.get(key), row));
      if (!isValid) await begin(db, past.storeId, projection);
      if (isValid && cursor && row.landmark_position === UNCHECKED) await adopt(db, projection, cursor);
      positions.set(key, isValid ? safeInteger(row.position) : 0);
    }
    return positions;
  });
}

type Row = {
  name: string;
  version: number;
  store_id: string;
  position: string;
  landmark_position: string | null;
  landmark_commit: string | null;
};
/** The migration's mark of a cursor that an older version wrote, without a landmark. */
const UNCHECKED = '-1';

async function storedCursors(db: Database | pg.Pool): Promise<Map<string, Row>> {
  const { rows } = await db.query<Row>(
    'select name, version, store_id, position, landmark_position, landmark_commit from read.projection',
  );
  return new Map(rows.map((row) => [keyOf(row), row]));
}

const hasMoved = (before: Row | undefined, now: Row): boolean =>
  before?.store_id !== now.store_id ||
  before.position !== now.position ||
  before.landmark_commit !== now.landmark_commit;

const cursorOf = (row: Row): Cursor => ({
  storeId: row.store_id,
  position: safeInteger(row.position),
  ...(row.landmark_position !== null && row.landmark_commit !== null
    ? { landmark: { position: safeInteger(row.landmark_position), commitId: row.landmark_commit } }
    : {}),
});

/** The stored cursor where it is of this past of the store, else null. */
async function validCursor(past: Past, row: Row): Promise<Cursor | null> {
  const stored = cursorOf(row);
  const isUnchecked = row.landmark_position === UNCHECKED && row.store_id === past.storeId;
  const cursor = isUnchecked ? await past.cursor(stored.position) : stored;
  return (await past.stands(cursor)) ? cursor : null;
}

/** Gives a cursor of an older version its landmark. */
async function adopt(db: Database, { name, version }: TableProjection, { landmark }: Cursor): Promise<void> {
  await db.query(
    'update read.projection set landmark_position = $3, landmark_commit = $4 where name = $1 and version = $2',
    [name, version, landmark?.position ?? null, landmark?.commitId ?? null],
  );
}

/** Empties a projection's tables and sets its cursor to 0. */
async function begin(
  db: Database,
  storeId: string,
  { name, version, tables }: TableProjection,
): Promise<void> {
  await db.query(`truncate ${tables.join(', ')}`);
  await db.query('delete from read.parked where projection = $1 and version = $2', [name, version]);
  await db.query(
    `insert into read.projection (name, version, status, store_id, position) values ($1, $2, 'live', $3, 0)
     on conflict (name, version) do update
       set store_id = excluded.store_id, position = 0, landmark_position = null, landmark_commit = null,
           updated_at = clock_timestamp()`,
    [name, version, storeId],
  );
}

/**
 * Moves the cursors of all the projections from one position to another, and notifies the readers. Throws `CursorMoved` when one
 * of them is not at `from`. A caller may take a projection to be at `to` only after this succeeded and was committed.
 */
export async function moveCursors(
  db: Database,
  projections: readonly TableProjection[],
  from: number,
  to: Cursor,
): Promise<void> {
  const { rows } = await db.query<{ moved: string[] | null }>({
    name: 'cursors_move',
    text: `
      with moved as (
        update read.projection p
           set position = $4, landmark_position = $6, landmark_commit = $7, updated_at = clock_timestamp()
          from unnest($1::text[], $2::integer[]) as u (name, version)
         where p.name = u.name and p.version = u.version and p.position = $3 and p.store_id = $5
        returning p.name, p.version
      )
      select array_agg(name || ':' || version) as moved,
             count(pg_notify('${PROJECTION_CHANNEL}', name || ':' || version || ':' || $4::bigint))
        from moved`,
    values: [
      column(projections.map(({ name }) => name)),
      column(projections.map(({ version }) => version)),
      from,
      to.position,
      to.storeId,
      to.landmark?.position ?? null,
      to.landmark?.commitId ?? null,
    ],
  });
  const moved = rows[0]?.moved ?? [];
  if (moved.length === projections.length) return;
  throw new CursorMoved(
    projections.filter((projection) => !moved.includes(keyOf(projection))),
    from,
  );
}
