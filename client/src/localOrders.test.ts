import { expect, test } from 'vitest';
import { localOrders } from './localOrders.ts';

const order = (id: string, price: string, qty = '1') => ({ id, price, qty });
const update = (U: number, change: object = {}) => ({
  U,
  u: U,
  removed: [],
  changed: [],
  added: [],
  ...change,
});

test('orders stand best price first, and at one price in the order of coming', () => {
  const copy = localOrders();
  copy.begin({
    symbol: 'XEQT',
    last_update_id: 3,
    bids: [order('2', '10.00'), order('1', '9.00')],
    asks: [order('3', '11.00')],
  });
  const added = [
    { ...order('4', '10.00'), side: 'buy' as const },
    { ...order('5', '9.50'), side: 'buy' as const },
    { ...order('6', '10.50'), side: 'sell' as const },
  ];
  expect(copy.take(update(4, { added }))).toBe('applied');
  expect(copy.take(update(5, { removed: ['3'], changed: [{ id: '2', qty: '7' }] }))).toBe('applied');
  expect([copy.bids(), copy.asks()]).toEqual([
    [order('2', '10.00', '7'), order('4', '10.00'), order('5', '9.50'), order('1', '9.00')],
    [order('6', '10.50')],
  ]);
});

test('an update behind a gap waits for the next snapshot', () => {
  const copy = localOrders();
  copy.begin({ symbol: 'XEQT', last_update_id: 3, bids: [], asks: [] });
  expect(copy.take(update(5, { changed: [{ id: '4', qty: '2' }] }))).toBe('gap');
  const snapshot = { symbol: 'XEQT', last_update_id: 4, bids: [order('4', '10.00')], asks: [] };
  expect([copy.begin(snapshot), copy.sequence(), copy.bids()]).toEqual([
    'synced',
    5,
    [order('4', '10.00', '2')],
  ]);
});
