import { expect, test } from 'vitest';
import { feedTopic } from './feedTopic.ts';
import { partitionOf, TOPICS } from './topics.ts';

test('an event lies in the partition of its key, and a reader finds it there', () => {
  const orders = feedTopic('brokerx.orders');
  const order = { stream: 'account-1', symbol: 'ACME' };
  expect(orders.partitionOf(order)).toBe(partitionOf('ACME', 16));
  expect(orders.partitionOf({ stream: 'market-ACME', symbol: 'ACME' })).toBe(partitionOf('ACME', 16));
  expect(orders.partitionsOf({ symbols: ['ACME', 'ACME'] })).toEqual([partitionOf('ACME', 16)]);
  expect(orders.partitionsOf({ symbols: 'any' })).toHaveLength(16);
  // Whose orders they are says nothing about the partitions.
  expect(orders.partitionsOf({ streams: ['account-1'] })).toHaveLength(16);

  const market = feedTopic('brokerx.market');
  expect(market.partitionOf({ stream: 'book-ACME', symbol: null })).toBe(partitionOf('ACME', 16));
  expect(market.partitionOf({ stream: 'market-ACME', symbol: 'ACME' })).toBe(partitionOf('ACME', 16));
  expect(market.partitionsOf({ streams: ['book-ACME'] })).toEqual([partitionOf('ACME', 16)]);

  const accounts = feedTopic('brokerx.accounts', 'elsewhere');
  expect(accounts).toMatchObject({ name: 'elsewhere', partitions: TOPICS['brokerx.accounts'].partitions });
  expect(accounts.partitionOf(order)).toBe(partitionOf('1', 32));
  expect(accounts.partitionsOf({ symbols: ['ACME'] })).toHaveLength(32);
});

test('what a topic does not carry has no partition in it', () => {
  expect(() => feedTopic('brokerx.orders').partitionOf({ stream: 'account-1', symbol: null })).toThrow(
    'brokerx.orders carries nothing of account-1',
  );
});
