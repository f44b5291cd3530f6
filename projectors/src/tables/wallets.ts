import { type Event, keyOfStream } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { columns } from '../run/columns.ts';
import { journalOf } from '../run/journal.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/** Cash of each account, in cents; what is held for its open buy orders is part of it. */
export const wallets = () =>
  statelessProjection(
    { name: 'wallets', version: 1, tables: ['read.wallet_v1'], categories: ['account'], onFailure: 'park' },
    foldWallets,
    write,
  );

/** What a batch changes in one wallet: differences, so that the stored row need not be read. */
export type WalletChange = {
  accountId: string;
  clientId: string | null;
  cashCents: number;
  heldCents: number;
  /** Who has activated its kill switch, or an empty text for a release; absent: as it was. */
  killSwitch?: string;
};

/** One change for each wallet that the batch touches, by account id. */
export function foldWallets(events: readonly Recorded<Event>[]): WalletChange[] {
  const changes = new Map<string, WalletChange>();
  const changeOf = (accountId: string): WalletChange => {
    const change = changes.get(accountId) ?? { accountId, clientId: null, cashCents: 0, heldCents: 0 };
    changes.set(accountId, change);
    return change;
  };
  for (const { event, stream } of events) {
    if (event.type === 'AccountOpened.v1') changeOf(keyOfStream(stream)).clientId = event.data.clientId;
    if (event.type === 'KillSwitchActivated.v1') changeOf(keyOfStream(stream)).killSwitch = event.data.by;
    if (event.type === 'KillSwitchReleased.v1') changeOf(keyOfStream(stream)).killSwitch = '';
  }
  for (const entry of journalOf(events)) {
    if (entry.cashAvailable === 0 && entry.cashHeld === 0) continue;
    const change = changeOf(entry.accountId);
    change.cashCents += entry.cashAvailable + entry.cashHeld;
    change.heldCents += entry.cashHeld;
  }
  return [...changes.values()].sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
}

async function write(db: Database, rows: readonly WalletChange[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({
    name: 'wallets_upsert',
    text: `
      insert into read.wallet_v1 as w (account_id, client_id, cash_cents, held_cents)
      select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
      on conflict (account_id) do update set
        client_id = coalesce(excluded.client_id, w.client_id),
        cash_cents = w.cash_cents + excluded.cash_cents,
        held_cents = w.held_cents + excluded.held_cents`,
    values: columns(rows, [
      (row) => row.accountId,
      (row) => row.clientId,
      (row) => row.cashCents,
      (row) => row.heldCents,
    ]),
  });
  const switched = rows.filter(({ killSwitch }) => killSwitch !== undefined);
  if (switched.length === 0) return;
  await db.query({
    name: 'wallets_kill_switch',
    text: `
      update read.wallet_v1 w set kill_switch = nullif(u.kill_switch, '')
      from unnest($1::uuid[], $2::text[]) as u (account_id, kill_switch)
      where w.account_id = u.account_id`,
    values: columns(switched, [(row) => row.accountId, (row) => row.killSwitch ?? '']),
  });
}
