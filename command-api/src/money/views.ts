import { decimalFromCents } from '@brokerx/contracts';
import type { FactOf } from '../commands/facts.ts';

/** Answers about money and shares, built from the recorded fact alone. */
export const depositView = ({ data }: FactOf<'DepositRequested.v1'>, accountId: string) => ({
  id: data.depositId,
  account_id: accountId,
  amount: decimalFromCents(data.amountCents),
  status: 'pending' as const,
  reason: null,
});

export function transferView(
  fact: FactOf<'CashTransferredIn.v1' | 'SharesTransferredIn.v1'>,
  accountId: string,
) {
  const cash = fact.type === 'CashTransferredIn.v1';
  return {
    id: fact.data.transferId,
    account_id: accountId,
    amount: cash ? decimalFromCents(fact.data.amountCents) : null,
    symbol: cash ? null : fact.data.symbol,
    qty: cash ? null : String(fact.data.quantity),
  };
}
