import { decimalFromCents, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { AuditedAccount } from '../account.ts';
import type { AuditedFill } from '../fill.ts';
import type { Comparison } from './postings.ts';

type Execution = z.infer<typeof views.ExecutionView>;

/** Compares an account's executions, shown newest first, with its fills: each fill must be shown once, with its values. */
export async function compareExecutions(
  account: AuditedAccount,
  shown: AsyncIterable<Execution> | Iterable<Execution>,
): Promise<Comparison> {
  const differences: string[] = [];
  const ahead: string[] = [];
  const fills = new Map(account.fills.map((fill) => [fill.id, fill]));
  const unseen = new Set(fills.keys());
  const newest = account.fills.at(-1)?.id;
  // Executions before the newest known fill are of events that were not read yet.
  let isKnown = newest === undefined;
  for await (const execution of shown) {
    isKnown ||= execution.id === newest;
    const fill = fills.get(execution.id);
    if (!fill) {
      if (isKnown) differences.push(`execution ${execution.id} of ${account.id} is shown and never happened`);
      else ahead.push(execution.id);
      continue;
    }
    if (!unseen.delete(execution.id)) {
      differences.push(`execution ${execution.id} of ${account.id} is shown twice`);
      continue;
    }
    for (const [field, expected] of Object.entries(viewOf(account, fill))) {
      const value = execution[field as keyof Execution];
      if (value !== expected) {
        differences.push(
          `execution ${execution.id} of ${account.id} ${field}: shown ${String(value)}, should be ${expected}`,
        );
      }
    }
  }
  for (const id of unseen) differences.push(`execution ${id} of ${account.id} is not shown`);
  return { differences, ahead };
}

const viewOf = (account: AuditedAccount, fill: AuditedFill): Execution => ({
  id: fill.id,
  account_id: account.id,
  order_id: fill.orderId,
  symbol: fill.symbol,
  side: fill.side,
  liquidity: fill.liquidity,
  price: decimalFromCents(fill.priceCents),
  qty: String(fill.quantity),
  value: decimalFromCents(fill.valueCents),
  fee: decimalFromCents(fill.feeCents),
  sequence: fill.sequence,
  executed_at: fill.tradedAt,
});
