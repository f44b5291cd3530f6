import { expect, test } from 'vitest';
import { auditedInput } from '../src/audit/book/bookInput.ts';
import { findings } from '../src/audit/findings.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';

/** How much one input may tell, as the audit counts it. */
const MOST = 20_000;
const trades = { type: 'TradeExecuted.v1', data: {} };
const uncrossed = { type: 'AuctionUncrossed.v1', data: {} };
const ends = { type: 'OrderExpired.v1', data: { reason: 'AUCTION_ENDED' } };
type Told = { readonly type: string; readonly data: object };
const times = (count: number, told: Told): Told[] => Array.from({ length: count }, () => told);

function found(...outputs: Told[]): string[] {
  const told = findings();
  const input = auditedInput('ACME', told);
  input.market({ type: 'SymbolListed.v1', data: { matchingRules: 4 } } as RawEvent);
  for (const output of outputs) input.told(output as RawEvent);
  input.done();
  return told.list.map(({ what }) => what);
}

test('an uncross is told whole; what ends before and after it has the room of any input', () => {
  expect(found(...times(MOST, trades))).toEqual([]);
  expect(found(...times(MOST + 1, trades))).toEqual(['ACME: one input has 20001 outputs']);
  expect(
    found(...times(MOST / 2, ends), uncrossed, ...times(MOST + 1, trades), ...times(MOST / 2, ends)),
  ).toEqual([]);
  expect(found(...times(MOST / 2, ends), uncrossed, trades, ...times(MOST / 2 + 1, ends))).toEqual([
    'ACME: one input has 20001 outputs',
  ]);
});
