import { decimalFromCents, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import { type Page, pageOf, positionOfToken } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

type LedgerEntryView = z.infer<typeof views.LedgerEntryView>;
export type LedgerQuery = { accountId: string; before?: number | undefined; limit: number };

export const ledgerToken = (token: string): number | undefined => positionOfToken('ledger', token);

/** Journal entries, the newest first. */
export async function readLedger(tables: Rows, query: LedgerQuery): Promise<Page<LedgerEntryView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'ledger',
      select: `select position, event_id, account_id, kind, order_id, symbol, created_at,
        cash_available, cash_held, cash_clearing, cash_fees, cash_outside,
        shares_available, shares_held, shares_clearing, shares_outside from read.ledger`,
      conditions: [
        { name: 'account', sql: 'account_id = ?', value: query.accountId },
        { name: 'before', sql: 'position < ?', value: query.before },
      ],
      orderBy: 'position desc',
      limit: query.limit + 1,
    }),
  );
  return pageOf('ledger', query.limit, rows, ({ position }) => position, ledgerEntryView);
}

function ledgerEntryView(row: Row): LedgerEntryView {
  const cash = BOOKS.flatMap((book) => {
    const cents = safeInteger(row[`cash_${book}`]);
    return cents === 0 ? [] : [{ book, asset: 'USD', amount: decimalFromCents(cents) }];
  });
  const shares = SHARE_BOOKS.flatMap((book) => {
    const amount = row[`shares_${book}`];
    return amount === '0' ? [] : [{ book, asset: row.symbol ?? '', amount }];
  });
  return {
    id: row.event_id,
    account_id: row.account_id,
    kind: row.kind,
    order_id: row.order_id,
    symbol: row.symbol,
    postings: [...cash, ...shares],
    created_at: row.created_at.toISOString(),
  };
}

const BOOKS = ['available', 'held', 'clearing', 'fees', 'outside'] as const;
/** Fees are in cash only. */
const SHARE_BOOKS = ['available', 'held', 'clearing', 'outside'] as const;

/** As the driver gives it: whole numbers of 64 bits come as text. */
export type Row = {
  position: string;
  event_id: string;
  account_id: string;
  kind: string;
  order_id: string | null;
  symbol: string | null;
  created_at: Date;
} & Record<`cash_${(typeof BOOKS)[number]}` | `shares_${(typeof SHARE_BOOKS)[number]}`, string>;
