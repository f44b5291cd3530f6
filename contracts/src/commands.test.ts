import { expect, test } from 'vitest';
import { ListSymbol, PlaceOrder } from './commands.ts';

const limit = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '10', limit_price: '10.00' };
const forMoney = { symbol: 'ACME', side: 'buy', type: 'market', notional: '100.00' };

/** Fields that are found wrong, each once. */
const wrong = (order: object): PropertyKey[] => {
  const parsed = PlaceOrder.safeParse(order);
  return parsed.success ? [] : [...new Set(parsed.error.issues.map(({ path }) => path[0] ?? ''))];
};

test.for<[what: string, order: object, fields: string[]]>([
  ['a limit order', limit, []],
  ['a market buy for an amount of money', forMoney, []],
  ['an iceberg', { ...limit, display_qty: '4' }, []],
  ['a post-only iceberg', { ...limit, display_qty: '4', post_only: true, time_in_force: 'gtc' }, []],
  ['neither quantity nor money', { ...limit, qty: undefined }, ['qty']],
  ['both of them', { ...forMoney, qty: '1' }, ['notional']],
  ['a sell for money', { ...forMoney, side: 'sell' }, ['notional']],
  ['a limit order for money', { ...limit, qty: undefined, notional: '5.00' }, ['notional']],
  ['fok for money', { ...forMoney, time_in_force: 'fok' }, ['notional']],
  ['a least quantity for money', { ...forMoney, min_qty: '1' }, ['min_qty']],
  ['decrement for money', { ...forMoney, stp_mode: 'decrement' }, ['stp_mode']],
  ['an iceberg that shows all', { ...limit, display_qty: '10' }, ['display_qty']],
  ['an iceberg that cannot rest', { ...limit, display_qty: '4', time_in_force: 'ioc' }, ['display_qty']],
  ['a least quantity above the quantity', { ...limit, min_qty: '11' }, ['min_qty']],
])('%s', ([, order, fields]) => {
  expect(wrong(order)).toEqual(fields);
});

test('a trade band is narrower than the collar', () => {
  const listed = { symbol: 'ACME', name: 'Acme', listing_price: '10.00' };
  expect(ListSymbol.safeParse({ ...listed, band_ppm: 99_999 }).success).toBe(true);
  const wide = ListSymbol.safeParse({ ...listed, band_ppm: 100_000 });
  expect(wide.error?.issues.map(({ path }) => path)).toEqual([['band_ppm']]);
});
