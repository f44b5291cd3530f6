import { keyOfStream } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import type { AuditedAccount } from '../src/audit/account.ts';
import { auditHistory } from '../src/audit/history.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { addTrade, compareCandles, INTERVALS, noCandles } from '../src/audit/shown/candles.ts';
import { compareExecutions } from '../src/audit/shown/executions.ts';
import { compareLedger } from '../src/audit/shown/postings.ts';
import { withinRows } from '../src/audit/shown/readModels.ts';
import { rawHistory } from './rawHistory.ts';
import {
  type Candle,
  type Entry,
  type Execution,
  shownCandles,
  shownExecutions,
  shownLedger,
} from './shownLists.ts';

const events = rawHistory({ events: 3_000 });
const audited = (read: readonly RawEvent[]) => {
  const history = auditHistory();
  for (const event of read) history.take(event);
  return history;
};
const history = audited(events);
const last = events.findLast(({ type }) => type === 'OrderFilled.v1') as RawEvent;
/** The account of the newest fill. */
const ID = keyOfStream(last.stream);
const account = history.accounts.get(ID) as AuditedAccount;
const SYMBOL = 'SEED1';

test('lists as they follow from the history agree with it, for every account and interval', async () => {
  for (const each of history.accounts.values()) {
    expect(await compareLedger(each, shownLedger(events, each.id))).toEqual({ differences: [], ahead: [] });
    expect(await compareExecutions(each, shownExecutions(events, each.id))).toEqual({
      differences: [],
      ahead: [],
    });
  }
  for (const [symbol, { candles }] of history.markets) {
    for (const interval of INTERVALS) {
      const shown = shownCandles(events, symbol, interval);
      expect(shown.length).toBeGreaterThan(0);
      expect(await compareCandles(symbol, candles[interval], shown)).toEqual([]);
    }
  }
});

test('trades of many hours fall into the candles of their seconds, minutes, hours, days, weeks and months', async () => {
  // It begins on a Saturday, the last day of a month, so that a week and a month begin within it.
  const beganMs = Date.UTC(2026, 0, 31, 21, 58, 30);
  const traded = events
    .filter((event) => event.type === 'TradeExecuted.v1')
    .map((event, at) => ({ ...event, time: new Date(beganMs + at * 73_777).toISOString() }));
  const candles = noCandles();
  for (const trade of traded) addTrade(candles, trade);
  const ofOne = traded.map((trade) => ({ ...trade, stream: `book-${SYMBOL}` }));
  for (const interval of INTERVALS) {
    const shown = shownCandles(ofOne, SYMBOL, interval);
    expect(await compareCandles(interval, candles[interval], shown)).toEqual([]);
  }
});

// Each row is a kind of fault that the comparison must find.
const firstHold = (entries: readonly Entry[]) => entries.findIndex(({ kind }) => kind === 'OrderPlaced');
const repost = (entry: Entry, change: (amount: string, at: number) => string): Entry => ({
  ...entry,
  postings: entry.postings.map((posting, at) => ({ ...posting, amount: change(posting.amount, at) })),
});
test.for<[what: string, finding: RegExp, tamper: (entries: Entry[]) => Entry[]]>([
  ['an entry is missing', /shows \d+ entries/, (entries) => entries.toSpliced(3, 1)],
  ['the newest entry is missing', /is not shown/, (entries) => entries.slice(1)],
  ['all of it is missing', /is not shown/, () => []],
  ['an entry is shown twice', /shown twice/, (entries) => entries.toSpliced(4, 0, entries[4] as Entry)],
  [
    'an entry has another name',
    /shows \d+ entries/,
    (entries) => [...entries, { ...(entries[2] as Entry), id: 'other', postings: [] }],
  ],
  [
    'one side of an entry is a cent off',
    /out of balance: -?1 USD/,
    (entries) => {
      const at = firstHold(entries);
      const oneCent = (amount: string, side: number) =>
        side === 0 ? (Number(amount) + 0.01).toFixed(2) : amount;
      return entries.with(at, repost(entries[at] as Entry, oneCent));
    },
  ],
  [
    'an entry is doubled in a balanced way',
    /available USD: sums to/,
    (entries) => {
      const at = entries.findIndex(({ kind }) => kind === 'CashTransferredIn');
      return entries.with(
        at,
        repost(entries[at] as Entry, (amount) => (Number(amount) * 2).toFixed(2)),
      );
    },
  ],
  [
    'what is for fees went to clearing',
    /fees USD: sums to/,
    (entries) =>
      entries.map((entry) => ({
        ...entry,
        postings: entry.postings.map((posting) =>
          posting.book === 'fees' ? { ...posting, book: 'clearing' as const } : posting,
        ),
      })),
  ],
  [
    'shares of another symbol',
    /nothing was ever booked there/,
    (entries) =>
      entries.map((entry) => ({
        ...entry,
        postings: entry.postings.map((posting) =>
          posting.asset === SYMBOL ? { ...posting, asset: 'OTHER' } : posting,
        ),
      })),
  ],
  [
    'an amount that is none',
    /posts NaN/,
    (entries) =>
      entries.with(
        1,
        repost(entries[1] as Entry, () => 'NaN'),
      ),
  ],
])('a ledger is wrong where %s', async ([, finding, tamper]) => {
  const { differences } = await compareLedger(account, tamper(shownLedger(events, ID)));
  expect(differences.join('\n')).toMatch(finding);
});

