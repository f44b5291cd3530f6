import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { safeInteger, transaction } from '@brokerx/infra';
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
 * so that deleting a cursor is all it takes to rebuild. So does one that was built from another event store, of which
 * `onForeign` is told: its positions mean nothing here.
 */
export async function openCursors(
  pool: pg.Pool,
  storeId: string,
  projections: readonly TableProjection[],
  onForeign: (projection: TableProjection, builtFrom: string) => void = () => undefined,
): Promise<Map<string, number>> {
  return transaction(pool, async (db) => {
    // Against another process that begins the same projections now.
    await db.query('lock table read.projection in share row exclusive mode');
    const { rows } = await db.query<{ name: string; version: number; store_id: string; position: string }>(
      'select name, version, store_id, position from read.projection',
    );
    const standing = new Map(rows.map((row) => [keyOf(row), row]));
    const positions = new Map<string, number>();
    for (const projection of projections) {
      const cursor = standing.get(keyOf(projection));
      const isOurs = cursor?.store_id === storeId;
      if (!isOurs) await begin(db, storeId, projection);
      if (cursor && !isOurs) onForeign(projection, cursor.store_id);
      positions.set(keyOf(projection), isOurs ? safeInteger(cursor.position) : 0);
    }
    return positions;
  });
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
       set store_id = excluded.store_id, position = 0, updated_at = clock_timestamp()`,
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
  storeId: string,
  projections: readonly TableProjection[],
  from: number,
  to: number,
): Promise<void> {
  const { rows } = await db.query<{ moved: string[] | null }>({
    name: 'cursors_move',
    text: `
      with moved as (
        update read.projection p set position = $4, updated_at = clock_timestamp()
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
      to,
      storeId,
    ],
  });
  const moved = rows[0]?.moved ?? [];
  if (moved.length === projections.length) return;
  throw new CursorMoved(
    projections.filter((projection) => !moved.includes(keyOf(projection))),
    from,
  );
}
