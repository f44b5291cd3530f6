import type { Event } from '@brokerx/contracts';
import { asError, isTransient, type Recorded, transaction } from '@brokerx/infra';
import type { ParkedEvent, Stretch, Tables } from './advance.ts';
import { column } from './columns.ts';
import { moveCursors } from './cursors.ts';
import type { Database, TableProjection } from './projection.ts';

/** Events of one careful transaction: even if all of them fail, it takes well below a second. */
const CAREFUL_EVENTS_MAX = 200;
/** Characters of an error that are stored, for people to read: a failed statement may quote pages of values. */
const ERROR_CHARACTERS_MAX = 2_000;

/**
 * Advances one projection over events of which it cannot fold some: those are recorded in `read.parked`, all others are folded. A
 * failing event costs a savepoint, not a transaction. Returns the stored position afterwards; throws the database's own errors.
 */
export async function advanceParking(
  tables: Tables,
  projection: TableProjection,
  from: number,
  stretch: Stretch,
): Promise<number> {
  let at = from;
  for (const piece of inPieces(stretch)) {
    await advanceCarefully(tables, projection, at, piece);
    at = piece.position;
  }
  return at;
}

/** Cuts a stretch into pieces, at least one, the last of which ends where the stretch does, so that its cursor moves, too. */
function* inPieces({ events, position }: Stretch): Generator<Stretch> {
  let done = 0;
  for (; done + CAREFUL_EVENTS_MAX < events.length; done += CAREFUL_EVENTS_MAX) {
    const some = events.slice(done, done + CAREFUL_EVENTS_MAX);
    yield { events: some, position: some.at(-1)?.position ?? position };
  }
  yield { events: events.slice(done), position };
}

async function advanceCarefully(
  { pool, past, onParked }: Tables,
  projection: TableProjection,
  from: number,
  { events, position }: Stretch,
): Promise<void> {
  let parked: ParkedEvent[] = [];
  const to = await past.cursor(position, events);
  try {
    await transaction(
      pool,
      async (db) => {
        await moveCursors(db, [projection], from, to);
        parked = await foldApart(db, projection, events);
        if (parked.length > 0) await note(db, projection, parked);
      },
      { synchronousCommit: 'off' },
    );
  } catch (error) {
    // The projection remembers rows that were never committed.
    projection.forget();
    throw error;
  }
  if (parked.length > 0) onParked(projection, parked);
}

/** Folds in pieces, and parks single events that fail. A piece has half the size after a failure, and twice after a success. */
async function foldApart(
  db: Database,
  projection: TableProjection,
  events: readonly Recorded<Event>[],
): Promise<ParkedEvent[]> {
  const parked: ParkedEvent[] = [];
  let size = events.length;
  for (let done = 0; done < events.length; ) {
    const some = events.slice(done, done + size);
    const error = await failureOf(db, projection, some);
    const [first] = some;
    if (error && first && some.length === 1) parked.push({ recorded: first, error });
    if (error && some.length > 1) {
      size = some.length >> 1;
      continue;
    }
    done += some.length;
    size = error ? 1 : size * 2;
  }
  return parked;
}

/** Folds and writes the events, or returns the error, with nothing changed. */
async function failureOf(
  db: Database,
  projection: TableProjection,
  events: readonly Recorded<Event>[],
): Promise<Error | null> {
  await db.query('savepoint piece');
  try {
    const change = await projection.fold(events, db);
    await change.write(db);
    change.committed();
    await db.query('release savepoint piece');
    return null;
  } catch (error) {
    if (isTransient(error)) throw error;
    await db.query('rollback to savepoint piece');
    return asError(error);
  }
}

async function note(
  db: Database,
  { name, version }: TableProjection,
  parked: readonly ParkedEvent[],
): Promise<void> {
  await db.query(
    `insert into read.parked (projection, version, position, event_id, error)
     select $1, $2, * from unnest($3::bigint[], $4::uuid[], $5::text[])`,
    [
      name,
      version,
      column(parked.map(({ recorded }) => recorded.position)),
      column(parked.map(({ recorded }) => recorded.event.id)),
      column(parked.map(({ error }) => String(error).slice(0, ERROR_CHARACTERS_MAX))),
    ],
  );
}
