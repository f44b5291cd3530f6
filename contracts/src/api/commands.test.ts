import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Halt, ListSymbol, PlaceOrder, PlaceOrders } from './commands.ts';

const limit = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '10', limit_price: '10.00' };
const forMoney = { symbol: 'ACME', side: 'buy', type: 'market', notional: '100.00' };

const oco = {
  symbol: 'ACME',
  side: 'sell',
  type: 'limit',
  qty: '10',
  order_class: 'oco',
  time_in_force: 'gtc',
  take_profit: { limit_price: '11.00' },
  stop_loss: { stop_price: '9.00', client_order_id: 'mine' },
};

const bracket = {
  ...oco,
  side: 'buy',
  order_class: 'bracket',
  limit_price: '10.00',
  client_order_id: 'entry',
};

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
  ['one cancels the other', oco, []],
  ['one cancels the other, to buy', { ...oco, side: 'buy', take_profit: { limit_price: '8.00' } }, []],
  ['a list without a stop', { ...oco, stop_loss: undefined }, ['stop_loss']],
  [
    'a simple order with legs',
    { ...oco, order_class: undefined, limit_price: '9.00' },
    ['take_profit', 'stop_loss'],
  ],
  ['a list with a limit of its own', { ...oco, limit_price: '9.00' }, ['limit_price']],
  ['a list of market orders', { ...oco, type: 'market' }, ['type']],
  ['a list that cannot rest', { ...oco, time_in_force: 'ioc' }, ['time_in_force']],
  ['a list with a name', { ...oco, client_order_id: 'mine' }, ['client_order_id']],
  ['a list that is an iceberg', { ...oco, display_qty: '5' }, ['display_qty']],
  ['a stop above the limit of a sell', { ...oco, take_profit: { limit_price: '9.00' } }, ['stop_loss']],
  ['a bracket', bracket, []],
  ['a bracket that begins with a market order', { ...bracket, type: 'market', limit_price: undefined }, []],
  ['a bracket that begins with a sell', { ...bracket, side: 'sell' }, ['side']],
  [
    'a bracket that begins with a stop',
    { ...bracket, type: 'stop', limit_price: undefined },
    ['stop_price', 'type'],
  ],
  ['a bracket without a limit', { ...bracket, limit_price: undefined }, ['limit_price']],
  [
    'a bracket for money',
    { ...bracket, type: 'market', limit_price: undefined, qty: undefined, notional: '9.00' },
    ['notional'],
  ],
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

const page = readFileSync(new URL('../../../docs/orders.md', import.meta.url), 'utf8');
const documented = [...page.matchAll(/^```json POST (\S+)\n([^`]+)```$/gm)];
const BODIES = {
  '/v1/orders': PlaceOrder,
  '/v1/orders/batch': PlaceOrders,
  '/v1/symbols/{symbol}/halt': Halt,
} as const;

test.for(documented.map(([, path, text]) => [path, text] as const))(
  'the documented body of POST %s is taken',
  ([path, text]) => {
    expect(BODIES[path as keyof typeof BODIES].safeParse(JSON.parse(text ?? ''))).toMatchObject({
      success: true,
    });
  },
);

test('every kind of body that the page speaks of is shown', () => {
  expect(new Set(documented.map(([, path]) => path))).toEqual(new Set(Object.keys(BODIES)));
});
