import { expect, test } from 'vitest';
import { exitCodeOf } from '../src/audit/findings.ts';
import { auditHistory } from '../src/audit/history.ts';
import { auditJournals } from '../src/audit/journals.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import type { JournalEntry } from '../src/journal.ts';
import { rawHistory, renumbered } from './rawHistory.ts';

function audited(events: readonly RawEvent[], journal?: readonly JournalEntry[]) {
  const audit = auditHistory();
  for (const event of events) audit.take(event);
  audit.finish();
  if (journal) auditJournals(audit, journal, audit.findings);
  return audit;
}

const last = (events: readonly RawEvent[], type: RawEvent['type']): number =>
  events.findLastIndex((event) => event.type === type);

const changed = (events: readonly RawEvent[], index: number, data: object): RawEvent[] =>
  events.with(index, { ...events[index], data: { ...events[index]?.data, ...data } } as RawEvent);

/** The history with an event twice, each at a position of its own. */
const doubled = (events: readonly RawEvent[], index: number): RawEvent[] =>
  renumbered(events.toSpliced(index + 1, 0, events[index] as RawEvent));

test('an honest history passes, and nothing is left to do', () => {
  const events = rawHistory({ events: 5_000 });
  const audit = audited(events);
  expect(audit.findings.list).toEqual([]);
  expect(audit.unanswered()).toEqual({ inputs: 0, settlements: 0, deposits: 0 });
  expect(audit.counts.events).toBe(events.length);
  expect(audit.counts.orders).toBe(2 * audit.counts.trades);
});

type Tampering = [what: string, exitCode: number, tamper: (events: RawEvent[]) => RawEvent[]];
const dataOf = (events: readonly RawEvent[], index: number) => events[index]?.data as Record<string, number>;

// Each row is a kind of fault that the audit must find.
test.for<Tampering>([
  ['an event is missing', 10, (events) => events.toSpliced(last(events, 'OrderPlaced.v1'), 1)],
  [
    'an account was never opened',
    10,
    (events) =>
      renumbered(
        events.toSpliced(
          events.findIndex(({ type }) => type === 'AccountOpened.v1'),
          1,
        ),
      ),
  ],
  ['an event is read twice', 11, (events) => events.toSpliced(5, 0, events[4] as RawEvent)],
  ['a fill is booked twice', 11, (events) => doubled(events, last(events, 'OrderFilled.v1'))],
  ['a transfer is booked twice', 11, (events) => doubled(events, last(events, 'CashTransferredIn.v1'))],
  ['an order is placed twice', 11, (events) => doubled(events, last(events, 'OrderPlaced.v1'))],
  [
    'an input is answered twice',
    11,
    (events) => {
      const answer = events.find(({ type }) => type === 'OrderAccepted.v1') as RawEvent;
      return renumbered([...events, answer]);
    },
  ],
  [
    'a fill of a trade that never was',
    12,
    (events) => changed(events, last(events, 'OrderFilled.v1'), { sequence: 999_999 }),
  ],
  [
    'an order that nobody placed is accepted',
    12,
    (events) => {
      const index = last(events, 'OrderAccepted.v1');
      const order = { ...(dataOf(events, index)['order'] as unknown as object), orderId: events[0]?.id };
      return changed(events, index, { order });
    },
  ],
  [
    'a trade at a worse price than the best',
    13,
    (events) => {
      const index = last(events, 'TradeExecuted.v1');
      return changed(events, index, { priceTicks: (dataOf(events, index)['priceTicks'] ?? 0) - 1 });
    },
  ],
  ['positions run backwards', 13, (events) => events.with(9, { ...(events[9] as RawEvent), position: 2 })],
  [
    'a fill whose totals are wrong',
    13,
    (events) => {
      const index = last(events, 'OrderFilled.v1');
      return changed(events, index, { filledQuantity: (dataOf(events, index)['filledQuantity'] ?? 0) + 1 });
    },
  ],
  [
    'one cent more for the seller',
    15,
    (events) => {
      const index = events.findIndex(
        (event) => event.type === 'OrderFilled.v1' && event.data.side === 'sell',
      );
      return changed(events, index, { valueCents: (dataOf(events, index)['valueCents'] ?? 0) + 1 });
    },
  ],
  [
    'one cent of fee too little',
    15,
    (events) => {
      const index = last(events, 'OrderFilled.v1');
      return changed(events, index, { feeCents: (dataOf(events, index)['feeCents'] ?? 0) - 1 });
    },
  ],
  [
    'one cent stays held',
    15,
    (events) => {
      const index = events.findIndex((event) => event.type === 'OrderPlaced.v1' && event.data.side === 'buy');
      return changed(events, index, { holdCents: (dataOf(events, index)['holdCents'] ?? 0) + 1 });
    },
  ],
  [
    'an order holds a cent less than its worst case',
    15,
    (events) => {
      const index = events.findIndex((event) => event.type === 'OrderPlaced.v1' && event.data.side === 'buy');
      return changed(events, index, { holdCents: (dataOf(events, index)['holdCents'] ?? 0) - 1 });
    },
  ],
  [
    'an account spends what it does not have',
    15,
    (events) =>
      events.map((event) =>
        event.type === 'CashTransferredIn.v1'
          ? { ...event, data: { ...event.data, amountCents: 100 } }
          : event,
      ),
  ],
  ['a leg is never settled', 17, (events) => events.toSpliced(last(events, 'OrderFilled.v1'), 1)],
  [
    'an input is never answered',
    17,
    (events) => {
      const order = last(events, 'OrderPlaced.v1');
      return events.slice(0, order + 1);
    },
  ],
])('the audit fails where %s (exit code %i)', ([, exitCode, tamper]) => {
  const audit = audited(tamper(rawHistory()));
  expect(exitCodeOf(audit.findings), JSON.stringify(audit.findings.list)).toBe(exitCode);
});

