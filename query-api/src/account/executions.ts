import { decimalFromCents, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import type { z } from 'zod';
import { type Page, pageOf, positionOfToken } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

type ExecutionView = z.infer<typeof views.ExecutionView>;
export type ExecutionsQuery = {
  accountId: string;
  symbol?: string | undefined;
  orderId?: string | undefined;
  before?: number | undefined;
  limit: number;
};

export const executionsToken = (token: string): number | undefined => positionOfToken('executions', token);

/** Fills, the newest first. */
export async function readExecutions(tables: Rows, query: ExecutionsQuery): Promise<Page<ExecutionView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'executions',
      select: `select position, account_id, order_id, symbol, side, liquidity, trade_id, price_cents, quantity,
        value_cents, fee_cents, sequence, executed_at from read.execution`,
      conditions: [
        { name: 'account', sql: 'account_id = ?', value: query.accountId },
        { name: 'symbol', sql: 'symbol = ?', value: query.symbol },
        { name: 'order', sql: 'order_id = ?', value: query.orderId },
        { name: 'before', sql: 'position < ?::bigint', value: query.before },
      ],
      orderBy: 'position desc',
      limit: query.limit + 1,
    }),
  );
  return pageOf('executions', query.limit, rows, ({ position }) => position, executionView);
}

/** Its id is the trade's and the side's: an account may stand on both sides of one trade. */
function executionView(row: Row): ExecutionView {
  return {
    id: `${row.trade_id}-${row.side}`,
    account_id: row.account_id,
    order_id: row.order_id,
    symbol: row.symbol,
    side: row.side,
    liquidity: row.liquidity,
    price: decimalFromCents(safeInteger(row.price_cents)),
    qty: row.quantity,
    value: decimalFromCents(safeInteger(row.value_cents)),
    fee: decimalFromCents(safeInteger(row.fee_cents)),
    sequence: safeInteger(row.sequence),
    executed_at: row.executed_at.toISOString(),
  };
}

type Row = {
  position: string;
  account_id: string;
  order_id: string;
  symbol: string;
  side: ExecutionView['side'];
  liquidity: ExecutionView['liquidity'];
  trade_id: string;
  price_cents: string;
  quantity: string;
  value_cents: string;
  fee_cents: string;
  sequence: string;
  executed_at: Date;
};
