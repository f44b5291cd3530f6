import type { BookEvent, BookFact, ListSymbol, MarketEvent, MarketFact } from '@brokerx/contracts';
import { MATCHING_RULES_VERSION, seal } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { market } from '../../test/facts.ts';
import { testCause } from '../../test/world.ts';
import { evolveMarket, followBook, type Market, marketsFrom, marketsText, UNKNOWN } from './market.ts';
import {
  adoptMatchingRules,
  endDay,
  haltTrading,
  latestCloseMs,
  listSymbol,
  reachTime,
  resumeTrading,
  setSymbolExemptions,
} from './marketDecider.ts';

const listing = {
  symbol: 'ACME',
  name: 'Acme Inc.',
  listing_price: '10.00',
  tick_size: '0.05',
  collar_ppm: 100_000,
  fee_ppm: 500,
  order_qty_max: '1000',
  daily_close: '21:00',
};
const after = (from: Market | undefined, fact: MarketFact, revision = (from?.revision ?? -1) + 1) => {
  const [event] = seal('00000000-0000-4000-8000-000000000001', testCause(), [fact]);
  return evolveMarket(from, event as never, revision);
};

test('a listed symbol trades at once, around its listing price', () => {
  const decision = listSymbol(undefined, listing);
  expect(decision).toEqual({
    fact: {
      type: 'SymbolListed.v1',
      data: {
        symbol: 'ACME',
        name: 'Acme Inc.',
        rules: {
          tickCents: 5,
          listingTicks: 200,
          collarPpm: 100_000,
          feePpm: 500,
          orderSharesMax: 1_000,
          dailyClose: '21:00',
        },
        matchingRules: MATCHING_RULES_VERSION,
      },
    },
  });
  const listed = 'fact' in decision ? after(undefined, decision.fact) : undefined;
  expect(listed).toMatchObject({
    state: 'continuous',
    referenceTicks: 200,
    lastTradeTicks: null,
    revision: 0,
  });
});

test.for<[detail: string, rules: Partial<ListSymbol>]>([
  ['lot_size 2000 is above order_qty_max 1000', { lot_size: '2000' }],
  ['notional_min 20.00 is above notional_max 10.00', { notional_min: '20.00', notional_max: '10.00' }],
  [
    'notional_min 11000.01; the largest order at the highest price is worth 11000.00',
    { notional_min: '11000.01' },
  ],
  ['notional_max 8.99; the smallest order at the lowest price is worth 9.00', { notional_max: '8.99' }],
  [
    'notional_max 89.99; the smallest order at the lowest price is worth 90.00',
    { lot_size: '10', notional_max: '89.99' },
  ],
  [
    'no price times quantity lies within notional_min 11.01 and notional_max 17.99',
    { notional_min: '11.01', notional_max: '17.99' },
  ],
])('rules by which no order could be placed are not listed: %s', ([detail, rules]) => {
  expect(listSymbol(undefined, { ...listing, ...rules })).toEqual({
    refusal: { code: 'SYMBOL_RULES', detail },
  });
});

test.for<Partial<ListSymbol>>([
  { lot_size: '1000' },
  { notional_min: '11000.00' },
  { notional_max: '9.00' },
  { notional_min: '10.95', notional_max: '17.99' },
  { notional_min: '11.01', notional_max: '18.00' },
  { listing_price: '0.05', collar_ticks_min: 3 },
])('rules that leave room for one order are: %o', (rules) => {
  expect(listSymbol(undefined, { ...listing, ...rules })).toHaveProperty('fact');
});

test.for([
  ['SYMBOL_ALREADY_LISTED', listSymbol(market(), listing)],
  ['PRICE_TICK', listSymbol(undefined, { ...listing, listing_price: '10.01' })],
  ['UNKNOWN_SYMBOL', haltTrading(undefined, { symbol: 'ACME', reason: 'x' })],
  ['SYMBOL_HALTED', haltTrading(market({ state: 'halt' }), { symbol: 'ACME', reason: 'x' })],
  ['UNKNOWN_SYMBOL', resumeTrading(undefined, { symbol: 'ACME' })],
  ['SYMBOL_NOT_HALTED', resumeTrading(market(), { symbol: 'ACME' })],
  ['UNKNOWN_SYMBOL', setSymbolExemptions(undefined, { symbol: 'ACME', bands_off: true, quotas_off: true })],
] as const)('an operator is refused: %s', ([code, decision]) => {
  expect('refusal' in decision && decision.refusal.code).toBe(code);
});

