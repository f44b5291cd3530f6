import type { JournalEntry } from '../journal.ts';
import type { Findings } from './findings.ts';
import type { HistoryAudit } from './history.ts';

/** What a command of this kind leaves behind when it was taken. */
const TAKEN: Record<JournalEntry['kind'], readonly string[]> = {
  place: ['OrderPlaced.v1', 'OrderListPlaced.v1'],
  cancel: ['OrderCancelRequested.v1'],
  amend: ['OrderAmendRequested.v1'],
  deposit: ['DepositRequested.v1'],
};
const ALL_TAKEN = new Set(Object.values(TAKEN).flat());

/**
 * Compares what clients know with what is stored. Lost: acknowledged and not stored. Duplicate: one command stored
 * twice. Phantom: stored on a client's account without its intent, or stored although it was told "refused". An
 * unknown outcome may be either, never twice.
 */
export function auditJournals(
  history: HistoryAudit,
  entries: readonly JournalEntry[],
  found: Findings,
): void {
  const intents = new Set<string>();
  const owners = new Set<string>();
  for (const entry of entries) {
    intents.add(entry.key);
    owners.add(entry.accountId);
    const uses = history.keys.get(entry.key) ?? [];
    const taken = uses.filter(({ type }) => TAKEN[entry.kind].includes(type));
    if (uses.length > 1) {
      found.add('duplicate', `${entry.kind} ${entry.key} is stored ${uses.length} times`);
    }
    if (entry.outcome === 'ok' && !acknowledgedIsStored(history, entry, taken.length > 0)) {
      found.add('lost', `${entry.kind} ${entry.key} was acknowledged (${entry.subjectId}) and is not stored`);
    }
    if (entry.outcome === 'ok' && taken[0] && entry.subjectId && taken[0].subjectId !== entry.subjectId) {
      found.add(
        'mismatch',
        `${entry.kind} ${entry.key} was told ${entry.subjectId}, stored is ${taken[0].subjectId}`,
      );
    }
    if (entry.outcome === 'refused' && taken.length > 0) {
      found.add('phantom', `${entry.kind} ${entry.key} was refused (${entry.code}) and is stored`);
    }
  }
  for (const [key, uses] of history.keys) {
    if (intents.has(key)) continue;
    for (const { type, accountId } of uses) {
      if (ALL_TAKEN.has(type) && accountId && owners.has(accountId)) {
        found.add('phantom', `${type} of account ${accountId} is stored under ${key}, which nobody sent`);
      }
    }
  }
}

/**
 * A repeated cancel may be acknowledged without a new event: then the order's own request is enough.
 */
function acknowledgedIsStored(history: HistoryAudit, entry: JournalEntry, taken: boolean): boolean {
  if (taken) return true;
  if (entry.kind !== 'cancel' || !entry.subjectId) return false;
  return history.orders.get(entry.subjectId)?.cancelRequested === true;
}
