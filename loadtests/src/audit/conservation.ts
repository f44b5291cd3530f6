import { type AuditedAccount, add, holderOf } from './account.ts';
import type { Findings } from './findings.ts';

/** Checks that cash and shares of all books sum to zero, and that clearing is zero once everything is settled. */
export function conserve(accounts: Iterable<AuditedAccount>, isSettled: boolean, findings: Findings): void {
  let cashCents = 0;
  let clearingCents = 0;
  const shares = new Map<string, number>();
  const clearingShares = new Map<string, number>();
  for (const account of accounts) {
    const { elsewhere } = account;
    cashCents += account.cashCents + elsewhere.clearingCents + elsewhere.feesCents + elsewhere.outsideCents;
    clearingCents += elsewhere.clearingCents;
    for (const [symbol, holding] of account.holdings) add(shares, symbol, holding.shares);
    for (const [symbol, outside] of elsewhere.outsideShares) add(shares, symbol, outside);
    for (const [symbol, clearing] of elsewhere.clearingShares) {
      add(shares, symbol, clearing);
      add(clearingShares, symbol, clearing);
    }
    const holders = new Set(account.orders.map(holderOf));
    const heldCents = [...holders].reduce((sum, { holdCents }) => sum + holdCents, 0);
    findings.expect(
      heldCents === account.heldCents,
      'money',
      () => `account ${account.id} holds ${account.heldCents}, its orders hold ${heldCents}`,
    );
  }
  findings.expect(cashCents === 0, 'money', () => `all books together are ${cashCents} cents instead of 0`);
  for (const [symbol, sum] of shares) {
    findings.expect(sum === 0, 'money', () => `all books together have ${sum} ${symbol} instead of 0`);
  }
  if (!isSettled) return;
  findings.expect(clearingCents === 0, 'money', () => `clearing is ${clearingCents} cents instead of 0`);
  for (const [symbol, sum] of clearingShares) {
    findings.expect(
      sum === 0,
      'money',
      () => `clearing has ${sum} ${symbol} instead of 0: bought is not sold`,
    );
  }
}
