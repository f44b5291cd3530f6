import { columns } from '../run/columns.ts';
import { type JournalEntry, journalOf } from '../run/journal.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/** The journal: one row for each account event that moves cash or shares. It never goes on without an event. */
export const ledger = () =>
  statelessProjection(
    { name: 'ledger', version: 1, tables: ['read.ledger_v1'], categories: ['account'], onFailure: 'stop' },
    journalOf,
    write,
  );

async function write(db: Database, rows: readonly JournalEntry[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({
    name: 'ledger_insert',
    text: `
      insert into read.ledger_v1
      select * from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[],
                           $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                           $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[])`,
    values: columns(rows, [
      (row) => row.position,
      (row) => row.eventId,
      (row) => row.accountId,
      (row) => row.kind,
      (row) => row.orderId,
      (row) => row.symbol,
      (row) => row.cashAvailable,
      (row) => row.cashHeld,
      (row) => row.cashClearing,
      (row) => row.cashFees,
      (row) => row.cashOutside,
      (row) => row.sharesAvailable,
      (row) => row.sharesHeld,
      (row) => row.sharesClearing,
      (row) => row.sharesOutside,
      (row) => row.time,
    ]),
  });
}
