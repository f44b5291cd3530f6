import type { Event } from '@brokerx/contracts';
import { asError, isTransient, type Past, type Recorded, transaction } from '@brokerx/infra';
import type pg from 'pg';
import { CursorMoved, moveCursors } from './cursors.ts';
import { type Change, keyOf, type TableProjection } from './projection.ts';

/**
 * One step of projections that stand at the same position: the rows of a batch and the cursors of all of them in one
 * transaction. Written without waiting for the disk: what a crash takes back it takes back together with the cursor.
 */
export type Tables = {
  pool: pg.Pool;
  past: Past;
  onParked(projection: TableProjection, parked: readonly ParkedEvent[]): void;
};

/** An event that a projection is without, and why. */
export type ParkedEvent = { recorded: Recorded<Event>; error: Error };

/** Events after some position, and the position that is reached with them. */
export type Stretch = { events: readonly Recorded<Event>[]; position: number };

/** A projection cannot take the events of a stretch: a defect, which repeating does not mend. */
export class ProjectionFailed extends Error {
  override name = 'ProjectionFailed';
  readonly projection: TableProjection;
  constructor(projection: TableProjection, cause: unknown) {
    super(`projection ${keyOf(projection)} failed: ${asError(cause).message}`, { cause });
    this.projection = projection;
  }
}

/**
 * Gives where they stand then, as it is stored. Throws `ProjectionFailed`, `CursorMoved`, or what the database threw;
 * nothing is changed then.
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
      // All in one round trip, so nothing here waits for the statement before it.
      const moved = moveCursors(db, projections, from, to);
      const writes = changes.map(({ projection, change }) => blaming(projection, () => change.write(db)));
      await firstFailure([moved, ...writes]);
    },
    { synchronousCommit: 'off' },
  );
  for (const { change } of changes) change.committed();
  return stretch.position;
}

/** Waits for all, then throws what failed by itself rather than because an earlier statement had failed. */
async function firstFailure(statements: Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(statements)).flatMap((result) =>
    result.status === 'rejected' ? [asError(result.reason)] : [],
  );
  const cause = failures.find((error) => !isConsequence(error)) ?? failures[0];
  if (cause) throw cause;
}

const isConsequence = ({ cause }: Error): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === IN_FAILED_TRANSACTION;
/** SQLSTATE of every statement after the one that failed. */
const IN_FAILED_TRANSACTION = '25P02';

/** What is neither the database's absence nor another projector is the projection's own failure. */
async function blaming<T>(projection: TableProjection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isTransient(error) || error instanceof CursorMoved) throw error;
    throw new ProjectionFailed(projection, error);
  }
}
