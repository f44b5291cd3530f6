import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parseFlow } from '../src/flow.ts';

test('each action of a recorded day is read in cents and shares', () => {
  const text = [
    '34200.004241176,A,16113575,18,5853300,1',
    '34200.0251,R,16113575,8,0,0',
    '34200.0252,X,16113575,10,5853300,-1',
    '34200.0253,C,16113594,0,0,0',
    '',
  ].join('\n');
  expect(parseFlow(text)).toEqual([
    { action: 'add', order: '16113575', side: 'buy', shares: 18, priceCents: 58_533 },
    { action: 'reduce', order: '16113575', shares: 8 },
    { action: 'execute', order: '16113575', side: 'sell', shares: 10, priceCents: 58_533 },
    { action: 'cancel', order: '16113594' },
  ]);
  expect(parseFlow(text, 2)).toHaveLength(2);
});

test.for([
  ['a price between two cents', '1,A,7,10,5853350,1', 'line 1: price "5853350"'],
  ['no shares', '1,A,7,0,5853300,1', 'line 1: shares'],
  ['an unknown action', '1,Z,7,1,5853300,1', 'line 1: unknown action "Z"'],
  ['an unknown side', '1,A,7,1,5853300,2', 'line 1: side'],
  ['a missing column', '1,A,7', 'line 1: six columns'],
] as const)('a flow is refused where there is %s', ([, text, message]) => {
  expect(() => parseFlow(text)).toThrow(message);
});

const RECORDED = resolve(import.meta.dirname, '../../../shared/data/aapl-2012-06-21.flow.csv');
test.skipIf(!existsSync(RECORDED))(
  'the recorded morning has 1,996 executions, every price in whole cents',
  () => {
    const rows = parseFlow(readFileSync(RECORDED, 'utf8'));
    const count = (action: string) => rows.filter((row) => row.action === action).length;
    expect({
      add: count('add'),
      reduce: count('reduce'),
      cancel: count('cancel'),
      execute: count('execute'),
    }).toEqual({
      add: 19_201,
      reduce: 226,
      cancel: 17_426,
      execute: 1_996,
    });
  },
);
