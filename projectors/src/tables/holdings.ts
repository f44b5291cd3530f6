import type { Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { columns } from '../run/columns.ts';
import { journalOf } from '../run/journal.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/** Shares of each account by symbol; what is held for its open sell orders is part of them. */
export const holdings = () =>
  statelessProjection(
    { name: 'holdings', version: 1, tables: ['read.holding_v1'], categories: ['account'], onFailure: 'park' },
    foldHoldings,
    write,
  );

/** What a batch changes in one holding: differences, so that the stored row need not be read. */
export type HoldingChange = { accountId: string; symbol: string; shares: number; heldShares: number };

/** One change for each holding that the batch touches, by account id and symbol; a holding of 0 keeps its row. */
export function foldHoldings(events: readonly Recorded<Event>[]): HoldingChange[] {
  const changes = new Map<string, HoldingChange>();
  for (const entry of journalOf(events)) {
    if (entry.symbol === null || (entry.sharesAvailable === 0 && entry.sharesHeld === 0)) continue;
    const { accountId, symbol } = entry;
    const key = `${accountId} ${symbol}`;
    const change = changes.get(key) ?? { accountId, symbol, shares: 0, heldShares: 0 };
    changes.set(key, change);
    change.shares += entry.sharesAvailable + entry.sharesHeld;
    change.heldShares += entry.sharesHeld;
  }
  return [...changes.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}

async function write(db: Database, rows: readonly HoldingChange[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({
    name: 'holdings_upsert',
    text: `
      insert into read.holding_v1 as h
      select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
      on conflict (account_id, symbol) do update set
        shares = h.shares + excluded.shares,
        held_shares = h.held_shares + excluded.held_shares`,
    values: columns(rows, [
      (row) => row.accountId,
      (row) => row.symbol,
      (row) => row.shares,
      (row) => row.heldShares,
    ]),
  });
}
