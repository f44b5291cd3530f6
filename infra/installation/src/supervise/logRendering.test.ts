import { expect, test } from 'vitest';
import { asJsonLine, renderLine } from './logRendering.ts';

const at = { time: '2026-01-05T14:30:00.123Z', service: 'query-api' };
const line = (fields: object) => JSON.stringify({ ...at, ...fields });
const err = {
  message: 'connection refused\nand more',
  stack: 'Error: connection refused\n    at connect (pg.js:1)',
};

test.for([
  [
    'what happened, with its fields',
    line({ level: 'info', msg: 'ready', url: 'http://127.0.0.1:8002', tries: 2 }),
    '14:30:00.123 info  query-api       ready url=http://127.0.0.1:8002 tries=2',
  ],
  [
    'a warning and its reason, on one line',
    line({ level: 'warn', msg: 'the connection was lost', err, channel: 'brokerx_store' }),
    '14:30:00.123 warn  query-api       the connection was lost: connection refused channel=brokerx_store',
  ],
  [
    'an error with its place in the code',
    line({ level: 'error', msg: 'closing failed', err }),
    '14:30:00.123 error query-api       closing failed\nError: connection refused\n    at connect (pg.js:1)',
  ],
  [
    'what is no log line, as it is',
    'Segmentation fault',
    '                   query-api       Segmentation fault',
  ],
] as const)('a person reads %s', ([, logged, shown]) => {
  expect(renderLine('query-api', logged, false)).toBe(shown);
});

test('what collects logs gets JSON, whatever a process prints', () => {
  const logged = line({ level: 'info', msg: 'ready' });
  expect(asJsonLine('query-api', logged)).toBe(logged);
  expect(JSON.parse(asJsonLine('query-api', 'Segmentation fault'))).toEqual({
    level: 'error',
    service: 'query-api',
    msg: 'Segmentation fault',
  });
});
