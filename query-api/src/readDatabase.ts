import { isTransient, openPool } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/log.ts';
import type { QueryConfig, QueryResultRow } from 'pg';

/** The read model's PostgreSQL, for reading only: the server itself refuses a write in these sessions. */
export type ReadDatabase = {
  /** Rows of one statement; throws `ReadModelUnavailable` when the server or the tables are not there now. */
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<R[]>;
  close(): Promise<void>;
};

/** The server is away, or its tables have not been made yet: asking again later may help. */
export class ReadModelUnavailable extends Error {
  override name = 'ReadModelUnavailable';
}

/** Every query is one statement served by an index, so few connections answer many requests. */
const CONNECTIONS_MAX = 8;
/** Milliseconds; a query of a page takes about one. */
const QUERY_TIMEOUT_MS = 5_000;

export function openReadDatabase(options: { databaseUrl: string; log: Log }): ReadDatabase {
  const pool = openPool({
    ...options,
    max: CONNECTIONS_MAX,
    applicationName: 'brokerx query',
    statementTimeoutMs: QUERY_TIMEOUT_MS,
    settings: { default_transaction_read_only: 'on' },
  });
  return {
    async query<R extends QueryResultRow>(statement: QueryConfig): Promise<R[]> {
      try {
        const { rows } = await pool.query<R>(statement);
        return rows;
      } catch (error) {
        if (isTransient(error) || isMissing(error)) {
          throw new ReadModelUnavailable('the read model does not answer', { cause: error });
        }
        throw error;
      }
    },
    close: () => pool.end(),
  };
}

/** The projectors have not made their schema or tables yet. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
