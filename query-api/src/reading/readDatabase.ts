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

/** The read model's PostgreSQL, for reading only: the server itself refuses a write in these sessions. */
export type ReadDatabase = Rows & {
  /**
   * Rows of one statement, and where each of these projections stood in the very snapshot that the rows are of; null
   * where its tables are not there or were made from another event store, or from another past of it.
   */
  queryAt<R extends QueryResultRow>(
    statement: QueryConfig,
    projections: readonly string[],
  ): Promise<{ rows: R[]; positions: (number | null)[] }>;
  close(): Promise<void>;
};

export type Rows = {
  /** Rows of one statement; throws `ReadModelUnavailable` when the server or the tables are not there now. */
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<R[]>;
};

/** The server is away, or its tables have not been made yet: asking again later may help. */
export class ReadModelUnavailable extends Error {
  override name = 'ReadModelUnavailable';
}

/** Every query is one statement served by an index, so few connections answer many requests. */
const CONNECTIONS_MAX = 8;
/** Milliseconds; a query of a page takes about one. */
const QUERY_TIMEOUT_MS = 5_000;

export function openReadDatabase(options: {
  databaseUrl: string;
  /** The event store that the tables have to be made from. */
  store: PastOf;
  log: Log;
}): ReadDatabase {
  const past = pastOf(options.store);
  const ours = new Map<string, ReturnType<typeof standing>>();
  const isOurs = (projection: string, cursor: Cursor | null) => {
    const stands = ours.get(projection) ?? standing(past.stands);
    ours.set(projection, stands);
    return stands(cursor);
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
      const found = await query<R & Reflected>(reflecting(statement, projections));
      const places = found[0]?.reflected_places ?? [];
      const positions = places.map(async (place, i) => {
        const cursor = place === null ? null : cursorOf(place);
        return (await isOurs(projections[i] ?? '', cursor)) && cursor ? cursor.position : null;
      });
      return { rows: found.filter(({ is_row }) => is_row), positions: await Promise.all(positions) };
    },
    close: () => pool.end(),
  };
}

/** The statement with the cursors beside each of its rows, or beside none: one statement is one snapshot. */
function reflecting({ name, text, values = [] }: QueryConfig, projections: readonly string[]): QueryConfig {
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
type Reflected = { reflected_places: (string | null)[] | null; is_row: boolean | null };

/** `<store>:<position>:<landmark's position>:<its commit>`, the last two empty where there is none. */
function cursorOf(place: string): Cursor {
  const [storeId = '', position = '', at = '', commitId = ''] = place.split(':');
  const landmark = commitId === '' ? {} : { landmark: { position: safeInteger(at), commitId } };
  return { storeId, position: safeInteger(position), ...landmark };
}

/** The projectors have not made their schema or tables yet. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
