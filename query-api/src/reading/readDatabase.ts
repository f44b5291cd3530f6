import {
  type Cursor,
  isTransient,
  openPool,
  type PastOf,
  pastOf,
  safeInteger,
  standing,
} from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { QueryConfig, QueryResultRow } from 'pg';

/** The PostgreSQL of the read model. The server itself refuses writes in these sessions. */
export type ReadDatabase = Rows & {
  /**
   * Runs one statement, and returns its rows together with the position of each projection in the same snapshot. A
   * position is null where the projection's tables are missing, or were made from another event store or another past of it.
   */
  queryAt<R extends QueryResultRow>(
    statement: QueryConfig,
    projections: readonly string[],
  ): Promise<{ rows: R[]; positions: (number | null)[] }>;
  close(): Promise<void>;
};

export type Rows = {
  /** Runs one statement; throws `ReadModelUnavailable` while the server or the tables are missing. */
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<R[]>;
};

/** The server is away, or the projectors have not made its tables yet: a later try may succeed. */
export class ReadModelUnavailable extends Error {
  override name = 'ReadModelUnavailable';
}

/** Every query is one statement that an index serves, so a few connections answer many requests. */
const CONNECTIONS_MAX = 8;
/** Milliseconds; the query of a page takes about one. */
const QUERY_TIMEOUT_MS = 5_000;

export function openReadDatabase(options: {
  databaseUrl: string;
  /** The event store that the tables must be made from. */
  store: PastOf;
  log: Log;
}): ReadDatabase {
  const past = pastOf(options.store);
  const checks = new Map<string, ReturnType<typeof standing>>();
  const isOfThisStore = (projection: string, cursor: Cursor | null) => {
    const check = checks.get(projection) ?? standing(past.stands);
    checks.set(projection, check);
    return check(cursor);
  };
  const pool = openPool({
    ...options,
    max: CONNECTIONS_MAX,
    applicationName: 'brokerx query',
    statementTimeoutMs: QUERY_TIMEOUT_MS,
    settings: { default_transaction_read_only: 'on' },
  });
  const query = async <R extends QueryResultRow>(statement: QueryConfig): Promise<R[]> => {
    try {
      const { rows } = await pool.query<R>(statement);
      return rows;
    } catch (error) {
      if (isTransient(error) || isMissing(error)) {
        throw new ReadModelUnavailable('the read model does not answer', { cause: error });
      }
      throw error;
    }
  };
  return {
    query,
    async queryAt<R extends QueryResultRow>(statement: QueryConfig, projections: readonly string[]) {
      const rows = await query<R & WithCursors>(withCursors(statement, projections));
      const places = rows[0]?.reflected_places ?? [];
      const positions = places.map(async (place, i) => {
        const cursor = place === null ? null : cursorOf(place);
        return (await isOfThisStore(projections[i] ?? '', cursor)) && cursor ? cursor.position : null;
      });
      return { rows: rows.filter(({ is_row }) => is_row), positions: await Promise.all(positions) };
    },
    close: () => pool.end(),
  };
}

/**
 * Extends a statement by the projections' cursors, since one statement reads one snapshot. Each row has them; a result without
 * rows has them in one row of their own.
 */
function withCursors({ name, text, values = [] }: QueryConfig, projections: readonly string[]): QueryConfig {
  const names = `$${values.length + 1}`;
  return {
    name: `${name}_at`,
    text: `
      select c.reflected_places, r.*
        from (select array_agg(p.store_id || ':' || p.position || ':' || coalesce(p.landmark_position::text, '') || ':'
                               || coalesce(p.landmark_commit::text, '') order by s.place) as reflected_places
                from unnest(${names}::text[]) with ordinality as s (name, place)
                left join read.projection p on p.name = s.name and p.status = 'live') c
        left join (select true as is_row, q.* from (${text}) q) r on true`,
    values: [...values, projections],
  };
}
type WithCursors = { reflected_places: (string | null)[] | null; is_row: boolean | null };

/** Parses `<store>:<position>:<landmark's position>:<landmark's commit>`; the last two are empty without a landmark. */
function cursorOf(place: string): Cursor {
  const [storeId = '', position = '', at = '', commitId = ''] = place.split(':');
  const landmark = commitId === '' ? {} : { landmark: { position: safeInteger(at), commitId } };
  return { storeId, position: safeInteger(position), ...landmark };
}

/** PostgreSQL's codes for a missing table or schema: the projectors have not made it yet. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
