import {
  type BookEvent,
  type BookFact,
  type MarketEvent,
  type MarketFact,
  type MarketState,
  seal,
  type TradingSession,
} from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { market } from '../../test/facts.ts';
import { testCause } from '../../test/world.ts';
import { marketMs, phaseAt } from './calendar.ts';
import { evolveMarket, followBook, type Market } from './market.ts';
import { setCalendar } from './marketDecider.ts';
import { beginPhase, due } from './phaseDecider.ts';

const SESSION: TradingSession = {
  weekdays: [1, 2, 3, 4, 5],
  preOpen: '14:00',
  opens: '14:30',
  closes: '21:00',
  openingCallSeconds: 60,
  volatilityCallSeconds: 120,
  closingCallSeconds: 60,
  randomEndSeconds: 30,
};
const ms = (time: string): number => Date.parse(`${time}Z`);
let count = 0;
const sealed = (fact: MarketFact | BookFact, timeMs: number, causationId = '') => {
  count += 1;
  const id = `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`;
  return seal(id, { ...testCause(new Date(timeMs).toISOString()), causationId }, [fact])[0];
};

/** A market with its calendar, and an engine that answers every event of time at once. */
function world(set: { session: TradingSession | null; clock_factor?: number; nowMs: number }) {
  let its: Market = { ...market(), phaseAt: '2026-03-01T00:00:00.000Z', lastDay: '2026-03-01' };
  const facts: string[] = [];
  const answer = (fact: BookFact, timeMs: number, to: string) =>
    followBook(its, sealed(fact, timeMs, to) as unknown as BookEvent);
  const become = (state: MarketState, timeMs: number, to: string) =>
    answer({ type: 'MarketStateChanged.v1', data: { state } }, timeMs, to);
  const take = (fact: MarketFact, timeMs: number) => {
    const event = sealed(fact, timeMs) as unknown as MarketEvent;
    its = evolveMarket(its, event, its.revision + 1);
    if (event.type === 'TradingPhaseBegan.v1') become(event.data.phase, timeMs, event.id);
    else if (event.type === 'AuctionCallEnded.v1')
      become(its.state === 'closing_auction' ? 'closed' : 'continuous', timeMs, event.id);
    else answer({ type: 'InputNoted.v1', data: {} }, timeMs, event.id);
    if (event.type === 'TradingCalendarSet.v1') return;
    const { at = '' } = event.data as { at?: string };
    const what = event.type === 'TradingPhaseBegan.v1' ? event.data.phase : event.type.split('.')[0];
    facts.push(`${at.slice(5, 19)} ${what}`);
  };
  const decision = setCalendar(
    its,
    { symbol: 'ACME', session: wire(set.session), clock_factor: set.clock_factor ?? 1 },
    set.nowMs,
  );
  if ('fact' in decision) take(decision.fact, set.nowMs);
  return {
    its: () => its,
    take,
    become,
    /** Everything that is due at this moment, told in order. */
    at(nowMs: number): string[] {
      facts.length = 0;
      for (let fact = due(its, nowMs, 0.5); fact; fact = due(its, nowMs, 0.5)) take(fact, nowMs);
      return [...facts];
    },
  };
}
const wire = (session: TradingSession | null) =>
  session && {
    weekdays: session.weekdays,
    pre_open: session.preOpen,
    opens: session.opens,
    closes: session.closes,
    opening_call_seconds: session.openingCallSeconds,
    volatility_call_seconds: session.volatilityCallSeconds,
    closing_call_seconds: session.closingCallSeconds,
    random_end_seconds: session.randomEndSeconds,
  };

test('a day in order: each phase when it is due, calls for as long as they run and chance adds', () => {
  // Monday, 2 March 2026.
  const day = world({ session: SESSION, nowMs: ms('2026-03-02T06:00:00') });
  expect(day.at(ms('2026-03-02T06:00:00'))).toEqual(['02-27T21:01:30 closed']);
  expect(day.at(ms('2026-03-02T13:59:59'))).toEqual([]);
  expect(day.at(ms('2026-03-02T14:00:00'))).toEqual(['03-02T14:00:00 pre_open']);
  expect(day.at(ms('2026-03-02T14:30:00'))).toEqual(['03-02T14:30:00 opening_auction']);
  expect(day.at(ms('2026-03-02T14:31:14'))).toEqual([]);
  expect(day.at(ms('2026-03-02T14:31:15'))).toEqual(['03-02T14:31:15 AuctionCallEnded']);
  expect(day.its().state).toBe('continuous');
  expect(day.at(ms('2026-03-02T21:00:00'))).toEqual(['03-02T21:00:00 closing_auction']);
  expect(day.at(ms('2026-03-02T21:01:15'))).toEqual(['03-02T21:01:15 AuctionCallEnded']);
  expect(day.at(ms('2026-03-02T21:01:30'))).toEqual(['03-02T21:01:30 closed', '03-02T21:01:30 DayEnded']);
  expect(day.at(ms('2026-03-03T13:59:59'))).toEqual([]);
});

