import { expect, test } from 'vitest';
import { auditedInput } from '../src/audit/book/bookInput.ts';
import { newFindings } from '../src/audit/findings.ts';
import type { RawEvent } from '../src/audit/rawEvent.ts';

/** The most outputs of one input. */
const MOST = 20_000;
const trades = { type: 'TradeExecuted.v1', data: {} };
const uncrossed = { type: 'AuctionUncrossed.v1', data: {} };
const ends = { type: 'OrderExpired.v1', data: { reason: 'AUCTION_ENDED' } };
type Output = { readonly type: string; readonly data: object };
const times = (count: number, output: Output): Output[] => Array.from({ length: count }, () => output);

function findingsOf(...outputs: Output[]): string[] {
  const findings = newFindings();
  const input = auditedInput('ACME', findings);
  input.market({ type: 'SymbolListed.v1', data: { matchingRules: 4 } } as RawEvent);
  for (const output of outputs) input.outputSeen(output as RawEvent);
  input.done();
  return findings.list.map(({ what }) => what);
}

test('an uncross is told whole; what ends before and after it has the room of any input', () => {
  expect(findingsOf(...times(MOST, trades))).toEqual([]);
  expect(findingsOf(...times(MOST + 1, trades))).toEqual(['ACME: one input has 20001 outputs']);
  expect(
    findingsOf(...times(MOST / 2, ends), uncrossed, ...times(MOST + 1, trades), ...times(MOST / 2, ends)),
  ).toEqual([]);
  expect(findingsOf(...times(MOST / 2, ends), uncrossed, trades, ...times(MOST / 2 + 1, ends))).toEqual([
    'ACME: one input has 20001 outputs',
  ]);
});
