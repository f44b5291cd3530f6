import {
  type BookEvent,
  type BookFact,
  type MarketEvent,
  type MarketFact,
  type MarketState,
  seal,
} from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { market } from '../../test/facts.ts';
import { testCause } from '../../test/world.ts';
import { CALL_MS, CALL_RANDOM_MS } from './calendar.ts';
import { evolveMarket, followBook, knownState, type Market, UNKNOWN } from './market.ts';
import { beginPhase, endCall } from './phaseDecider.ts';

const NOW = '2026-03-02T16:00:00.000Z';
const nowMs = Date.parse(NOW);
const sealed = (fact: MarketFact | BookFact, time: string) =>
  seal('00000000-0000-4000-8000-000000000001', testCause(time), [fact])[0];
const after = (its: Market, fact: MarketFact, time = NOW) =>
  evolveMarket(its, sealed(fact, time) as MarketEvent, its.revision + 1);
const told = (its: Market, fact: BookFact, time = NOW): Market => {
  const next = { ...its };
  followBook(next, sealed(fact, time) as BookEvent);
  return next;
};
const state = (next: MarketState): BookFact => ({ type: 'MarketStateChanged.v1', data: { state: next } });
const resumed: MarketFact = { type: 'TradingResumed.v1', data: { symbol: 'ACME' } };

test('an operator’s hand begins a phase', () => {
  expect(beginPhase(market(), { symbol: 'ACME', phase: 'closing_auction' }, nowMs)).toEqual({
    fact: { type: 'TradingPhaseBegan.v1', data: { symbol: 'ACME', phase: 'closing_auction', at: NOW } },
  });
});

test.for([
  ['UNKNOWN_SYMBOL', undefined, 'closed'],
  ['MATCHING_RULES', market({ matchingRules: 2 }), 'closed'],
  ['SYMBOL_HALTED', market({ state: 'halt' }), 'closed'],
  ['TRADING_PHASE', market(), 'pre_open'],
  ['TRADING_PHASE', market({ state: 'closing_auction' }), 'continuous'],
] as const)('a phase is refused: %s', ([code, its, phase]) => {
  const decision = beginPhase(its, { symbol: 'ACME', phase }, nowMs);
  expect('refusal' in decision && decision.refusal.code).toBe(code);
});

test('what the market does is what its book says; after a halt it is not known until then', () => {
  const halted = after(market(), { type: 'TradingHalted.v1', data: { symbol: 'ACME', reason: 'news' } });
  expect(knownState(halted)).toBe('halt');
  expect(knownState(after(halted, resumed))).toBeNull();
  expect(knownState(told(after(halted, resumed), state('volatility_auction')))).toBe('volatility_auction');
  const old = { ...halted, matchingRules: 2 };
  expect(knownState(after(old, resumed))).toBe('continuous');
});

test('a market that was read without its book does what that says, once it is asked', () => {
  const its = { ...market(), nextExpiresAt: UNKNOWN };
  expect(knownState(its)).toBeNull();
  const time: BookFact = {
    type: 'TimeApplied.v1',
    data: { at: NOW, nextExpiresAt: null, state: 'pre_open', referenceTicks: 1_000 },
  };
  expect(knownState(told(its, time))).toBe('pre_open');
});

test('phases may be begun one after the other without waiting for the engine', () => {
  const closing: MarketFact = {
    type: 'TradingPhaseBegan.v1',
    data: { symbol: 'ACME', phase: 'closed', at: NOW },
  };
  const its = after(market(), closing);
  expect([its.state, knownState(its)]).toEqual(['continuous', null]);
  expect(beginPhase(its, { symbol: 'ACME', phase: 'pre_open' }, nowMs)).toMatchObject({
    fact: { data: { phase: 'pre_open' } },
  });
});

test('an auction’s price is the reference, and a day’s close follows it', () => {
  const result = { priceTicks: 1_020, quantity: 5, surplus: 0, surplusSide: null };
  const uncrossed: BookFact = {
    type: 'AuctionUncrossed.v1',
    data: { auction: 'opening_auction', ...result },
  };
  const its = told(market(), uncrossed);
  expect(its.referenceTicks).toBe(1_020);
  const none: BookFact = { ...uncrossed, data: { ...uncrossed.data, priceTicks: null } } as BookFact;
  expect(told(its, none).referenceTicks).toBe(1_020);
  const time: BookFact = {
    type: 'TimeApplied.v1',
    data: { at: NOW, nextExpiresAt: null, state: 'closed', referenceTicks: 1_030 },
  };
  expect(told(its, time)).toMatchObject({ referenceTicks: 1_030, state: 'closed' });
});

test('a call ends once, after its time and what chance adds', () => {
  const its = told(market(), state('volatility_auction'));
  const at = (ms: number) => endCall(its, nowMs + ms, 2_000 / CALL_RANDOM_MS);
  expect(at(CALL_MS + 1_999)).toBeNull();
  const ended = at(CALL_MS + 60_000);
  expect(ended).toEqual({
    type: 'AuctionCallEnded.v1',
    data: { symbol: 'ACME', at: '2026-03-02T16:00:12.000Z' },
  });
  expect(endCall(after(its, ended as MarketFact), nowMs + CALL_MS + 60_000, 0)).toBeNull();
  expect(endCall(told(its, state('continuous')), nowMs + CALL_MS + 60_000, 0)).toBeNull();
});

test('a call of the day counts from when it was due', () => {
  const due = '2026-03-02T15:00:00.000Z';
  const began = after(market(), {
    type: 'TradingPhaseBegan.v1',
    data: { symbol: 'ACME', phase: 'closing_auction', at: due },
  });
  expect(endCall(told(began, state('closing_auction')), nowMs, 0)).toMatchObject({
    data: { at: '2026-03-02T15:00:10.000Z' },
  });
});
