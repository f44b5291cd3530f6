import { type AuditedAccount, add } from './account.ts';
import type { Findings } from './findings.ts';

/** Everything that came in is somewhere; the clearing accounts are zero once all is settled. */
export function conserve(accounts: Iterable<AuditedAccount>, settled: boolean, found: Findings): void {
  let cash = 0;
  let clearingCents = 0;
  const shares = new Map<string, number>();
  const clearingShares = new Map<string, number>();
  for (const account of accounts) {
    const { elsewhere } = account;
    cash += account.cashCents + elsewhere.clearingCents + elsewhere.feesCents + elsewhere.outsideCents;
    clearingCents += elsewhere.clearingCents;
    for (const [symbol, holding] of account.holdings) add(shares, symbol, holding.shares);
    for (const [symbol, outside] of elsewhere.outsideShares) add(shares, symbol, outside);
    for (const [symbol, clearing] of elsewhere.clearingShares) {
      add(shares, symbol, clearing);
      add(clearingShares, symbol, clearing);
    }
    const holders = new Set(account.orders.map((order) => order.list ?? order));
    const held = [...holders].reduce((sum, { holdCents }) => sum + holdCents, 0);
    found.expect(
      held === account.heldCents,
      'money',
      () => `account ${account.id} holds ${account.heldCents}, its orders hold ${held}`,
    );
  }
  found.expect(cash === 0, 'money', () => `all books together are ${cash} cents instead of 0`);
  for (const [symbol, sum] of shares) {
    found.expect(sum === 0, 'money', () => `all books together have ${sum} ${symbol} instead of 0`);
  }
  if (!settled) return;
  found.expect(clearingCents === 0, 'money', () => `clearing is ${clearingCents} cents instead of 0`);
  for (const [symbol, sum] of clearingShares) {
    found.expect(sum === 0, 'money', () => `clearing has ${sum} ${symbol} instead of 0: bought is not sold`);
  }
}
