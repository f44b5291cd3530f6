import { type BookFact, bookChecksum, bookStream, marketStream } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEventSource } from './eventSource.ts';
import { list, rests, sells } from './market.ts';
import { startTestQueryApi, type TestQueryApi } from './queryApi.ts';

/** Public channels over server-sent events, and the snapshots to begin with. */
let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
  await list(api, 'XEQT');
});
afterAll(() => api.close());

const noted: BookFact = { type: 'InputNoted.v1', data: {} };
const get = async (path: string) => (await api.get(path)).json() as Promise<Record<string, unknown>>;
const channel = (name: string, query = '', headers: Record<string, string> = {}) =>
  openEventSource(`${api.url}/v1/streams/symbols/XEQT/${name}${query}`, headers);

test('the book begins with its first event where no snapshot was kept, and updates go on behind it', async () => {
  await api.append(bookStream('XEQT'), [noted, rests('a', 'buy', 2_990, 10), rests('b', 'sell', 3_010, 5)]);
  const bids = [['29.90', '10']] as [string, string][];
  const asks = [['30.10', '5']] as [string, string][];
  const book = {
    symbol: 'XEQT',
    last_update_id: 2,
    crossed: false,
    checksum: bookChecksum({ bids, asks }),
    bids,
    asks,
  };
  expect(await get('/v1/symbols/XEQT/book')).toEqual(book);
  const depth = await channel('depth');
  const orders = await channel('book_orders');
  const best = await channel('best_prices');
  await best.until((messages) => messages.length === 1);
  await api.append(bookStream('XEQT'), [rests('c', 'buy', 2_990, 7)]);
  for (const source of [depth, orders]) await source.until((messages) => messages.length === 1);
  await best.until((messages) => messages.length === 2);
  const now = await get('/v1/symbols/XEQT/book');
  expect(depth.messages).toEqual([
    {
      event: 'depth',
      id: '3',
      data: { U: 3, u: 3, crossed: false, checksum: now['checksum'], bids: [['29.90', '17']], asks: [] },
    },
  ]);
  expect(orders.messages).toEqual([
    {
      event: 'book_orders',
      id: '3',
      data: {
        U: 3,
        u: 3,
        removed: [],
        changed: [],
        added: [{ id: '3', price: '29.90', qty: '7', side: 'buy' }],
      },
    },
  ]);
  expect(best.messages.map(({ data }) => data)).toEqual([
    { bid: '29.90', bid_qty: '10', ask: '30.10', ask_qty: '5' },
    { bid: '29.90', bid_qty: '17', ask: '30.10', ask_qty: '5' },
  ]);
  expect(await get('/v1/symbols/XEQT/book/orders')).toEqual({
    symbol: 'XEQT',
    last_update_id: 3,
    bids: [
      { id: '1', price: '29.90', qty: '10' },
      { id: '3', price: '29.90', qty: '7' },
    ],
    asks: [{ id: '2', price: '30.10', qty: '5' }],
  });
  for (const source of [depth, orders, best]) await source.close();
});

test('depth and trades resume behind a sequence; one that is not known asks for a new snapshot', async () => {
  const trades = await channel('trades');
  await api.append(bookStream('XEQT'), sells(1, 'a', 4));
  await trades.until((messages) => messages.length === 1);
  await api.append(bookStream('XEQT'), sells(2, 'a', 6));
  await trades.until((messages) => messages.length === 2);
  await trades.close();
  const again = await channel('trades', '', { 'last-event-id': '5' });
  await again.until((messages) => messages.length === 1);
  expect([trades.messages.map(({ id }) => id), again.messages.map(({ id }) => id)]).toEqual([
    ['5', '7'],
    ['7'],
  ]);
  await again.close();

  const depth = await channel('depth', '?last_event_id=5');
  await depth.until((messages) => messages.length === 1);
  expect(depth.messages).toMatchObject([{ id: '7', data: { U: 6, u: 7, bids: [['29.90', '7']] } }]);
  await depth.close();
  const unknown = await channel('depth', '?last_event_id=999');
  await unknown.until((messages) => messages.length === 1);
  expect(unknown.messages).toEqual([
    { event: 'resync_required', id: undefined, data: { reason: 'unknown_sequence', sequence: 999 } },
  ]);
  await unknown.close();
});

test('trades that are not kept in memory any more come from the book’s stream', async () => {
  const symbol = 'OLDTRADES';
  await list(api, symbol);
  await api.append(bookStream(symbol), [rests('old', 'buy', 2_990, 100)]);
  for (let n = 1; n <= 3; n++) await api.append(bookStream(symbol), sells(n, 'old', n));
  // Opened here, so that it has kept none of them.
  const source = await openEventSource(`${api.url}/v1/streams/symbols/${symbol}/trades?last_event_id=2`);
  await source.until((messages) => messages.length === 2);
  await api.append(bookStream(symbol), sells(4, 'old', 4));
  await source.until((messages) => messages.length === 3);
  await source.close();
  expect(source.messages.map(({ id, data }) => [id, (data as { qty: string }).qty])).toEqual([
    ['4', '2'],
    ['6', '3'],
    ['8', '4'],
  ]);
});

