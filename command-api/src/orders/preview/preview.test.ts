import type { AccountFact, PlaceOrder, views } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, market, T0 } from '../../../test/facts.ts';
import type { FactOf } from '../../commands/facts.ts';
import { placeOrder } from '../placeOrder.ts';
import { bandOf } from '../price.ts';
import { previewOrder } from './preview.ts';

const depth: views.DepthView = {
  symbol: 'ACME',
  sequence: 41,
  last_update_id: 41,
  crossed: false,
  bids: [
    ['9.98', '5'],
    ['9.97', '20'],
  ],
  asks: [
    ['10.00', '4'],
    ['10.01', '3'],
    ['10.05', '100'],
  ],
};
const buy: PlaceOrder = {
  symbol: 'ACME',
  side: 'buy',
  type: 'limit',
  qty: '10',
  limit_price: '10.01',
  time_in_force: 'day',
};
const sell: PlaceOrder = { ...buy, side: 'sell', limit_price: '9.97' };
const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 20_000 },
};
const shares: AccountFact = {
  type: 'SharesTransferredIn.v1',
  data: { transferId: at(3), symbol: 'ACME', quantity: 30 },
};

function preview(order: PlaceOrder, where = market()): views.OrderPreviewView {
  const account = accountWith(cash, shares);
  const command = { orderId: at(900), accountId: at(1), nowMs: Date.parse(T0), order, market: where };
  const decided = placeOrder(account, command) as FactOf<'OrderPlaced.v1'> | FactOf<'OrderRefused.v1'>;
  const { rules, matchingRules, state } = where;
  return previewOrder(order, decided, { depth, rules, matchingRules, band: bandOf(where), state });
}

test('a limit buy takes what is offered within its limit, and the rest rests', () => {
  expect(preview(buy)).toEqual({
    symbol: 'ACME',
    side: 'buy',
    type: 'limit',
    time_in_force: 'day',
    code: null,
    detail: null,
    limit_price: '10.01',
    protection_price: null,
    hold_cash: '100.21',
    hold_qty: '0',
    expected: {
      sequence: 41,
      filled_qty: '7',
      filled_avg_price: '10.0043',
      value: '70.03',
      fees: '0.08',
      leaves_qty: '3',
      leaves: 'rests',
    },
  });
});

test.for([
  [
    'a market sell goes down to its protection price',
    { ...sell, type: 'market', limit_price: undefined, qty: '30' },
    { filled_qty: '25', value: '249.30', leaves_qty: '5', leaves: 'expires' },
  ],
  [
    'a fill-or-kill order that cannot fill whole fills nothing',
    { ...buy, time_in_force: 'fok' },
    { filled_qty: '0', leaves_qty: '10', leaves: 'expires' },
  ],
  [
    'less than the minimum quantity is nothing',
    { ...buy, min_qty: '8' },
    { filled_qty: '0', filled_avg_price: null, leaves_qty: '10', leaves: 'expires' },
  ],
  [
    'an immediate-or-cancel order keeps nothing',
    { ...buy, time_in_force: 'ioc' },
    { filled_qty: '7', leaves: 'expires' },
  ],
  ['a whole fill leaves nothing', { ...sell, qty: '20' }, { filled_qty: '20', leaves: 'none' }],
  [
    'a stop waits',
    { ...buy, type: 'stop', limit_price: undefined, stop_price: '10.20' },
    { filled_qty: '0', leaves_qty: '10', leaves: 'waits' },
  ],
] as const)('%s', ([, order, expected]) => {
  expect(preview(order as PlaceOrder).expected).toMatchObject(expected);
});

test.for([
  ['gathers while a call runs', buy, 'opening_auction', 'rests'],
  ['gathers without a limit, too', { ...buy, type: 'market', limit_price: undefined }, 'pre_open', 'rests'],
  [
    'waits for the closing call',
    { ...buy, time_in_force: 'cls', limit_price: '9.00' },
    'continuous',
    'waits',
  ],
] as const)('an order %s', ([, order, state, leaves]) => {
  expect(preview(order as PlaceOrder, market({ state })).expected).toMatchObject({ filled_qty: '0', leaves });
});

test.for([
  ['what is refused is refused here', { ...buy, qty: '100' }, 'INSUFFICIENT_FUNDS'],
  ['what only makes would not take', { ...buy, post_only: true, limit_price: '10.00' }, 'WOULD_TAKE'],
] as const)('%s, with its code and its values', ([, order, code]) => {
  expect(preview(order as PlaceOrder)).toMatchObject({
    code,
    detail: expect.stringMatching(/\d/),
    hold_cash: null,
    expected: null,
  });
});

test('an amount of money buys whole lots at each price, and says what is left to buy', () => {
  const spends = (notional: string, rules = {}) => {
    const order: PlaceOrder = { ...buy, type: 'market', qty: undefined, limit_price: undefined, notional };
    return preview(order, market({ matchingRules: 3, rules })).expected;
  };
  expect(spends('60.00')).toMatchObject({
    filled_qty: '5',
    value: '50.01',
    leaves_qty: '0',
    leaves: 'none',
  });
  // All of the odd 4 at the best price; what is left buys no lot of 3 at the next one.
  expect(spends('65.00', { lotShares: 3 })).toMatchObject({ filled_qty: '4', leaves: 'none' });
});

test('under version 4 it is the whole that is lots: odd rests that are no lot together are left alone', () => {
  const spends = (notional: string, lotShares: number) => {
    const order: PlaceOrder = { ...buy, type: 'market', qty: undefined, limit_price: undefined, notional };
    return preview(order, market({ matchingRules: 4, rules: { lotShares } })).expected;
  };
  expect(spends('65.00', 3)).toMatchObject({ filled_qty: '6', value: '60.02', leaves: 'none' });
  // Four at 10.00 and one at 10.01 are no two lots.
  expect(spends('50.50', 3)).toMatchObject({
    filled_qty: '3',
    value: '30.00',
    leaves_qty: '0',
    leaves: 'none',
  });
  expect(spends('70.02', 5)).toMatchObject({ filled_qty: '5', value: '50.01', leaves: 'none' });
});

// The last price is 10.00: 0.1 % around it ends at 10.01.
test.for([
  ['rests for the auction that it starts', { ...buy, limit_price: '10.05' }, 'rests'],
  ['joins it without a limit', { ...buy, type: 'market', limit_price: undefined }, 'rests'],
  [
    'expires where it wants trades at once',
    { ...buy, limit_price: '10.05', time_in_force: 'ioc' },
    'expires',
  ],
] as const)('beyond the band an order %s', ([, order, leaves]) => {
  const banded = market({ rules: { bandPpm: 1_000 } });
  expect(preview(order as PlaceOrder, banded).expected).toMatchObject({ filled_qty: '7', leaves });
  const off = market({ rules: { bandPpm: 1_000 }, bandsOff: true });
  expect(preview(order as PlaceOrder, off).expected).toMatchObject({ filled_qty: '10' });
});