test.for([
  ['2026-03-02T20:59:59.999Z', '2026-03-01T21:00:00.000Z'],
  ['2026-03-02T21:00:00.000Z', '2026-03-02T21:00:00.000Z'],
  ['2026-03-03T02:00:00.000Z', '2026-03-02T21:00:00.000Z'],
] as const)('at %s the latest close was %s', ([now, close]) => {
  expect(new Date(latestCloseMs('21:00', Date.parse(now))).toISOString()).toBe(close);
});

// Listed on 2 March at 09:00, closing at 21:00.
test.for([
  ['before its first close', '2026-03-02T20:59:59.999Z', '', null, null],
  ['at its close, nothing traded', '2026-03-02T21:00:00.000Z', '', null, ['2026-03-02', 1_000]],
  ['at its close, after trades', '2026-03-02T21:00:00.000Z', '', 1_012, ['2026-03-02', 1_012]],
  ['once that is recorded', '2026-03-02T23:00:00.000Z', '2026-03-02', null, null],
  ['after days of standstill', '2026-03-06T12:00:00.000Z', '2026-03-02', null, ['2026-03-05', 1_000]],
] as const)('the trading day ends %s', ([, now, lastDay, lastTradeTicks, expected]) => {
  const fact = endDay({ ...market(), lastDay, lastTradeTicks }, Date.parse(now));
  expect(fact && fact.type === 'DayEnded.v1' && [fact.data.day, fact.data.closeTicks]).toEqual(expected);
});

test('the close becomes the reference, and the next day begins without a trade', () => {
  const fact: MarketFact = {
    type: 'DayEnded.v1',
    data: { symbol: 'ACME', day: '2026-03-02', at: '2026-03-02T21:00:00.000Z', closeTicks: 1_012 },
  };
  expect(after({ ...market(), lastTradeTicks: 1_012 }, fact)).toMatchObject({
    referenceTicks: 1_012,
    lastDay: '2026-03-02',
    lastTradeTicks: null,
  });
  expect(() => after(market(), fact, 5)).toThrow('does not follow');
});

test('markets written and read back are the same', () => {
  const markets = [market(), { ...market({ state: 'halt' }), symbol: 'B' }];
  expect(marketsFrom(marketsText(markets))).toEqual(markets);
});

test('newer matching rules are adopted once, by a command of their own', () => {
  const old = { ...market(), matchingRules: 1 };
  const decided = adoptMatchingRules(old, { symbol: 'ACME' });
  const fact: MarketFact = {
    type: 'MatchingRulesAdopted.v1',
    data: { symbol: 'ACME', matchingRules: MATCHING_RULES_VERSION },
  };
  expect(decided).toEqual({ fact });
  const newest = market({ matchingRules: MATCHING_RULES_VERSION });
  expect(adoptMatchingRules(newest, { symbol: 'ACME' })).toMatchObject({
    refusal: { code: 'MATCHING_RULES_CURRENT' },
  });
});

test('the market is told the time when an order ends, and asked once', () => {
  const nowMs = Date.parse('2026-03-02T16:00:00.000Z');
  const at = '2026-03-02T16:00:00.000Z';
  const cause = testCause(at);
  const book = (fact: BookFact) => seal(cause.correlationId, cause, [fact])[0] as BookEvent;
  const its = market();
  const accepted: BookFact = {
    type: 'OrderAccepted.v1',
    data: {
      order: { orderId: cause.correlationId, accountId: cause.correlationId, revision: 1 },
      side: 'buy',
      type: 'limit',
      timeInForce: 'gtd',
      quantity: 1,
      limitTicks: 1_000,
      restingQuantity: 1,
      expiresAt: '2026-03-02T15:59:59.000Z',
    },
  };
  expect(reachTime(its, nowMs)).toBeNull();
  followBook(its, book(accepted));
  followBook(its, book({ ...accepted, data: { ...accepted.data, expiresAt: '2026-03-02T18:00:00.000Z' } }));
  const fact = reachTime(its, nowMs);
  expect(fact).toEqual({ type: 'TimeReached.v1', data: { symbol: 'ACME', at } });
  const [event] = seal(cause.correlationId, cause, fact ? [fact] : []) as MarketEvent[];
  const asked = evolveMarket(its, event as MarketEvent, 1);
  expect(reachTime(asked, nowMs)).toBeNull();
  followBook(
    asked,
    book({ type: 'TimeApplied.v1', data: { at, nextExpiresAt: '2026-03-02T18:00:00.000Z' } }),
  );
  expect(asked.nextExpiresAt).toBe('2026-03-02T18:00:00.000Z');
  expect(reachTime(asked, nowMs + 2 * 3_600_000)).not.toBeNull();
  expect(reachTime({ ...asked, nextExpiresAt: UNKNOWN }, nowMs)).not.toBeNull();
});
