import type { Event } from '@brokerx/contracts';
import { asError, isTransient, type Recorded, transaction } from '@brokerx/infra';
import type { ParkedEvent, Stretch, Tables } from './advance.ts';
import { column } from './columns.ts';
import { moveCursors } from './cursors.ts';
import type { Database, TableProjection } from './projection.ts';

/** Events of one careful transaction: the worst of them, all failing, take well below a second. */
const CAREFUL_EVENTS_MAX = 200;
/** Errors are noted for people, not kept whole: a failed statement may quote pages of values. */
const ERROR_CHARACTERS_MAX = 2_000;

/**
 * Takes one projection over events of which it cannot fold some: those are noted in `read.parked`, all others are
 * folded. A savepoint is all that a failing event costs, not a transaction. Gives where it stands then, as it is
 * stored. Throws what the database threw.
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

/** One at least, and the last one ends where the stretch does: a stretch without events moves the cursor as well. */
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
    // It remembers rows that were never committed.
    projection.forget();
    throw error;
  }
  if (parked.length > 0) onParked(projection, parked);
}

/** As many events at a time as went well before: twice as many after a success, half of them after a failure. */
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

/** Folds and writes them, or gives why that cannot be, with nothing changed. */
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
