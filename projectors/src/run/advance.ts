import type { Event } from '@brokerx/contracts';
import { asError, isTransient, type Past, type Recorded, transaction } from '@brokerx/infra';
import type pg from 'pg';
import { CursorMoved, moveCursors } from './cursors.ts';
import { type Change, keyOf, type TableProjection } from './projection.ts';

/**
 * Advances projections that are at the same position by one batch: their rows and cursors are written in one transaction. It
 * does not wait for the disk, since a crash takes the rows back together with the cursors.
 */
export type Tables = {
  pool: pg.Pool;
  past: Past;
  onParked(projection: TableProjection, parked: readonly ParkedEvent[]): void;
};

/** An event that a projection has left out, and the error that it met. */
export type ParkedEvent = { recorded: Recorded<Event>; error: Error };

/** Consecutive events, and the position that a projection reaches with them. */
export type Stretch = { events: readonly Recorded<Event>[]; position: number };

/** A projection cannot fold or write the events of a stretch: a defect, which repeating does not mend. */
export class ProjectionFailed extends Error {
  override name = 'ProjectionFailed';
  readonly projection: TableProjection;
  constructor(projection: TableProjection, cause: unknown) {
    super(`projection ${keyOf(projection)} failed: ${asError(cause).message}`, { cause });
    this.projection = projection;
  }
}

/**
 * Returns the stored position of the projections afterwards. Throws `ProjectionFailed`, `CursorMoved`, or the database's own
 * error, and then has changed nothing.
 */
export async function advance(
  { pool, past }: Tables,
  projections: readonly TableProjection[],
  from: number,
  stretch: Stretch,
): Promise<number> {
  const changes: { projection: TableProjection; change: Change }[] = [];
  if (stretch.events.length > 0) {
    for (const projection of projections) {
      const change = await blaming(projection, () => projection.fold(stretch.events, pool));
      changes.push({ projection, change });
    }
  }
  const to = await past.cursor(stretch.position, stretch.events);
  await transaction(
    pool,
    async (db) => {
      // All statements share one round trip, so none waits for the one before it.
      const moved = moveCursors(db, projections, from, to);
      const writes = changes.map(({ projection, change }) => blaming(projection, () => change.write(db)));
      await firstFailure([moved, ...writes]);
    },
    { synchronousCommit: 'off' },
  );
  for (const { change } of changes) change.committed();
  return stretch.position;
}

/** Waits for all statements, then throws the error that caused the others, if any failed. */
async function firstFailure(statements: Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(statements)).flatMap((result) =>
    result.status === 'rejected' ? [asError(result.reason)] : [],
  );
  const cause = failures.find((error) => !isConsequence(error)) ?? failures[0];
  if (cause) throw cause;
}

const isConsequence = ({ cause }: Error): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === IN_FAILED_TRANSACTION;
/** SQLSTATE of every statement behind the first failed one of a transaction. */
const IN_FAILED_TRANSACTION = '25P02';

/** Turns errors of the work into `ProjectionFailed`, except where the database is away or another projector moved the cursor. */
async function blaming<T>(projection: TableProjection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isTransient(error) || error instanceof CursorMoved) throw error;
    throw new ProjectionFailed(projection, error);
  }
}
