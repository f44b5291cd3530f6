import type { AccountFact, BookFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, bookEvent, eventOf, placed, T0 } from '../../test/facts.ts';
import { type Account, checkAccount, evolve } from '../account/account.ts';
import { settle } from './settle.ts';

const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 1_000_000 },
};
const shares: AccountFact = {
  type: 'SharesTransferredIn.v1',
  data: { transferId: at(3), symbol: 'ACME', quantity: 100 },
};
const sellOrder = placed({ orderId: at(6), side: 'sell', holdCents: 0, holdShares: 10 });
const me = (orderId: string) => ({ orderId, accountId: at(1), revision: 2 });
const other = { orderId: at(77), accountId: at(78), revision: 4, leaves: 0 };

const trade = (given: {
  buys?: string;
  sells?: string;
  quantity: number;
  leaves: number;
  priceTicks?: number;
}): BookFact => {
  const { buys, sells, quantity, leaves, priceTicks = 1_000 } = given;
  const side = (orderId: string | undefined) => (orderId ? { ...me(orderId), leaves } : other);
  return {
    type: 'TradeExecuted.v1',
    data: {
      trade: 17,
      priceTicks,
      tickCents: 1,
      quantity,
      takerSide: 'buy',
      taker: side(buys),
      maker: side(sells),
    },
  };
};
const output = (fact: BookFact, sequence: number) => ({ event: bookEvent(fact), sequence, symbol: 'ACME' });

/** Settles and records, as `accounts.execute` does. */
function settled(account: Account, ...outputs: ReturnType<typeof output>[]): AccountFact[] {
  const facts = settle(account, outputs).map(({ fact }) => fact);
  for (const fact of facts) evolve(account, eventOf(fact), 100);
  checkAccount(account);
  return facts;
}

test('a fill below the limit releases its improvement at once; fees are charged on the cumulative value', () => {
  const account = accountWith(cash, placed());
  expect(
    settled(account, output(trade({ buys: at(5), quantity: 3, leaves: 7, priceTicks: 950 }), 40)),
  ).toEqual([
    {
      type: 'OrderFilled.v1',
      data: {
        orderId: at(5),
        symbol: 'ACME',
        side: 'buy',
        sequence: 40,
        // Held 10,010; now 7 × 1,000 and the fee on 2,850 + 7,000, of which 3 is paid.
        releasedCents: 10_010 - 2_850 - 3 - (7_000 + 10 - 3),
        releasedShares: 0,
        tradeId: 'ACME-17',
        liquidity: 'taker',
        priceTicks: 950,
        tickCents: 1,
        quantity: 3,
        valueCents: 2_850,
        feeCents: 3,
        filledQuantity: 3,
        filledValueCents: 2_850,
        feesCents: 3,
        leavesQuantity: 7,
        closes: false,
        tradedAt: T0,
      },
    },
  ]);
  expect([account.cashCents, account.heldCents]).toEqual([1_000_000 - 2_853, 7_007]);
  expect(account.holdings.get('ACME')).toEqual({ shares: 3, held: 0 });
});

test('the last fill of a sell pays its proceeds less the fee and closes the order', () => {
  const account = accountWith(shares, sellOrder);
  settled(account, output(trade({ sells: at(6), quantity: 10, leaves: 0 }), 41));
  expect([account.cashCents, account.heldCents]).toEqual([10_000 - 10, 0]);
  expect(account.holdings.get('ACME')).toEqual({ shares: 90, held: 0 });
  expect([account.orders.size, account.closed.has(at(6))]).toEqual([0, true]);
});

test('an output is settled once: again, late or for a closed order it means nothing', () => {
  const account = accountWith(cash, placed());
  const first = output(trade({ buys: at(5), quantity: 3, leaves: 7 }), 40);
  const last = output(trade({ buys: at(5), quantity: 7, leaves: 0 }), 42);
  expect(settled(account, first, first)).toHaveLength(1);
  expect(settled(account, first, last)).toHaveLength(1);
  expect(settled(account, first, last)).toEqual([]);
  expect(account.holdings.get('ACME')).toEqual({ shares: 10, held: 0 });
});

test('both legs of a trade with oneself are settled', () => {
  const account = accountWith(cash, shares, placed(), sellOrder);
  const facts = settled(account, output(trade({ buys: at(5), sells: at(6), quantity: 10, leaves: 0 }), 43));
  expect(facts.map(({ type, data }) => [type, 'side' in data && data.side])).toEqual([
    ['OrderFilled.v1', 'sell'],
    ['OrderFilled.v1', 'buy'],
  ]);
  expect([account.cashCents, account.holdings.get('ACME')]).toEqual([
    1_000_000 - 20,
    { shares: 100, held: 0 },
  ]);
});

const canceled = (quantity: number): BookFact => ({
  type: 'OrderCanceled.v1',
  data: { order: me(at(5)), side: 'buy', priceTicks: 1_000, quantity },
});
const expired: BookFact = {
  type: 'OrderExpired.v1',
  data: {
    order: me(at(5)),
    side: 'buy',
    priceTicks: 1_000,
    quantity: 10,
    resting: true,
    reason: 'DAY_ENDED',
  },
};
const rejected: BookFact = { type: 'OrderRejected.v1', data: { order: me(at(5)), code: 'SYMBOL_HALTED' } };

