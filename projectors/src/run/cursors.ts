import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { type Cursor, type Past, safeInteger, transaction } from '@brokerx/infra';
import type pg from 'pg';
import { column } from './columns.ts';
import { type Database, keyOf, type TableProjection } from './projection.ts';

/**
 * Where projections stand (`read.projection`). A cursor is moved by compare-and-set in the transaction of its rows:
 * of two projectors that give the same events to the same tables, one is turned away whole.
 */
export class CursorMoved extends Error {
  override name = 'CursorMoved';
  /** Those that do not stand where they were said to stand. */
  readonly projections: readonly TableProjection[];
  constructor(projections: readonly TableProjection[], from: number) {
    super(`${projections.map(keyOf).join(', ')} did not stand at ${from}`);
    this.projections = projections;
  }
}

/**
 * The positions of the projections, by key. One without a cursor begins: its tables are emptied and it stands at 0,
 * so that deleting a cursor is all it takes to rebuild. So does one whose cursor does not stand in this event store, because
 * it was built from another one, or from another past of it (one of them was put back to an earlier state), of which
 * `onForeign` is told: its positions mean nothing here.
 */
export async function openCursors(
  pool: pg.Pool,
  past: Past,
  projections: readonly TableProjection[],
  onForeign: (projection: TableProjection, builtFrom: Cursor) => void = () => undefined,
): Promise<Map<string, number>> {
  // The event store is not asked while others wait for the lock.
  const known = await storedCursors(pool);
  const ours = new Map<string, Cursor>();
  for (const projection of projections) {
    const row = known.get(keyOf(projection));
    const cursor = row && (await ourCursor(past, row));
    if (cursor) ours.set(keyOf(projection), cursor);
    else if (row) onForeign(projection, cursorOf(row));
  }
  return transaction(pool, async (db) => {
    // Against another process that begins the same projections now.
    await db.query('lock table read.projection in share row exclusive mode');
    const standing = await storedCursors(db);
    const positions = new Map<string, number>();
    for (const projection of projections) {
      const key = keyOf(projection);
      const row = standing.get(key);
      // What somebody has begun or moved meanwhile is believed: he has looked, too.
      const isOurs = row !== undefined && (ours.has(key) || hasMoved(known.get(key), row));
      if (!isOurs) await begin(db, past.storeId, projection);
      const adopted = ours.get(key);
      if (isOurs && adopted && row.landmark_position === BELIEVED) await adopt(db, projection, adopted);
      positions.set(key, isOurs ? safeInteger(row.position) : 0);
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
/** As the migration marks what an older version wrote. */
const BELIEVED = '-1';

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

/** The cursor where it stands in this store, else null. */
async function ourCursor(past: Past, row: Row): Promise<Cursor | null> {
  const kept = cursorOf(row);
  const isBelieved = row.landmark_position === BELIEVED && row.store_id === past.storeId;
  const cursor = isBelieved ? await past.cursor(kept.position) : kept;
  return (await past.stands(cursor)) ? cursor : null;
}

async function adopt(db: Database, { name, version }: TableProjection, { landmark }: Cursor): Promise<void> {
  await db.query(
    'update read.projection set landmark_position = $3, landmark_commit = $4 where name = $1 and version = $2',
    [name, version, landmark?.position ?? null, landmark?.commitId ?? null],
  );
}

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
 * Moves the cursors of all the projections from one position to another, and tells whoever listens. Throws
 * `CursorMoved` when one of them does not stand at `from`. Who remembers where a projection stands takes it from
 * here alone: what was not moved here does not stand there.
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