test('weekends are passed', () => {
  const week = world({ session: SESSION, nowMs: ms('2026-03-06T22:00:00') });
  expect(week.at(ms('2026-03-06T22:00:00'))).toEqual(['03-06T21:01:30 closed', '03-06T21:01:30 DayEnded']);
  expect(week.at(ms('2026-03-08T23:00:00'))).toEqual([]);
  expect(week.at(ms('2026-03-09T14:00:00'))).toEqual(['03-09T14:00:00 pre_open']);
});

test('what was missed is made up for in order; days that are over as a whole are passed', () => {
  const day = world({ session: SESSION, nowMs: ms('2026-03-02T22:00:00') });
  day.at(ms('2026-03-02T22:00:00'));
  day.at(ms('2026-03-03T14:00:00'));
  // Nothing runs from Tuesday's pre-open until Friday noon.
  expect(day.at(ms('2026-03-06T15:00:00'))).toEqual([
    '03-03T14:30:00 opening_auction',
    '03-03T14:31:15 AuctionCallEnded',
    '03-03T21:00:00 closing_auction',
    '03-03T21:01:15 AuctionCallEnded',
    '03-03T21:01:30 closed',
    '03-03T21:01:30 DayEnded',
    '03-06T14:00:00 pre_open',
    '03-06T14:30:00 opening_auction',
    '03-06T14:31:15 AuctionCallEnded',
  ]);
});

test('nothing is due until the engine has answered what was', () => {
  const day = world({ session: SESSION, nowMs: ms('2026-03-02T22:00:00') });
  const its = { ...day.its(), awaiting: 'an event' };
  expect(due(its, ms('2026-03-04T15:00:00'), 0)).toBeNull();
});

test('a day without calls has none', () => {
  const plain = { ...SESSION, openingCallSeconds: 0, closingCallSeconds: 0 };
  const day = world({ session: plain, nowMs: ms('2026-03-02T06:00:00') });
  day.at(ms('2026-03-02T06:00:00'));
  expect(day.at(ms('2026-03-02T22:00:00'))).toEqual([
    '03-02T14:00:00 pre_open',
    '03-02T14:30:00 continuous',
    '03-02T21:00:00 closed',
    '03-02T21:00:00 DayEnded',
  ]);
});

test('a volatility auction runs by the market’s time as long as the calendar says', () => {
  const day = world({ session: SESSION, nowMs: ms('2026-03-02T15:00:00') });
  day.at(ms('2026-03-02T15:00:00'));
  day.become('volatility_auction', ms('2026-03-02T16:00:00'), '');
  expect(day.at(ms('2026-03-02T16:02:14'))).toEqual([]);
  expect(day.at(ms('2026-03-02T16:02:15'))).toEqual(['03-02T16:02:15 AuctionCallEnded']);
});

test('a phase that an operator begins is not begun again', () => {
  const day = world({ session: SESSION, nowMs: ms('2026-03-02T15:00:00') });
  day.at(ms('2026-03-02T15:00:00'));
  const early = beginPhase(day.its(), { symbol: 'ACME', phase: 'closed' }, ms('2026-03-02T18:00:00'));
  if ('fact' in early) day.take(early.fact, ms('2026-03-02T18:00:00'));
  expect(day.at(ms('2026-03-02T18:00:01'))).toEqual(['03-02T18:00:00 DayEnded']);
});

test('a clock that runs sixty times as fast: an hour is a minute, and it never goes back', () => {
  const nowMs = ms('2026-03-02T13:59:00');
  const fast = world({ session: SESSION, clock_factor: 60, nowMs });
  fast.at(nowMs);
  expect(fast.at(nowMs + 1_000)).toEqual(['03-02T14:00:00 pre_open']);
  // Eight hours of its time.
  expect(fast.at(nowMs + 8 * 60_000)).toEqual([
    '03-02T14:30:00 opening_auction',
    '03-02T14:31:15 AuctionCallEnded',
    '03-02T21:00:00 closing_auction',
    '03-02T21:01:15 AuctionCallEnded',
    '03-02T21:01:30 closed',
    '03-02T21:01:30 DayEnded',
  ]);
  const later = nowMs + 10 * 60_000;
  const slower = setCalendar(fast.its(), { symbol: 'ACME', session: null, clock_factor: 1 }, later);
  expect(slower).toMatchObject({ fact: { data: { clock: { at: '2026-03-02T23:59:00.000Z', factor: 1 } } } });
  if ('fact' in slower) fast.take(slower.fact, later);
  expect(marketMs(fast.its(), later + 1_000)).toBe(ms('2026-03-02T23:59:01'));
});

test.for([
  ['UNKNOWN_SYMBOL', undefined],
  ['MATCHING_RULES', market({ matchingRules: 2 })],
] as const)('a calendar is refused: %s', ([code, its]) => {
  expect(setCalendar(its, { symbol: 'ACME', session: null, clock_factor: 1 }, 0)).toMatchObject({
    refusal: { code },
  });
});

test.for([
  ['2026-03-02T13:00:00', 'closed', '2026-02-27T21:01:30.000Z'],
  ['2026-03-02T14:00:00', 'pre_open', '2026-03-02T14:00:00.000Z'],
  ['2026-03-07T12:00:00', 'closed', '2026-03-06T21:01:30.000Z'],
] as const)('at %s the phase is %s', ([time, phase, since]) => {
  const now = phaseAt(SESSION, ms(time));
  expect([now.phase, new Date(now.atMs).toISOString()]).toEqual([phase, since]);
});
