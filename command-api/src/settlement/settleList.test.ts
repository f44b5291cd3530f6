import type { AccountFact, BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, bookEvent, eventOf } from '../../test/facts.ts';
import { type Account, checkAccount, evolve } from '../account/account.ts';
import { accountFrom, accountText } from '../account/accountText.ts';
import { settle } from './settle.ts';

/** Orders that belong together: 10 of ACME, a limit (5) and a stop-limit (6), fee 0.1 %. */
const cash: AccountFact = { type: 'CashTransferredIn.v1', data: { transferId: at(2), amountCents: 100_000 } };
const shares: AccountFact = {
  type: 'SharesTransferredIn.v1',
  data: { transferId: at(3), symbol: 'ACME', quantity: 10 },
};
const list = (
  side: 'buy' | 'sell',
  [limitTicks, stopTicks]: [number, number],
  hold: object,
): AccountFact => ({
  type: 'OrderListPlaced.v1',
  data: {
    listId: at(4),
    accountId: at(1),
    kind: 'oco',
    symbol: 'ACME',
    quantity: 10,
    tickCents: 1,
    referenceTicks: 1_000,
    bandExempt: false,
    feePpm: 1_000,
    holdCents: 0,
    holdShares: 0,
    ...hold,
    orders: (['take_profit', 'stop_loss'] as const).map((role, n) => ({
      orderId: at(5 + n),
      clientOrderId: null,
      role,
      side,
      type: n === 0 ? 'limit' : 'stop_limit',
      timeInForce: 'gtc',
      limitTicks: n === 0 ? limitTicks : stopTicks,
      ...(n === 0 ? {} : { stopTicks }),
    })),
  },
});
const selling = () => accountWith(shares, list('sell', [1_050, 950], { holdShares: 10 }));
const buying = () => accountWith(cash, list('buy', [950, 1_050], { holdCents: 10_500 + 11 + 1 }));

const me = (orderId: string) => ({ orderId, accountId: at(1), revision: 2 });
const trade = (orderId: string, quantity: number, leaves: number, priceTicks: number): BookFact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: 17,
    priceTicks,
    tickCents: 1,
    quantity,
    takerSide: 'buy',
    taker: { orderId: at(77), accountId: at(78), revision: 4, leaves: 0 },
    maker: { ...me(orderId), leaves },
  },
});
const ended = (
  orderId: string,
  quantity: number,
  reason: 'OCO_TRIGGER' | 'SELF_TRADE_PREVENTED',
): BookFact => ({
  type: 'OrderExpired.v1',
  data: { order: me(orderId), side: 'sell', priceTicks: 950, quantity, resting: false, reason },
});
const canceled = (orderId: string): BookFact => ({
  type: 'OrderCanceled.v1',
  data: { order: me(orderId), side: 'sell', priceTicks: 950, quantity: 10 },
});

/** Settles and records, as `accounts.execute` does; the sequences count from 40. */
function settled(account: Account, ...facts: BookFact[]): AccountFact[] {
  const outputs = facts.map((fact, n) => ({ event: bookEvent(fact), sequence: 40 + n, symbol: 'ACME' }));
  const told = settle(account, outputs).map(({ fact }) => fact);
  for (const fact of told) evolve(account, eventOf(fact), 100);
  checkAccount(account);
  expect(accountText(accountFrom(accountText(account)))).toBe(accountText(account));
  expect(settle(account, outputs)).toEqual([]);
  return told;
}

test('a fill of one takes the same shares off the other, in one fact', () => {
  const account = selling();
  const [fact] = settled(account, trade(at(5), 4, 6, 1_050));
  expect(fact?.data).toMatchObject({
    quantity: 4,
    leavesQuantity: 6,
    sibling: { orderId: at(6), quantity: 6, leavesQuantity: 6 },
    releasedShares: 0,
  });
  expect(account.holdings.get('ACME')).toEqual({ shares: 6, held: 6 });
  expect(account.orders.get(at(6))?.quantity).toBe(6);
});

test('the last fill closes one, and what the book says of the other closes that with nothing to release', () => {
  const account = selling();
  const facts = settled(account, trade(at(5), 10, 0, 1_050), ended(at(6), 10, 'OCO_TRIGGER'));
  expect(facts.map(({ type }) => type)).toEqual(['OrderFilled.v1', 'OrderClosed.v1']);
  expect(facts[1]?.data).toMatchObject({
    orderId: at(6),
    status: 'expired',
    releasedShares: 0,
    unfilledQuantity: 0,
  });
  expect([account.lists.size, account.orders.size, account.holdings.size]).toEqual([0, 0, 0]);
});

