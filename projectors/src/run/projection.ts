import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import type pg from 'pg';

/**
 * A table projection: a name, a version, its tables, and a fold that turns a batch of events into row changes. Cursors,
 * transactions and retries are the runner's business (`project.ts`).
 */
export type TableProjection = {
  readonly name: string;
  /** Version of the fold and of the tables' shape. A new version has tables of its own, beside the live ones. */
  readonly version: number;
  /** The physical tables, with their schema, that this projection alone writes. */
  readonly tables: readonly string[];
  /** The categories of streams whose events it folds. */
  readonly categories: readonly string[];
  /**
   * What happens at an event that cannot be folded: `park` records the event and goes on without it; `stop` halts this
   * projection, with an error in the log, until the event can be folded. Tables that must balance stop.
   */
  readonly onFailure: 'park' | 'stop';
  /**
   * Returns the row changes of a batch on top of the stored rows, which it reads from `db`. It can be repeated, since it
   * remembers nothing before `committed`.
   */
  fold(events: readonly Recorded<Event>[], db: Database): Promise<Change>;
  /** Drops all remembered rows: the stored ones may have changed. */
  forget(): void;
};

export type Change = {
  /** Writes the rows within the transaction that also moves the cursor. */
  write(db: Database): Promise<void>;
  /** Called after the commit: from now on the written rows may be remembered. */
  committed(): void;
};

export type Database = Pick<pg.ClientBase, 'query'>;

/** Makes a projection whose fold needs no stored row. */
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
