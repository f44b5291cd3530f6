import { keyOfStream } from '@brokerx/contracts';
import {
  type AuditedAccount,
  add,
  bookedWhere,
  emptyAccount,
  heldEnough,
  hold,
  holdingOf,
  lower,
  solvent,
} from './account.ts';
import type { Findings } from './findings.ts';
import { orderFrom } from './order.ts';
import { noteOutput, type Owed, unsettled } from './owed.ts';
import { placeList } from './placedList.ts';
import type { RawEvent, RawEventOf } from './rawEvent.ts';
import { orderOf, settle } from './settle.ts';

/** All accounts together, and what the books have said that they have not settled yet. */
type Ledger = Owed & {
  readonly accounts: Map<string, AuditedAccount>;
  /** Orders that were refused before they reached an engine: code by id. */
  readonly refused: Map<string, { accountId: string; code: string }>;
  readonly transfers: Set<string>;
  /** Deposits ever asked for, to know a second decision from one that nobody asked for. */
  readonly deposits: Set<string>;
};

export function accountLedger(findings: Findings) {
  const ledger: Ledger = {
    findings,
    orders: new Map(),
    outputs: new Map(),
    accounts: new Map(),
    refused: new Map(),
    transfers: new Set(),
    deposits: new Set(),
  };
  const { accounts, orders, refused } = ledger;
  return {
    accounts,
    orders,
    refused,
    accountEvent: (event: RawEvent): void => takeEvent(ledger, accountOf(ledger, event), event),
    bookOutput: (event: RawEvent, symbol: string): void => noteOutput(ledger, event, symbol),
    unanswered(upTo: number): { settlements: number; deposits: number } {
      let deposits = 0;
      for (const account of accounts.values()) deposits += account.deposits.size;
      return { settlements: unsettled(ledger, upTo), deposits };
    },
  };
}

function accountOf({ accounts, findings }: Ledger, event: RawEvent): AuditedAccount {
  const id = keyOfStream(event.stream);
  const account = accounts.get(id);
  if (account) return account;
  findings.expect(event.type === 'AccountOpened.v1', 'lost', () => `account ${id} was never opened`);
  const opened = emptyAccount(id);
  accounts.set(id, opened);
  return opened;
}

function takeEvent(ledger: Ledger, account: AuditedAccount, event: RawEvent): void {
  switch (event.type) {
    case 'DepositRequested.v1':
      ledger.deposits.add(event.data.depositId);
      account.deposits.set(event.data.depositId, event.data.amountCents);
      return;
    case 'DepositSettled.v1':
      if (decideDeposit(ledger, account, event)) bringIn(account, event);
      return;
    case 'DepositRejected.v1':
      decideDeposit(ledger, account, event);
      return;
    case 'CashTransferredIn.v1':
      if (transferOnce(ledger, event.data.transferId)) bringIn(account, event);
      return;
    case 'SharesTransferredIn.v1':
      if (transferOnce(ledger, event.data.transferId)) bringSharesIn(account, event);
      return;
    case 'OrderPlaced.v1':
      return placeOrder(ledger, account, event);
    case 'OrderListPlaced.v1':
      placeList(account, event.data, ledger.orders, ledger.findings);
      bookedWhere(account, event, event.data.holdCents, event.data.holdShares);
      return solvent(account, event.data.symbol, ledger.findings);
    case 'KillSwitchActivated.v1':
    case 'KillSwitchReleased.v1':
      account.killed = event.type === 'KillSwitchActivated.v1';
      return;
    case 'OrderRefused.v1':
      ledger.refused.set(event.data.orderId, { accountId: account.id, code: event.data.code });
      return;
    case 'OrderCancelRequested.v1': {
      const order = orderOf(ledger, account, event);
      if (order) order.cancelRequested = true;
      return;
    }
    case 'OrderAmendRequested.v1':
      return askAmendment(ledger, account, event);
    case 'OrderFilled.v1':
    case 'OrderAmended.v1':
    case 'OrderAmendRejected.v1':
    case 'OrderArmed.v1':
    case 'OrderDecremented.v1':
    case 'OrderClosed.v1':
      return settle(ledger, account, event);
    default:
      return;
  }
}

/** Whether the deposit was asked for, and had no decision yet. */
function decideDeposit(
  { deposits, findings }: Ledger,
  account: AuditedAccount,
  { data }: RawEventOf<'DepositSettled.v1' | 'DepositRejected.v1'>,
): boolean {
  const { depositId: id, amountCents } = data;
  const requestedCents = account.deposits.get(id);
  if (requestedCents === undefined) {
    findings.add(
      deposits.has(id) ? 'duplicate' : 'phantom',
      `deposit ${id} is decided ${deposits.has(id) ? 'again' : 'unasked'}`,
    );
    return false;
  }
  findings.expect(
    requestedCents === amountCents,
    'money',
    () => `deposit ${id} of ${requestedCents} became ${amountCents}`,
  );
  account.deposits.delete(id);
  return true;
}

function transferOnce({ transfers, findings }: Ledger, id: string): boolean {
  if (transfers.has(id)) findings.add('duplicate', `transfer ${id} is booked again`);
  return transfers.has(id) ? false : (transfers.add(id), true);
}

function bringIn(
  account: AuditedAccount,
  event: RawEventOf<'DepositSettled.v1' | 'CashTransferredIn.v1'>,
): void {
  const { amountCents } = event.data;
  account.cashCents += amountCents;
  account.elsewhere.outsideCents -= amountCents;
  bookedWhere(account, event, amountCents, 0);
}

function bringSharesIn(account: AuditedAccount, event: RawEventOf<'SharesTransferredIn.v1'>): void {
  const { symbol, quantity } = event.data;
  holdingOf(account, symbol).shares += quantity;
  add(account.elsewhere.outsideShares, symbol, -quantity);
  bookedWhere(account, event, 0, quantity);
}

function placeOrder(
  { orders, findings }: Ledger,
  account: AuditedAccount,
  event: RawEventOf<'OrderPlaced.v1'>,
): void {
  if (orders.has(event.data.orderId))
    return findings.add('duplicate', `order ${event.data.orderId} is placed again`);
  findings.expect(!account.killed, 'mismatch', () => `${account.id} placed an order while it was killed`);
  const order = orderFrom(event.data);
  orders.set(order.id, order);
  account.orders.push(order);
  hold(account, order, findings);
  bookedWhere(account, event, order.holdCents, order.holdShares);
  solvent(account, order.symbol, findings);
}

function askAmendment(
  ledger: Ledger,
  account: AuditedAccount,
  event: RawEventOf<'OrderAmendRequested.v1'>,
): void {
  const order = orderOf(ledger, account, event);
  if (!order) return;
  const { amendment, quantity, limitTicks = order.limitTicks, bandExempt } = event.data;
  order.amendmentAsked = amendment;
  order.asksExemption = bandExempt === true;
  order.pendingAmendment = { quantity, limitTicks };
  const { holdCents = 0, holdShares = 0 } = event.data;
  lower(account, order, -holdCents, -holdShares);
  bookedWhere(account, event, holdCents, holdShares);
  heldEnough(order, ledger.findings);
  solvent(account, order.symbol, ledger.findings);
}
