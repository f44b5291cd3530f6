import type { AccountFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { ALICE, aliceGets40, listed, ORDER, RULES, second, story, traded } from '../../test/given.ts';
import { columns } from '../run/columns.ts';
import { foldCandles } from './candles.ts';
import { foldExecutions } from './executions.ts';
import { foldSymbols } from './symbols.ts';
import { foldWallets } from './wallets.ts';

test('a fill is an execution of its account', () => {
  expect(foldExecutions([story().account(ALICE, aliceGets40())])).toEqual([
    {
      position: 1,
      accountId: ALICE,
      orderId: ORDER,
      symbol: 'AAPL',
      side: 'buy',
      liquidity: 'taker',
      tradeId: 'AAPL-1',
      priceCents: 14_990,
      quantity: 40,
      valueCents: 599_600,
      feeCents: 300,
      sequence: 3,
      executedAt: second(9),
    },
  ]);
});

test('trades make candles by their time, in each interval', () => {
  const { book } = story();
  const trade = (time: string, priceTicks: number, quantity: number) =>
    book('AAPL', traded({ priceTicks, quantity, tickCents: 5 }), `2026-01-05T${time}Z`);
  const events = [
    trade('14:31:00.000', 100, 1),
    trade('14:31:59.999', 90, 2),
    trade('14:31:59.999', 95, 3),
    trade('14:35:00.000', 120, 4),
  ];
  const start = (time: string) => `2026-01-05T${time}:00.000Z`;
  const first = { openCents: 500, highCents: 500, lowCents: 450, closeCents: 475, volume: 6, trades: 3 };
  const opening = { openCents: 500, highCents: 500, lowCents: 500, closeCents: 500, volume: 1, trades: 1 };
  const later = { openCents: 450, highCents: 475, lowCents: 450, closeCents: 475, volume: 5, trades: 2 };
  const second = { openCents: 600, highCents: 600, lowCents: 600, closeCents: 600, volume: 4, trades: 1 };
  const both = { openCents: 500, highCents: 600, lowCents: 450, closeCents: 600, volume: 10, trades: 4 };
  expect(foldCandles(events)).toEqual([
    { symbol: 'AAPL', interval: '1d', start: start('00:00'), ...both },
    { symbol: 'AAPL', interval: '1h', start: start('14:00'), ...both },
    { symbol: 'AAPL', interval: '1m', start: start('14:31'), ...first },
    { symbol: 'AAPL', interval: '1m', start: start('14:35'), ...second },
    { symbol: 'AAPL', interval: '1s', start: start('14:31'), ...opening },
    { symbol: 'AAPL', interval: '1s', start: '2026-01-05T14:31:59.000Z', ...later },
    { symbol: 'AAPL', interval: '1s', start: start('14:35'), ...second },
  ]);
});

test('a wallet shows who has switched its account off', () => {
  const { account } = story();
  const killed: AccountFact = {
    type: 'KillSwitchActivated.v1',
    data: { accountId: ALICE, by: 'owner', reason: null },
  };
  const released: AccountFact = {
    type: 'KillSwitchReleased.v1',
    data: { accountId: ALICE, by: 'operator' },
  };
  const row = { accountId: ALICE, clientId: null, cashCents: 0, heldCents: 0 };
  expect(foldWallets([account(ALICE, killed)])).toEqual([{ ...row, killSwitch: 'owner' }]);
  expect(foldWallets([account(ALICE, killed), account(ALICE, released)])).toEqual([
    { ...row, killSwitch: '' },
  ]);
});

test('a symbol is what its market and its book last said of it', () => {
  const { market, book } = story();
  const symbol = 'AAPL';
  const listing = market(listed());
  const later = [
    market({ type: 'TradingHalted.v1', data: { symbol, reason: 'news' } }),
    market({ type: 'DayEnded.v1', data: { symbol, day: '2026-01-05', at: second(3), closeTicks: 14_990 } }),
    market({ type: 'SymbolExemptionsChanged.v1', data: { symbol, bandsOff: true, quotasOff: false } }),
  ];
  const said = { state: 'halt', referenceTicks: 14_990, exemptions: { bandsOff: true, quotasOff: false } };
  expect(foldSymbols([listing, ...later])).toEqual([
    { symbol, listed: { name: 'Apple', rules: RULES, matchingRules: 1 }, ...said },
  ]);
  expect(foldSymbols(later)).toEqual([{ symbol, ...said }]);
  const result = { priceTicks: 15_010, quantity: 5, surplus: 0, surplusSide: null };
  const reopened = [
    market({ type: 'TradingResumed.v1', data: { symbol } }),
    book(symbol, { type: 'MarketStateChanged.v1', data: { state: 'volatility_auction' } }),
    book(symbol, { type: 'AuctionUncrossed.v1', data: { auction: 'volatility_auction', ...result } }),
    book(symbol, { type: 'MarketStateChanged.v1', data: { state: 'continuous' } }),
  ];
  expect(foldSymbols(reopened)).toEqual([{ symbol, state: 'continuous', referenceTicks: 15_010 }]);
  expect(foldSymbols(reopened.slice(0, 1))).toEqual([]);
  const clock = { at: second(9), factor: 60 };
  const calendar = market({ type: 'TradingCalendarSet.v1', data: { symbol, session: null, clock } });
  expect(foldSymbols([calendar])).toEqual([{ symbol, calendar: { session: null, clockFactor: 60 } }]);
});

test('columns are array literals that no text can break out of', () => {
  const rows = [
    { name: 'Say "hi", {you} \\ NULL', count: 1, flag: true },
    { name: 'NULL', count: -2, flag: null },
    { name: null, count: null, flag: false },
  ];
  expect(columns(rows, [(row) => row.name, (row) => row.count, (row) => row.flag])).toEqual([
    '{"Say \\"hi\\", {you} \\\\ NULL","NULL",null}',
    '{1,-2,null}',
    '{true,null,false}',
  ]);
});