test('journals that agree with the history pass', () => {
  const events = rawHistory();
  expect(audited(events, journalOf(events)).findings.list).toEqual([]);
});

type Forgery = [what: string, exitCode: number, forge: (journal: JournalEntry[]) => JournalEntry[]];
const placed = (journal: readonly JournalEntry[]) => journal[0] as JournalEntry;
test.for<Forgery>([
  [
    'an acknowledged order is not stored',
    10,
    (journal) => [...journal, { ...placed(journal), key: '01900000-0000-7000-8000-000000000001' }],
  ],
  ['an order is stored that nobody sent', 12, (journal) => journal.slice(1)],
  [
    'a refused order is stored',
    12,
    (journal) => journal.with(0, { ...placed(journal), outcome: 'refused', code: 'INSUFFICIENT_FUNDS' }),
  ],
  [
    'another order was acknowledged than is stored',
    13,
    (journal) => journal.with(0, { ...placed(journal), subjectId: '01900000-0000-7000-8000-000000000002' }),
  ],
  [
    'an unknown outcome turned out to be stored',
    0,
    (journal) => journal.with(0, { ...placed(journal), outcome: 'unknown', subjectId: undefined }),
  ],
  [
    'an unknown outcome turned out not to be stored',
    0,
    (journal) => [
      ...journal,
      { ...placed(journal), key: '01900000-0000-7000-8000-000000000003', outcome: 'unknown' },
    ],
  ],
])('journals: %s (exit code %i)', ([, exitCode, forge]) => {
  const events = rawHistory();
  const audit = audited(events, forge(journalOf(events)));
  expect(exitCodeOf(audit.findings), JSON.stringify(audit.findings.list)).toBe(exitCode);
});

test('journals: one key stored twice is a duplicate', () => {
  const events = rawHistory();
  const order = events[last(events, 'OrderPlaced.v1')] as RawEvent;
  const again = {
    ...order,
    id: '01900000-0000-7000-8000-000000000004',
    data: { ...order.data, orderId: '01900000-0000-7000-8000-000000000005' },
  };
  const audit = audited(renumbered([...events, again as RawEvent]), journalOf(events));
  expect(audit.findings.list.filter(({ check }) => check === 'duplicate')).toEqual([
    { check: 'duplicate', what: `place ${order.key?.id} is stored 2 times` },
  ]);
});

/** The journal that the clients of this history would have written. */
function journalOf(events: readonly RawEvent[]): JournalEntry[] {
  return events.flatMap((event) =>
    event.type === 'OrderPlaced.v1' && event.key
      ? [
          {
            key: event.key.id,
            accountId: event.data.accountId,
            kind: 'place' as const,
            outcome: 'ok' as const,
            subjectId: event.data.orderId,
          },
        ]
      : [],
  );
}
