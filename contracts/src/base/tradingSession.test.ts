import { expect, test } from 'vitest';
import { SetCalendar } from '../api/commands.ts';
import { sessionOf, sessionView } from './tradingSession.ts';

const session = {
  weekdays: [1, 2, 3, 4, 5],
  pre_open: '14:00',
  opens: '14:30',
  closes: '21:00',
  opening_call_seconds: 60,
  volatility_call_seconds: 120,
  closing_call_seconds: 60,
  random_end_seconds: 30,
};

test('a session is the same in events and over the wire', () => {
  expect(sessionView(sessionOf(session))).toEqual(session);
  expect(sessionOf({ ...session, weekdays: [5, 1, 5] }).weekdays).toEqual([1, 5]);
});

test('around the clock, by our own clock', () => {
  expect(SetCalendar.parse({ session: null })).toEqual({ session: null, clock_factor: 1 });
});

test.for([
  ['pre_open', { pre_open: '14:30' }],
  ['opens', { opens: '20:59' }],
  ['closes', { closes: '23:59' }],
  ['weekdays', { weekdays: [] }],
  ['volatility_call_seconds', { volatility_call_seconds: 0 }],
] as const)('a session that does not work out is refused at %s', ([field, change]) => {
  const parsed = SetCalendar.safeParse({ session: { ...session, ...change } });
  expect(parsed.error?.issues.map(({ path }) => path)).toEqual([['session', field]]);
});
