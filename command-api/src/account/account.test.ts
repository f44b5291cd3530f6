import assert from 'node:assert/strict';
import type { AccountFact } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accountWith, at, bookEvent, eventOf, market, placed, T0 } from '../../test/facts.ts';
import { naiveMarket } from '../../test/naiveMarket.ts';
import { amendOrder } from '../orders/amend.ts';
import { cancelOrder } from '../orders/cancel.ts';
import { placeOrder } from '../orders/placeOrder.ts';
import { type BookOutput, settle } from '../settlement/settle.ts';
import { type Account, checkAccount, evolve, initialAccount } from './account.ts';
import { accountFrom, accountText } from './accountText.ts';

const step = fc.record({
  what: fc.constantFrom(
    'place',
    'place',
    'market',
    'market',
    'market',
    'cancel',
    'amend',
    'settle',
    'settle',
  ),
  account: fc.nat({ max: 2 }),
  number: fc.nat({ max: 1_000_000 }),
});

/** Three accounts trade with each other; outputs reach them late, in runs, and again and again. */
function life(steps: readonly { what: string; account: number; number: number }[]) {
  const accounts = [1, 2, 3].map((n) => {
    const account = initialAccount();
    const facts: AccountFact[] = [
      { type: 'AccountOpened.v1', data: { accountId: at(n), clientId: at(9) } },
      { type: 'CashTransferredIn.v1', data: { transferId: at(20 + n), amountCents: 500_000 } },
      { type: 'SharesTransferredIn.v1', data: { transferId: at(30 + n), symbol: 'ACME', quantity: 300 } },
    ];
    facts.forEach((fact, revision) => evolve(account, eventOf(fact), revision));
    return { account, revision: facts.length - 1, from: 0 };
  });
  const market1 = naiveMarket();
  const outputs: BookOutput[] = [];
  const record = (its: (typeof accounts)[number], fact: AccountFact) => {
    its.revision += 1;
    evolve(its.account, eventOf(fact), its.revision);
    market1.take(fact, its.revision);
    checkAccount(its.account);
  };
  const settleAll = (its: (typeof accounts)[number], from: number, to: number) => {
    for (const { fact } of settle(its.account, outputs.slice(from, to))) record(its, fact);
  };

  steps.forEach(({ what, account: index, number }, i) => {
    const its = accounts[index];
    assert(its);
    const { account } = its;
    const order = [...account.orders.keys()][number % Math.max(1, account.orders.size)] ?? at(0);
    const ids = { orderId: order, accountId: account.accountId };
    if (what === 'place') {
      const side = number % 2 === 0 ? ('buy' as const) : ('sell' as const);
      const priced = { limit_price: (9 + (number % 200) / 100).toFixed(2), qty: String(1 + (number % 97)) };
      const asked = {
        symbol: 'ACME',
        type: 'limit' as const,
        time_in_force: 'day' as const,
        side,
        ...priced,
      };
      const command = {
        ...ids,
        orderId: at(1_000 + i),
        nowMs: Date.parse(T0),
        order: asked,
        market: market(),
      };
      record(its, placeOrder(account, command));
    }
    if (what === 'market') {
      for (const fact of market1.happens(number)) {
        outputs.push({ event: bookEvent(fact), sequence: outputs.length, symbol: 'ACME' });
      }
    }
    if (what === 'cancel') {
      const fact = cancelOrder(account, ids);
      if (!('unchanged' in fact)) record(its, fact);
    }
    if (what === 'amend') {
      const qty = String(1 + (number % 150));
      const limit_price = (9 + ((number >> 3) % 200) / 100).toFixed(2);
      const change = [{ qty }, { limit_price }, { qty, limit_price }][number % 3] ?? { qty };
      record(its, amendOrder(account, { ...ids, change, marketOf: () => market() }));
    }
    if (what === 'settle') {
      // Some already seen, some new, never a gap.
      const to = Math.min(outputs.length, its.from + (number % 5));
      settleAll(its, Math.max(0, its.from - (number % 7)), to);
      its.from = Math.max(its.from, to);
    }
  });
  for (const its of accounts) settleAll(its, 0, outputs.length);
  return { accounts: accounts.map(({ account }) => account), outputs };
}

