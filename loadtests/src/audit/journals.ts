import type { JournalEntry } from '../journal.ts';
import type { Findings } from './findings.ts';
import type { HistoryAudit } from './history.ts';

/** The events that an accepted command of each kind appends. */
const ACCEPTED_EVENTS: Record<JournalEntry['kind'], readonly string[]> = {
  place: ['OrderPlaced.v1', 'OrderListPlaced.v1'],
  cancel: ['OrderCancelRequested.v1'],
  amend: ['OrderAmendRequested.v1'],
  deposit: ['DepositRequested.v1'],
};
const ALL_ACCEPTED = new Set(Object.values(ACCEPTED_EVENTS).flat());

/**
 * Compares the clients' journals with what is stored. Lost: a command was acknowledged and is not stored. Duplicate: it is
 * stored twice. Phantom: it is stored on a client's account although no client sent it, or although it was refused. A
 * command with an unknown outcome may be stored or not, but never twice.
 */
export function auditJournals(
  history: HistoryAudit,
  entries: Iterable<JournalEntry>,
  findings: Findings,
): void {
  const intents = new Set<string>();
  const accountIds = new Set<string>();
  for (const entry of entries) {
    intents.add(entry.key);
    accountIds.add(entry.accountId);
    const uses = history.keys.get(entry.key) ?? [];
    const accepted = uses.filter(({ type }) => ACCEPTED_EVENTS[entry.kind].includes(type));
    if (uses.length > 1) {
      findings.add('duplicate', `${entry.kind} ${entry.key} is stored ${uses.length} times`);
    }
    if (entry.outcome === 'ok' && !isStored(history, entry, accepted.length > 0)) {
      findings.add(
        'lost',
        `${entry.kind} ${entry.key} was acknowledged (${entry.subjectId}) and is not stored`,
      );
    }
    if (
      entry.outcome === 'ok' &&
      accepted[0] &&
      entry.subjectId &&
      accepted[0].subjectId !== entry.subjectId
    ) {
      findings.add(
        'mismatch',
        `${entry.kind} ${entry.key} was told ${entry.subjectId}, stored is ${accepted[0].subjectId}`,
      );
    }
    if (entry.outcome === 'refused' && accepted.length > 0) {
      findings.add('phantom', `${entry.kind} ${entry.key} was refused (${entry.code}) and is stored`);
    }
  }
  for (const [key, uses] of history.keys) {
    if (intents.has(key)) continue;
    for (const { type, accountId } of uses) {
      if (ALL_ACCEPTED.has(type) && accountId && accountIds.has(accountId)) {
        findings.add('phantom', `${type} of account ${accountId} is stored under ${key}, which nobody sent`);
      }
    }
  }
}

/** A second cancel of an order may be acknowledged without an event of its own; the first one's is enough. */
function isStored(history: HistoryAudit, entry: JournalEntry, hasEvent: boolean): boolean {
  if (hasEvent) return true;
  if (entry.kind !== 'cancel' || !entry.subjectId) return false;
  return history.orders.get(entry.subjectId)?.cancelRequested === true;
}