test('a candle begins with what is stored and goes on with every trade beyond that', async () => {
  const symbol = 'CANDLE';
  await list(api, symbol);
  await api.append(bookStream(symbol), [rests('made', 'buy', 2_990, 100)]);
  const position = await api.append(bookStream(symbol), sells(1, 'made', 5));
  // Trades of the tests are of that minute, long ago: the month of it is not the present one either.
  await api.project('candles', position);
  const source = await openEventSource(`${api.url}/v1/streams/symbols/${symbol}/candles?interval=1m`);
  await api.append(bookStream(symbol), sells(2, 'made', 6));
  await source.until((messages) => messages.length === 1);
  await api.append(bookStream(symbol), sells(3, 'made', 7));
  await source.until((messages) => messages.length === 2);
  await source.close();
  const candle = {
    start: '2026-01-05T14:30:00.000Z',
    open: '29.90',
    high: '29.90',
    low: '29.90',
    close: '29.90',
  };
  expect(source.messages.map(({ data }) => data)).toEqual([
    { ...candle, volume: '6', trades: 1, closed: true },
    { ...candle, volume: '13', trades: 2, closed: true },
  ]);
});

test('the rules and the reference price are told as they stand, and again when they change', async () => {
  const symbol = 'RULES';
  await list(api, symbol);
  const row = {
    symbol,
    name: 'The RULES',
    state: 'continuous',
    tick_cents: 1,
    listing_cents: 3_000,
    reference_cents: 3_000,
    collar_ppm: 100_000,
    fee_ppm: 500,
    order_shares_max: 1_000_000,
    daily_close: '21:00',
    bands_off: false,
    quotas_off: false,
  };
  await api.insert('read.symbol_v1', [row]);
  await api.project('symbols', 1);
  await api.marketData(1, { [`ticker:${symbol}`]: { symbol, sequence: -1, last_price: '29.90' } });
  const rules = await openEventSource(`${api.url}/v1/streams/symbols/${symbol}/rules`);
  const reference = await openEventSource(`${api.url}/v1/streams/symbols/${symbol}/reference_price`);
  await rules.until((messages) => messages.length === 1);
  await reference.until((messages) => messages.length === 1);
  const position = await api.append(marketStream(symbol), [
    {
      type: 'DayEnded.v1',
      data: { symbol, day: '2026-01-05', at: '2026-01-05T21:00:00.000Z', closeTicks: 3_100 },
    },
  ]);
  await api.pool.query('update read.symbol_v1 set reference_cents = 3100 where symbol = $1', [symbol]);
  await api.project('symbols', position);
  await rules.until((messages) => messages.length === 2);
  await reference.until((messages) => messages.length === 2);
  const prices = (at: string, min: string, max: string) => ({
    symbol,
    static_price: at,
    dynamic_price: at,
    limit_price_min: min,
    limit_price_max: max,
    trade_price_min: null,
    trade_price_max: null,
  });
  expect(rules.messages.map(({ data }) => (data as { reference_price: string }).reference_price)).toEqual([
    '30.00',
    '31.00',
  ]);
  expect(reference.messages.map(({ data }) => data)).toEqual([
    prices('30.00', '27.00', '33.00'),
    prices('31.00', '27.90', '34.10'),
  ]);
  expect(await get(`/v1/symbols/${symbol}/reference-price`)).toEqual({
    ...prices('31.00', '27.90', '34.10'),
    dynamic_price: '29.90',
  });
  for (const source of [rules, reference]) await source.close();
});

test.for([
  ['/v1/symbols/NOWHERE/book', 404, 'UNKNOWN_SYMBOL', []],
  ['/v1/streams/symbols/NOWHERE/depth', 404, 'UNKNOWN_SYMBOL', []],
  ['/v1/streams/symbols/XEQT/candles', 400, 'INVALID_REQUEST', ['#/query/interval']],
  ['/v1/streams/symbols/XEQT/depth?interval=1m', 400, 'INVALID_REQUEST', ['#/query/interval']],
  ['/v1/streams/symbols/XEQT/everything', 400, 'INVALID_REQUEST', ['#/path/channel']],
  ['/v1/symbols/XEQT/book?levels=5001', 400, 'INVALID_REQUEST', ['#/query/levels']],
] as const)('%s is refused', async ([path, status, code, pointers]) => {
  const response = await api.get(path);
  const body = (await response.json()) as { code: string; errors?: { pointer: string }[] };
  expect([response.status, body.code, (body.errors ?? []).map(({ pointer }) => pointer)]).toEqual([
    status,
    code,
    [...pointers],
  ]);
});
