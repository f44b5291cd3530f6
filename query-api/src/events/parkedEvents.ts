import type { views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import { keyOfToken, type Page, pageOf } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

/** The place of a parked event, from a page token: its position, its projection, and that projection's version. */
export function parkedEventsToken(token: string): string | undefined {
  const key = keyOfToken('parked', token);
  return key !== undefined && PLACE.test(key) ? key : undefined;
}
const PLACE = /^\d{1,15}\.[a-z-]{1,50}\.\d{1,9}$/;

/** Events that projections could not fold, in the order of the store. */
export async function readParkedEvents(
  tables: Rows,
  query: { after?: string | undefined; limit: number },
): Promise<Page<views.ParkedEventView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'parked',
      select: 'select position, projection, version, event_id, error, at from read.parked',
      conditions: [
        {
          name: 'after',
          sql: `(position, projection, version) >
            (split_part(?, '.', 1)::bigint, split_part(?, '.', 2), split_part(?, '.', 3)::integer)`,
          value: query.after,
        },
      ],
      orderBy: 'position, projection, version',
      limit: query.limit + 1,
    }),
  );
  return pageOf('parked', query.limit, rows, placeOf, parkedEventView);
}

const placeOf = ({ position, projection, version }: Row): string => `${position}.${projection}.${version}`;

const parkedEventView = (row: Row): views.ParkedEventView => ({
  projection: row.projection,
  version: row.version,
  position: safeInteger(row.position),
  event_id: row.event_id,
  error: row.error,
  at: row.at.toISOString(),
});

type Row = {
  position: string;
  projection: string;
  version: number;
  event_id: string;
  error: string;
  at: Date;
};
