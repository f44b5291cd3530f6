import type { views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import { type Page, pageOf, symbolOfToken } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

type HoldingView = z.infer<typeof views.HoldingView>;
export type HoldingsQuery = {
  accountId: string;
  symbol?: string | undefined;
  after?: string | undefined;
  limit: number;
};

export const holdingsToken = (token: string): string | undefined => symbolOfToken('holdings', token);

/** Shares by symbol; a symbol of which nothing is left is not listed. */
export async function readHoldings(tables: Rows, query: HoldingsQuery): Promise<Page<HoldingView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'holdings',
      select: 'select symbol, shares, held_shares from read.holding',
      conditions: [
        { name: 'account', sql: 'account_id = ? and shares <> 0', value: query.accountId },
        { name: 'symbol', sql: 'symbol = ?', value: query.symbol },
        { name: 'after', sql: 'symbol > ?', value: query.after },
      ],
      orderBy: 'symbol',
      limit: query.limit + 1,
    }),
  );
  return pageOf('holdings', query.limit, rows, ({ symbol }) => symbol, holdingView);
}

function holdingView({ symbol, shares, held_shares }: Row): HoldingView {
  return {
    symbol,
    qty: shares,
    held: held_shares,
    available: String(safeInteger(shares) - safeInteger(held_shares)),
  };
}

type Row = { symbol: string; shares: string; held_shares: string };