const sum = (accounts: readonly Account[], of: (account: Account) => number) =>
  accounts.reduce((total, account) => total + of(account), 0);

test('whatever happens, nothing goes below zero, and cash and shares are conserved', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
      const { accounts, outputs } = life(steps);
      const trades = outputs.flatMap(({ event }) => (event.type === 'TradeExecuted.v1' ? [event.data] : []));
      expect(sum(accounts, (account) => account.holdings.get('ACME')?.shares ?? 0)).toBe(900);
      // Fees leave: those of open orders are on them, those of closed ones are not kept; so they bound the loss.
      const lost = 1_500_000 - sum(accounts, ({ cashCents }) => cashCents);
      const value = trades.reduce((total, { priceTicks, quantity }) => total + priceTicks * quantity, 0);
      expect(lost).toBeGreaterThanOrEqual(Math.floor((2 * value) / 1_000));
      expect(lost).toBeLessThanOrEqual(Math.ceil((2 * value) / 1_000) + steps.length);
    }),
    { numRuns: 400 },
  );
});

test('however outputs come, late, in runs or repeatedly, the accounts end alike', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 100 }), (steps) => {
      const { accounts, outputs } = life(steps);
      for (const account of accounts) {
        const before = accountText(account);
        expect(settle(account, outputs)).toEqual([]);
        expect(accountText(account)).toBe(before);
      }
    }),
    { numRuns: 100 },
  );
});

test('a snapshot is the state, and goes on as the state does', () => {
  const steps = fc.sample(step, { numRuns: 400, seed: 7 });
  const { accounts, outputs } = life(steps);
  // Lives are not idle: without trades, reductions and open orders the properties above would say nothing.
  const kinds = new Set(outputs.map(({ event }) => event.type));
  expect([...kinds].toSorted()).toEqual([
    'OrderCanceled.v1',
    'OrderExpired.v1',
    'OrderRejected.v1',
    'OrderReplaceRejected.v1',
    'OrderReplaced.v1',
    'TradeExecuted.v1',
    'TradePrevented.v1',
  ]);
  expect(outputs.filter(({ event }) => event.type === 'TradeExecuted.v1').length).toBeGreaterThan(20);
  for (const account of accounts) {
    const copy = accountFrom(accountText(account));
    expect(copy).toEqual(account);
    evolve(copy, eventOf(placed({ orderId: at(4), clientOrderId: 'x' }), { id: at(3), hash: 'h' }), 999);
    evolve(account, eventOf(placed({ orderId: at(4), clientOrderId: 'x' }), { id: at(3), hash: 'h' }), 999);
    expect(copy).toEqual(account);
  }
});

test('a name is taken while its order is open or its key is kept', () => {
  const key = { id: at(40), hash: 'h' };
  const cash: AccountFact = {
    type: 'CashTransferredIn.v1',
    data: { transferId: at(2), amountCents: 1_000_000 },
  };
  const account = accountWith(cash);
  evolve(account, eventOf(placed({ clientOrderId: 'mine' }), key), 2);
  const closed: AccountFact = {
    type: 'OrderClosed.v1',
    data: {
      orderId: at(5),
      symbol: 'ACME',
      side: 'buy',
      sequence: 3,
      releasedCents: 10_010,
      releasedShares: 0,
      status: 'canceled',
      reason: null,
      unfilledQuantity: 10,
    },
  };
  evolve(account, eventOf(closed), 3);
  expect(account.names.has('mine')).toBe(true);
  const nextWeek = '2026-03-09T14:30:00.000Z';
  evolve(account, eventOf(cash, { id: at(41), hash: 'h' }, nextWeek), 4);
  expect(account.names.has('mine')).toBe(false);
});

test('an event that does not fit is a bug', () => {
  expect(() => evolve(accountWith(), eventOf(placed()), 1)).toThrow('10010 held of 0 cents');
  const settled: AccountFact = { type: 'DepositSettled.v1', data: { depositId: at(50), amountCents: 1 } };
  expect(() => evolve(accountWith(), eventOf(settled), 1)).toThrow('a deposit ends once');
});
