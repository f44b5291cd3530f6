import { type Event, keyOfStream } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { columns } from '../run/columns.ts';
import { type Database, statelessProjection } from '../run/projection.ts';

/** The table of executions: one row for each settled leg of a trade. */
export const executions = () =>
  statelessProjection(
    {
      name: 'executions',
      version: 1,
      tables: ['read.execution_v1'],
      categories: ['account'],
      onFailure: 'park',
    },
    foldExecutions,
    write,
  );

export type Execution = {
  /** Position of the settlement event. */
  position: number;
  accountId: string;
  orderId: string;
  symbol: string;
  side: string;
  liquidity: string;
  tradeId: string;
  priceCents: number;
  quantity: number;
  valueCents: number;
  feeCents: number;
  /** Revision of the trade in its book. */
  sequence: number;
  executedAt: string;
};

export function foldExecutions(events: readonly Recorded<Event>[]): Execution[] {
  return events.flatMap(({ event, stream, position }) => {
    if (event.type !== 'OrderFilled.v1') return [];
    const fill = event.data;
    return {
      position,
      accountId: keyOfStream(stream),
      orderId: fill.orderId,
      symbol: fill.symbol,
      side: fill.side,
      liquidity: fill.liquidity,
      tradeId: fill.tradeId,
      priceCents: fill.priceTicks * fill.tickCents,
      quantity: fill.quantity,
      valueCents: fill.valueCents,
      feeCents: fill.feeCents,
      sequence: fill.sequence,
      executedAt: fill.tradedAt,
    };
  });
}

async function write(db: Database, rows: readonly Execution[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({
    name: 'executions_insert',
    text: `
      insert into read.execution_v1
      select * from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                           $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                           $13::timestamptz[])`,
    values: columns(rows, [
      (row) => row.position,
      (row) => row.accountId,
      (row) => row.orderId,
      (row) => row.symbol,
      (row) => row.side,
      (row) => row.liquidity,
      (row) => row.tradeId,
      (row) => row.priceCents,
      (row) => row.quantity,
      (row) => row.valueCents,
      (row) => row.feeCents,
      (row) => row.sequence,
      (row) => row.executedAt,
    ]),
  });
}