test.for<[what: string, finding: RegExp, tamper: (executions: Execution[]) => Execution[]]>([
  ['a fill is missing', /is not shown/, (executions) => executions.toSpliced(2, 1)],
  ['the newest fill is missing', /is not shown/, (executions) => executions.slice(1)],
  [
    'a fill is shown twice',
    /shown twice/,
    (executions) => executions.toSpliced(2, 0, executions[2] as Execution),
  ],
  [
    'a fill never happened',
    /never happened/,
    (executions) => executions.toSpliced(2, 0, { ...(executions[2] as Execution), id: 'SEED1-0-buy' }),
  ],
  ...Object.entries({
    account_id: 'another',
    order_id: 'another',
    symbol: 'OTHER',
    side: 'none',
    liquidity: 'none',
    price: '0.01',
    qty: '0',
    value: '0.01',
    fee: '99.99',
    sequence: 0,
    executed_at: '2020-01-01T00:00:00.000Z',
  }).map(
    ([field, value]) =>
      [
        `its ${field} is another`,
        new RegExp(` ${field}: shown`),
        (executions: Execution[]) =>
          executions.with(1, { ...(executions[1] as Execution), [field]: value } as Execution),
      ] as [string, RegExp, (executions: Execution[]) => Execution[]],
  ),
])('executions are wrong where %s', async ([, finding, tamper]) => {
  const { differences } = await compareExecutions(account, tamper(shownExecutions(events, ID)));
  expect(differences.join('\n')).toMatch(finding);
});

test.for<[what: string, finding: RegExp, change: (candle: Candle) => Candle[]]>([
  ['is missing', /is not shown/, () => []],
  ['is shown twice', /shown twice/, (candle) => [candle, candle]],
  [
    'has no trade',
    /nothing was traded/,
    (candle) => [candle, { ...candle, start: '2030-01-01T00:00:00.000Z' }],
  ],
  ['opens elsewhere', /shown 0\.01 /, (candle) => [{ ...candle, open: '0.01' }]],
  ['was higher', /shown \S+ 999\.00 /, (candle) => [{ ...candle, high: '999.00' }]],
  ['was lower', /shown \S+ \S+ 0\.01 /, (candle) => [{ ...candle, low: '0.01' }]],
  ['closes elsewhere', /shown \S+ \S+ \S+ 0\.01,/, (candle) => [{ ...candle, close: '0.01' }]],
  ['has another volume', /shown .* 1 shares/, (candle) => [{ ...candle, volume: '1' }]],
  ['has another number of trades', /in 1 trades, should/, (candle) => [{ ...candle, trades: 1 }]],
])('candles are wrong where one %s', async ([, finding, change]) => {
  for (const interval of INTERVALS) {
    const shown = shownCandles(events, SYMBOL, interval);
    const tampered = shown.toSpliced(0, 1, ...change(shown[0] as Candle));
    const expected = history.markets.get(SYMBOL)?.candles[interval] ?? new Map();
    expect((await compareCandles(interval, expected, tampered)).join('\n')).toMatch(finding);
  }
});

test('what is shown ahead of the replay is no fault while an event comes for it, and a phantom when none does', async () => {
  const behind = audited(events.slice(0, events.indexOf(last)));
  const known = behind.accounts.get(ID) as AuditedAccount;
  const ledger = await compareLedger(known, shownLedger(events, ID));
  const executions = await compareExecutions(known, shownExecutions(events, ID));
  expect(ledger).toEqual({ differences: [], ahead: [last.id] });
  expect(executions.differences).toEqual([]);
  expect(executions.ahead).toHaveLength(1);
  for (const id of [...ledger.ahead, ...executions.ahead, 'SEED1-0-buy']) behind.expectLater(id, id);
  for (const event of events.slice(events.indexOf(last))) behind.take(event);
  behind.finish();
  expect(behind.findings.list).toEqual([
    { check: 'phantom', what: 'SEED1-0-buy is shown, and no event explains it' },
  ]);
});

test('beyond the rows asked for whole accounts are left out, and it is told how much', () => {
  const all = withinRows(history, Number.POSITIVE_INFINITY);
  expect(all.listed.size).toBe(history.accounts.size + history.markets.size);
  expect(all.rows).toBe(all.rowsInAll);
  const some = withinRows(history, all.rowsInAll / 2);
  expect(some.rowsInAll).toBe(all.rowsInAll);
  expect(some.rows).toBeLessThanOrEqual(all.rowsInAll / 2);
  expect(some.listed.size).toBeLessThan(all.listed.size);
});