test.for([
  ['canceled', canceled(10), null],
  ['expired', expired, 'DAY_ENDED'],
  ['rejected', rejected, 'SYMBOL_HALTED'],
] as const)('an order that is %s gives back all that it held', ([status, fact, reason]) => {
  const account = accountWith(cash, placed());
  expect(settled(account, output(fact, 44))).toEqual([
    {
      type: 'OrderClosed.v1',
      data: {
        orderId: at(5),
        symbol: 'ACME',
        side: 'buy',
        sequence: 44,
        releasedCents: 10_010,
        releasedShares: 0,
        status,
        reason,
        unfilledQuantity: 10,
      },
    },
  ]);
  expect([account.cashCents, account.heldCents]).toEqual([1_000_000, 0]);
});

const amendRequested: AccountFact = {
  type: 'OrderAmendRequested.v1',
  data: { orderId: at(5), accountId: at(1), symbol: 'ACME', amendment: 1, quantity: 4 },
};
const replaced = (quantity: number, leaves: number): BookFact => ({
  type: 'OrderReplaced.v1',
  data: { order: me(at(5)), amendment: 1, side: 'buy', priceTicks: 1_000, quantity, leavesBefore: 7, leaves },
});

test('a request for less releases nothing; the answer does', () => {
  const account = accountWith(cash, placed(), amendRequested);
  expect(account.heldCents).toBe(10_010);
  settled(account, output(replaced(4, 4), 45));
  expect(account.heldCents).toBe(4_004);
  expect(account.orders.get(at(5))).toMatchObject({ quantity: 4, amendPending: null });
});

test('an order reduced to what is filled is closed', () => {
  const account = accountWith(cash, placed(), amendRequested);
  settled(account, output(trade({ buys: at(5), quantity: 5, leaves: 5 }), 45), output(replaced(5, 0), 46));
  expect([account.heldCents, account.orders.size]).toEqual([0, 0]);
});

test('a rejected amendment leaves the order as it is, free for another', () => {
  const account = accountWith(cash, placed(), amendRequested);
  const fact: BookFact = {
    type: 'OrderReplaceRejected.v1',
    data: { order: me(at(5)), amendment: 1, code: 'ORDER_NOT_OPEN' },
  };
  settled(account, output(fact, 47));
  expect(account.orders.get(at(5))).toMatchObject({ quantity: 10, amendPending: null, lastSequence: 47 });
});

test('the first fill gives the order rate back', () => {
  const account = accountWith(cash, placed());
  expect(account.rates.unfilled).toBe(1);
  settled(account, output(trade({ buys: at(5), quantity: 3, leaves: 7 }), 40));
  settled(account, output(trade({ buys: at(5), quantity: 3, leaves: 4 }), 41));
  expect(account.rates.unfilled).toBe(0);
});

test('a book that disagrees with the account is a bug, not a fact', () => {
  const account = accountWith(cash, placed());
  const wrong = output(trade({ buys: at(5), quantity: 3, leaves: 6 }), 40);
  expect(() => settle(account, [wrong])).toThrow('book and account agree');
});

/** A market buy for 100.00, fees of 0.1 % aside. */
const forMoney = placed({
  type: 'market',
  timeInForce: 'ioc',
  quantity: 0,
  notionalCents: 10_000,
  holdCents: 10_010,
});

test('an order for an amount of money holds what is left to spend and its fees', () => {
  const account = accountWith(cash, forMoney);
  settled(account, output(trade({ buys: at(5), quantity: 3, leaves: 7, priceTicks: 950 }), 40));
  expect(account.heldCents).toBe(10_000 - 2_850 + (10 - 3));
});

test('money below a lot makes it filled with its last trade, or afterwards; all that is left is released', () => {
  const account = accountWith(cash, forMoney);
  settled(account, output(trade({ buys: at(5), quantity: 10, leaves: 0, priceTicks: 950 }), 40));
  expect([account.cashCents, account.heldCents, account.orders.size]).toEqual([1_000_000 - 9_510, 0, 0]);

  const another = accountWith(cash, forMoney);
  const completed: BookFact = {
    type: 'OrderCompleted.v1',
    data: { order: me(at(5)), side: 'buy', leftCents: 500 },
  };
  const facts = settled(
    another,
    output(trade({ buys: at(5), quantity: 9, leaves: 1, priceTicks: 1_000 }), 40),
    output(completed, 41),
  );
  expect(facts.at(-1)).toEqual({
    type: 'OrderClosed.v1',
    data: {
      orderId: at(5),
      symbol: 'ACME',
      side: 'buy',
      sequence: 41,
      releasedCents: 1_001,
      releasedShares: 0,
      status: 'filled',
      reason: null,
      unfilledQuantity: 0,
    },
  });
  expect([another.cashCents, another.heldCents]).toEqual([1_000_000 - 9_009, 0]);
});
