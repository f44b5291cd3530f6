import { expect, test } from 'vitest';
import { addressQuotas, networkOf } from './addressQuotas.ts';

test('one address takes its share and no more, and others still find places', () => {
  const shares = addressQuotas({ max: 5, perAddressMax: 3 });
  const first = [1, 2, 3].map(() => shares.take('192.0.2.1'));
  expect(shares.take('192.0.2.1')).toBe('ADDRESS_FULL');
  expect(shares.take('127.0.0.1')).toEqual({ leave: expect.any(Function) });
  expect(shares.take('192.0.2.2')).toEqual({ leave: expect.any(Function) });
  expect(shares.take('192.0.2.3')).toBe('FULL');
  expect([shares.count(), shares.countOf('192.0.2.1'), shares.countOf('192.0.2.9')]).toEqual([5, 3, 0]);
  for (const place of first) if (typeof place === 'object') place.leave();
  expect(shares.take('192.0.2.3')).toEqual({ leave: expect.any(Function) });
});

test('a place is given back once, however often its owner leaves', () => {
  const shares = addressQuotas({ max: 2, perAddressMax: 2 });
  const place = shares.take('192.0.2.1');
  shares.take('192.0.2.1');
  if (typeof place !== 'object') throw new Error('there was room');
  place.leave();
  place.leave();
  expect([shares.count(), shares.countOf('192.0.2.1')]).toEqual([1, 1]);
});

test('an IPv6 subscriber has one share for the whole /64, however it is written', () => {
  const shares = addressQuotas({ max: 10, perAddressMax: 2 });
  shares.take('2001:db8::1');
  shares.take('2001:DB8:0000:0::2');
  expect(shares.take('2001:db8:0:0:9:8:7:6')).toBe('ADDRESS_FULL');
  expect(shares.take('2001:db8:0:1::1')).toEqual({ leave: expect.any(Function) });
});

test.for([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:0DB8:0:0::1', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
] as const)('%s belongs to %s', ([ip, network]) => {
  expect(networkOf(ip)).toBe(network);
});
