import { centsFromDecimal, sharesFromDecimal, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { AuditedAccount } from '../account.ts';

type Entry = z.infer<typeof views.LedgerEntryView>;

/** The result of comparing a list: the differences, and the ids of rows whose events were not read yet. */
export type Comparison = { differences: string[]; ahead: string[] };

/**
 * Compares the ledger of an account, shown newest entry first, with the audited account. Every entry must balance, there
 * must be as many as there were bookings, and the postings of each book must sum to its audited balance.
 */
export async function compareLedger(
  account: AuditedAccount,
  shown: AsyncIterable<Entry> | Iterable<Entry>,
): Promise<Comparison> {
  const differences: string[] = [];
  const ahead: string[] = [];
  const ids = new Set<string>();
  const sums = new Map<string, number>();
  // Entries before the last known one are of events that were not read yet.
  let isKnown = account.lastEntryId === null;
  for await (const entry of shown) {
    isKnown ||= entry.id === account.lastEntryId;
    const balance = new Map<string, number>();
    for (const { book, asset, amount } of entry.postings) {
      const units = unitsOf(asset, amount);
      if (units === undefined) differences.push(`ledger ${account.id}: entry ${entry.id} posts ${amount}`);
      balance.set(asset, (balance.get(asset) ?? 0) + (units ?? 0));
      if (isKnown) sums.set(`${book} ${asset}`, (sums.get(`${book} ${asset}`) ?? 0) + (units ?? 0));
    }
    for (const [asset, sum] of balance) {
      if (sum !== 0)
        differences.push(`ledger ${account.id}: entry ${entry.id} is out of balance: ${sum} ${asset}`);
    }
    if (ids.has(entry.id)) differences.push(`ledger ${account.id}: entry ${entry.id} is shown twice`);
    if (isKnown) ids.add(entry.id);
    else ahead.push(entry.id);
  }
  if (!isKnown)
    return { differences: [`ledger ${account.id}: entry ${account.lastEntryId} is not shown`], ahead: [] };
  if (ids.size !== account.entries) {
    differences.push(`ledger ${account.id}: shows ${ids.size} entries, there were ${account.entries}`);
  }
  for (const [book, expected] of booksOf(account)) {
    const sum = sums.get(book) ?? 0;
    sums.delete(book);
    if (sum !== expected)
      differences.push(`ledger ${account.id} ${book}: sums to ${sum}, should be ${expected}`);
  }
  for (const [book, sum] of sums) {
    if (sum !== 0)
      differences.push(`ledger ${account.id} ${book}: sums to ${sum}, nothing was ever booked there`);
  }
  return { differences, ahead };
}

/** The audited balance of each book, in cents or shares. */
function booksOf(account: AuditedAccount): Map<string, number> {
  const { cashCents, heldCents, elsewhere } = account;
  const books = new Map([
    ['available USD', cashCents - heldCents],
    ['held USD', heldCents],
    ['clearing USD', elsewhere.clearingCents],
    ['fees USD', elsewhere.feesCents],
    ['outside USD', elsewhere.outsideCents],
  ]);
  for (const [symbol, { shares, held }] of account.holdings) {
    books.set(`available ${symbol}`, shares - held);
    books.set(`held ${symbol}`, held);
  }
  for (const [symbol, shares] of elsewhere.clearingShares) books.set(`clearing ${symbol}`, shares);
  for (const [symbol, shares] of elsewhere.outsideShares) books.set(`outside ${symbol}`, shares);
  return books;
}

/** Cents or shares; undefined when the text is not an amount. */
function unitsOf(asset: string, amount: string): number | undefined {
  const unsigned = amount.startsWith('-') ? amount.slice(1) : amount;
  const units = asset === 'USD' ? centsFromDecimal(unsigned) : sharesFromDecimal(unsigned);
  return units !== undefined && unsigned !== amount ? -units : units;
}
