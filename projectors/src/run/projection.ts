import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import type pg from 'pg';

/**
 * A table projection: a name, a version, its tables, and a fold of a batch of events to row changes. It knows
 * nothing of cursors, transactions and retries: those are the runner's (`project.ts`).
 */
export type TableProjection = {
  readonly name: string;
  /** Version of the fold and of the tables' shape; both change together, beside the live ones. */
  readonly version: number;
  /** Physical tables that it alone writes, schema included. */
  readonly tables: readonly string[];
  /** Categories of streams that it folds. */
  readonly categories: readonly string[];
  /**
   * What happens to an event that cannot be folded: `park` notes it and goes on without it; `stop` halts this
   * projection, loudly, until it can be folded. What must balance never goes on without an event.
   */
  readonly onFailure: 'park' | 'stop';
  /**
   * The row changes of a batch on top of what is stored. Repeatable: it keeps nothing until `committed`. `db` is
   * for reading rows that the batch changes.
   */
  fold(events: readonly Recorded<Event>[], db: Database): Promise<Change>;
  /** Drops whatever is remembered of stored rows: the stored ones may be others now. */
  forget(): void;
};

export type Change = {
  /** Writes the rows within the transaction that also moves the cursor. */
  write(db: Database): Promise<void>;
  /** The transaction was committed: what was written may be remembered. */
  committed(): void;
};

export type Database = Pick<pg.ClientBase, 'query'>;

/** A projection whose fold needs no stored row. */
export function statelessProjection<Rows>(
  about: Pick<TableProjection, 'name' | 'version' | 'tables' | 'categories' | 'onFailure'>,
  fold: (events: readonly Recorded<Event>[]) => Rows,
  write: (db: Database, rows: Rows) => Promise<void>,
): TableProjection {
  return {
    ...about,
    async fold(events) {
      const rows = fold(events);
      return { write: (db) => write(db, rows), committed: () => undefined };
    },
    forget: () => undefined,
  };
}

/** Key of a projection in leases, metrics and notifications: `wallets:1`. */
export const keyOf = ({ name, version }: { name: string; version: number }): string => `${name}:${version}`;
