import {
  type AccountFact,
  CASH_CENTS_MAX,
  centsFromDecimal,
  decimalFromCents,
  HOLDING_SHARES_MAX,
  sharesFromDecimal,
} from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { raise, refused } from '../refusal.ts';

/**
 * Decisions about money, shares and exemptions of an account: from state and command to the fact that is recorded,
 * a refusal being one too. Orders have a file of their own (`placeOrder.ts`). Amounts arrive as the decimal
 * strings of the API, checked for form already; ids and times arrive with the command.
 */

/** What a client may hold or have on its way into the wallet by deposits; an operator's transfers are exempt. */
export const WALLET_CENTS_MAX = 1_000_000;
/** Deposits that the payment service has not answered, so that a client cannot fill an account with tiny ones. */
export const DEPOSITS_PENDING_MAX = 100;

export function openAccount(account: Account, ids: { accountId: string; clientId: string }): AccountFact[] {
  return account.status === 'open' ? [] : [{ type: 'AccountOpened.v1', data: ids }];
}

export function requestDeposit(
  account: Account,
  command: { depositId: string; amount: string },
): AccountFact {
  const amountCents = amountOf(command.amount);
  const total = account.cashCents + account.depositsPendingCents + amountCents;
  if (total > WALLET_CENTS_MAX) {
    return refused('Deposit', command.depositId, {
      code: 'WALLET_LIMIT',
      detail: `cash and pending deposits would be ${decimalFromCents(total)}; the most is ${decimalFromCents(WALLET_CENTS_MAX)}`,
    });
  }
  if (account.depositsPending.size >= DEPOSITS_PENDING_MAX) {
    return refused('Deposit', command.depositId, {
      code: 'WALLET_LIMIT',
      detail: `${account.depositsPending.size} deposits are pending; the most is ${DEPOSITS_PENDING_MAX}`,
    });
  }
  return { type: 'DepositRequested.v1', data: { depositId: command.depositId, amountCents } };
}

/** Nothing when the deposit has ended already: the payment service may answer more than once. */
export function settleDeposit(account: Account, depositId: string): AccountFact[] {
  const amountCents = account.depositsPending.get(depositId);
  return amountCents === undefined ? [] : [{ type: 'DepositSettled.v1', data: { depositId, amountCents } }];
}

export function rejectDeposit(account: Account, depositId: string, reason: string): AccountFact[] {
  const amountCents = account.depositsPending.get(depositId);
  return amountCents === undefined
    ? []
    : [{ type: 'DepositRejected.v1', data: { depositId, amountCents, reason } }];
}

export function transferCash(account: Account, command: { transferId: string; amount: string }): AccountFact {
  const amountCents = amountOf(command.amount);
  const total = account.cashCents + account.depositsPendingCents + amountCents;
  if (total > CASH_CENTS_MAX) {
    return refused('TransferCash', command.transferId, {
      code: 'BALANCE_LIMIT',
      detail: `the cash would be ${decimalFromCents(total)}; the most is ${decimalFromCents(CASH_CENTS_MAX)}`,
    });
  }
  return { type: 'CashTransferredIn.v1', data: { transferId: command.transferId, amountCents } };
}

/** `listed`: whether the symbol is known. */
export function transferShares(
  account: Account,
  command: { transferId: string; symbol: string; qty: string; listed: boolean },
): AccountFact {
  const { transferId, symbol } = command;
  const quantity = sharesFromDecimal(command.qty) ?? raise('shares are checked for form before');
  if (!command.listed) {
    return refused('TransferShares', transferId, { code: 'UNKNOWN_SYMBOL', detail: `symbol ${symbol}` });
  }
  const total = (account.holdings.get(symbol)?.shares ?? 0) + quantity;
  if (total > HOLDING_SHARES_MAX) {
    return refused('TransferShares', transferId, {
      code: 'BALANCE_LIMIT',
      detail: `the holding would be ${total} shares; the most is ${HOLDING_SHARES_MAX}`,
    });
  }
  return { type: 'SharesTransferredIn.v1', data: { transferId, symbol, quantity } };
}

export function setExemptions(command: { bands_off: boolean; quotas_off: boolean }): AccountFact {
  return {
    type: 'AccountExemptionsChanged.v1',
    data: { bandsOff: command.bands_off, quotasOff: command.quotas_off },
  };
}

const amountOf = (amount: string): number =>
  centsFromDecimal(amount) ?? raise('amounts are checked for form before');