test('a list to buy pays whichever fills, and keeps what the other one may still cost', () => {
  const account = buying();
  settled(account, trade(at(5), 4, 6, 950));
  // 6 at 10.50 and fees on 3,800 + 6,300 in all, of which 4 are paid; a cent for the second rounding.
  expect(account.heldCents).toBe(6_300 + (11 - 4) + 1);
  const other = buying();
  settled(other, trade(at(6), 4, 6, 1_050), trade(at(5), 6, 0, 940), ended(at(6), 6, 'OCO_TRIGGER'));
  expect([other.cashCents, other.heldCents]).toEqual([100_000 - 4_200 - 5 - 5_640 - 6, 0]);
});

test('a leg that ends by itself leaves the hold to its sibling; the last one gives it back', () => {
  const account = selling();
  settled(account, ended(at(5), 10, 'SELF_TRADE_PREVENTED'));
  expect(account.holdings.get('ACME')).toEqual({ shares: 10, held: 10 });
  expect(account.lists.get(at(4))?.orderIds).toEqual([at(6)]);
  const rest = settle(account, [{ event: bookEvent(canceled(at(6))), sequence: 50, symbol: 'ACME' }]);
  expect(rest[0]?.fact.data).toMatchObject({ status: 'canceled', releasedShares: 10 });
});

test('a cancel of both gives all back, with the second of them', () => {
  const account = buying();
  const facts = settled(account, canceled(at(5)), canceled(at(6)));
  expect(facts.map(({ data }) => 'releasedCents' in data && data.releasedCents)).toEqual([1, 10_511]);
  expect([account.heldCents, account.lists.size]).toEqual([0, 0]);
});

test('what prevention takes off the longer order is its own, and costs what it costs beside the other', () => {
  const account = buying();
  const prevented: BookFact = {
    type: 'TradePrevented.v1',
    data: {
      mode: 'decrement',
      priceTicks: 1_050,
      quantity: 4,
      takerSide: 'sell',
      maker: { ...me(at(6)), leaves: 6 },
      taker: { orderId: at(77), accountId: at(78), revision: 4, leaves: 0 },
    },
  };
  settled(account, prevented);
  // 6 shared at 10.50, 4 of the limit's own at 9.50.
  expect(account.heldCents).toBe(6_300 + 3_800 + 11 + 1);
});

const bracket: AccountFact = {
  type: 'OrderListPlaced.v1',
  data: {
    listId: at(4),
    accountId: at(1),
    kind: 'bracket',
    symbol: 'ACME',
    quantity: 10,
    tickCents: 1,
    referenceTicks: 1_000,
    bandExempt: false,
    feePpm: 0,
    holdCents: 10_000,
    holdShares: 0,
    orders: (['entry', 'take_profit', 'stop_loss'] as const).map((role, n) => ({
      orderId: at(5 + n),
      clientOrderId: null,
      role,
      side: n === 0 ? 'buy' : 'sell',
      type: n === 2 ? 'stop_limit' : 'limit',
      timeInForce: 'gtc',
      limitTicks: 1_000,
      ...(n === 2 ? { stopTicks: 1_000 } : {}),
    })),
  },
};
const activated = (orderId: string, quantity: number): BookFact => ({
  type: 'OrderActivated.v1',
  data: {
    order: me(orderId),
    side: 'sell',
    type: 'limit',
    timeInForce: 'gtc',
    quantity,
    limitTicks: 1_000,
    restingQuantity: quantity,
  },
});
const entryCanceled: BookFact = {
  type: 'OrderCanceled.v1',
  data: { order: me(at(5)), side: 'buy', priceTicks: 1_000, quantity: 6 },
};

test('bought shares are held for those that will sell them, and never available in between', () => {
  const account = accountWith(cash, bracket);
  const [fill] = settled(account, trade(at(5), 4, 6, 1_000));
  expect(fill?.data).toMatchObject({ heldShares: 4 });
  expect(account.holdings.get('ACME')).toEqual({ shares: 4, held: 4 });
  expect(account.heldCents).toBe(6_000);
});

test('once the entry has ended they are for what it has bought, and sell it once', () => {
  const account = accountWith(cash, bracket);
  const facts = settled(
    account,
    trade(at(5), 4, 6, 1_000),
    entryCanceled,
    activated(at(7), 4),
    activated(at(6), 4),
    trade(at(6), 4, 0, 1_000),
    ended(at(7), 4, 'OCO_TRIGGER'),
  );
  expect(facts.map(({ type }) => type)).toEqual([
    'OrderFilled.v1',
    'OrderClosed.v1',
    'OrderArmed.v1',
    'OrderArmed.v1',
    'OrderFilled.v1',
    'OrderClosed.v1',
  ]);
  expect([account.cashCents, account.heldCents, account.holdings.size, account.lists.size]).toEqual([
    100_000, 0, 0, 0,
  ]);
});

test('with the two canceled what the entry has bought is free, and so is what it buys then', () => {
  const account = accountWith(cash, bracket);
  settled(account, trade(at(5), 4, 6, 1_000), canceled(at(6)), canceled(at(7)), trade(at(5), 6, 0, 1_000));
  expect(account.holdings.get('ACME')).toEqual({ shares: 10, held: 0 });
});
