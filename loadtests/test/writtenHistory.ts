import { type Event, type Fact, seal } from '@brokerx/contracts';
import { auditHistory } from '../src/audit/history.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { rawEvent } from './rawHistory.ts';

/** Histories written by hand, event by event, and the audit's findings in them. */
export const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export function writer() {
  const events: RawEvent[] = [];
  const revisions = new Map<string, number>();
  let count = 100;
  const write = (stream: string, fact: Fact, causedBy?: RawEvent): RawEvent => {
    count += 1;
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const cause = {
      time: '2026-01-05T14:30:00.000Z',
      actor: 'system:test',
      correlationId: id(count),
      causationId: causedBy?.id ?? id(count),
      traceparent: '00',
    };
    const event = rawEvent(seal(id(count), cause, [fact])[0] as Event, stream, revision, events.length + 1);
    events.push(event);
    return event;
  };
  return { events, write };
}

export const findings = (events: readonly RawEvent[]) => {
  const audit = auditHistory();
  for (const event of events) audit.take(event);
  audit.finish();
  return audit.findings.list;
};

/** Opens two accounts: the seller has `shares` of ACME, the buyer $1,000. */
export function openAccounts(
  write: ReturnType<typeof writer>['write'],
  { seller, buyer, shares }: { seller: string; buyer: string; shares: number },
): void {
  for (const accountId of [seller, buyer]) {
    const stream = `account-${accountId}`;
    write(stream, { type: 'AccountOpened.v1', data: { accountId, clientId: accountId } });
  }
  const given = { transferId: id(51), symbol: 'ACME', quantity: shares };
  write(`account-${seller}`, { type: 'SharesTransferredIn.v1', data: given });
  write(`account-${buyer}`, {
    type: 'CashTransferredIn.v1',
    data: { transferId: id(52), amountCents: 100_000 },
  });
}
