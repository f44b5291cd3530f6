import { decimalFromCents, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import type { Rows } from '../reading/readDatabase.ts';

type WalletView = z.infer<typeof views.WalletView>;

/** The account's cash; undefined where the read model has no such account. */
export async function readWallet(tables: Rows, accountId: string): Promise<WalletView | undefined> {
  const [row] = await tables.query<Row>({ name: 'wallet', text: WALLET, values: [accountId] });
  return (
    row && walletView(accountId, safeInteger(row.cash_cents), safeInteger(row.held_cents), row.kill_switch)
  );
}

export const walletView = (
  accountId: string,
  cashCents: number,
  heldCents: number,
  killSwitch: WalletView['kill_switch'] = null,
): WalletView => ({
  account_id: accountId,
  cash: decimalFromCents(cashCents),
  held: decimalFromCents(heldCents),
  available: decimalFromCents(cashCents - heldCents),
  kill_switch: killSwitch,
});

const WALLET = 'select cash_cents, held_cents, kill_switch from read.wallet where account_id = $1';
type Row = { cash_cents: string; held_cents: string; kill_switch: WalletView['kill_switch'] };
