import { afterAll, beforeAll, expect, test } from 'vitest';
import { ann, idOf, operator, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
});
afterAll(() => api.close());

const order = (name: string, position: number, more: Record<string, unknown> = {}) => ({
  order_id: idOf(name),
  client_order_id: name,
  account_id: ann.accountId,
  symbol: 'XEQT',
  side: 'buy',
  type: 'limit',
  time_in_force: 'day',
  quantity: 10,
  limit_cents: 3050,
  protection_cents: null,
  status: 'new',
  filled_quantity: 0,
  filled_value_cents: 0,
  fees_cents: 0,
  leaves_quantity: 10,
  reason: null,
  created_at: '2026-01-05T14:30:00.000Z',
  updated_at: '2026-01-05T14:30:00.000Z',
  position,
  event_positions: [position],
  accepted: true,
  cancels_unanswered: 0,
  amends_unanswered: 0,
  ...more,
});
type Body = {
  items: { client_order_id: string; start: string; symbol: string }[];
  next: string | null;
  code?: string;
  errors?: { pointer: string }[];
};
const json = async (response: Response) => ({
  status: response.status,
  body: (await response.json()) as Body,
});

test('a wallet says what is there, what is held and what is left', async () => {
  await api.insert('read.wallet_v1', [
    { account_id: ann.accountId, cash_cents: 100_050, held_cents: 30_500 },
  ]);

  expect(await json(await api.get('/v1/wallet', ann))).toEqual({
    status: 200,
    body: {
      account_id: ann.accountId,
      cash: '1000.50',
      held: '305.00',
      available: '695.50',
      kill_switch: null,
    },
  });
});

test('an account into which nothing has come has an empty wallet; one that is not there has none', async () => {
  const body = {
    account_id: operator.accountId,
    cash: '0.00',
    held: '0.00',
    available: '0.00',
    kill_switch: null,
  };
  expect(await json(await api.get('/v1/wallet', operator))).toEqual({ status: 200, body });

  const response = await json(await api.get(`/v1/wallet?account_id=${idOf('nobody')}`, operator));
  expect(response).toMatchObject({ status: 404, body: { code: 'ACCOUNT_NOT_FOUND' } });
});

test('a journal entry shows its postings, which sum to zero', async () => {
  await api.insert('read.ledger_v1', [
    {
      position: 7,
      event_id: idOf('entry'),
      account_id: ann.accountId,
      kind: 'OrderFilled',
      order_id: idOf('o1'),
      symbol: 'XEQT',
      cash_available: 45,
      cash_held: -30_545,
      cash_clearing: 30_450,
      cash_fees: 50,
      cash_outside: 0,
      shares_available: 10,
      shares_held: 0,
      shares_clearing: -10,
      shares_outside: 0,
      created_at: '2026-01-05T14:31:00.000Z',
    },
  ]);

  expect(await json(await api.get('/v1/ledger', ann))).toEqual({
    status: 200,
    body: {
      items: [
        {
          id: idOf('entry'),
          account_id: ann.accountId,
          kind: 'OrderFilled',
          order_id: idOf('o1'),
          symbol: 'XEQT',
          postings: [
            { book: 'available', asset: 'USD', amount: '0.45' },
            { book: 'held', asset: 'USD', amount: '-305.45' },
            { book: 'clearing', asset: 'USD', amount: '304.50' },
            { book: 'fees', asset: 'USD', amount: '0.50' },
            { book: 'available', asset: 'XEQT', amount: '10' },
            { book: 'clearing', asset: 'XEQT', amount: '-10' },
          ],
          created_at: '2026-01-05T14:31:00.000Z',
        },
      ],
      next: null,
    },
  });
});

test('orders are paged by key, the newest first, and none is skipped or repeated while others come in', async () => {
  await api.insert('read.orders_v1', [order('p1', 11), order('p2', 12), order('p3', 13)]);
  const filter = 'symbol=XEQT&limit=2';

  const first = await json(await api.get(`/v1/orders?${filter}`, ann));
  await api.insert('read.orders_v1', [order('p4', 14)]);
  const second = await json(await api.get(`/v1/orders?${filter}&page_token=${first.body.next}`, ann));

  const names = ({ body }: typeof first) => body.items.map((item) => item.client_order_id);
  expect([names(first), names(second), second.body.next]).toEqual([['p3', 'p2'], ['p1'], null]);
});

test('the orders of a list, which share a position, are parted by a page and none is skipped', async () => {
  const places = { b1: 11, b2: 11, b3: 11, b4: 12 };
  const rows = Object.entries(places).map(([name, position]) => ({
    ...order(name, position),
    symbol: 'LISTED',
  }));
  await api.insert('read.orders_v1', rows);
  const seen: (string | null)[][] = [];
  for (let next: string | null = null, page = 0; page < 5; page++) {
    const asked = `/v1/orders?symbol=LISTED&limit=2${next === null ? '' : `&page_token=${next}`}`;
    const { body } = await json(await api.get(asked, ann));
    seen.push(body.items.map((item: { client_order_id: string | null }) => item.client_order_id));
    next = body.next;
    if (next === null) break;
  }
  expect(seen.map(({ length }) => length)).toEqual([2, 2]);
  expect(seen.flat().toSorted()).toEqual(['b1', 'b2', 'b3', 'b4']);
});

test('an order shows everything that is known of it', async () => {
  const filled = { filled_quantity: 3, filled_value_cents: 9_140, fees_cents: 5, leaves_quantity: 7 };
  await api.insert('read.orders_v1', [
    order('full', 20, { symbol: 'FULL', status: 'partially_filled', ...filled }),
  ]);

  expect(await json(await api.get(`/v1/orders/${idOf('full').toUpperCase()}`, ann))).toEqual({
    status: 200,
    body: {
      id: idOf('full'),
      client_order_id: 'full',
      account_id: ann.accountId,
      symbol: 'FULL',
      side: 'buy',
      type: 'limit',
      time_in_force: 'day',
      qty: '10',
      limit_price: '30.50',
      protection_price: null,
      stop_price: null,
      trail_price: null,
      trail_percent: null,
      expires_at: null,
      notional: null,
      display_qty: null,
      list_id: null,
      list_role: null,
      status: 'partially_filled',
      filled_qty: '3',
      leaves_qty: '7',
      filled_avg_price: '30.4667',
      fees: '0.05',
      post_only: false,
      min_qty: null,
      stp_mode: 'none',
      prevented_qty: '0',
      reason: null,
      created_at: '2026-01-05T14:30:00.000Z',
      updated_at: '2026-01-05T14:30:00.000Z',
    },
  });
});

const early = { created_at: '2026-01-04T10:00:00.000Z' };
const filtered = [
  order('f1', 31, { symbol: 'FILT', status: 'filled' }),
  order('f2', 32, { symbol: 'FILT', status: 'new', side: 'sell' }),
  order('f3', 33, { symbol: 'FILT', status: 'pending_cancel' }),
  order('f4', 34, { symbol: 'FILT', status: 'canceled', ...early }),
];
test.for([
  ['status=open', ['f3', 'f2']],
  ['status=closed', ['f4', 'f1']],
  ['status=filled,canceled', ['f4', 'f1']],
  ['status=filled&status=new', ['f2', 'f1']],
  ['side=sell', ['f2']],
  ['client_order_id=f1', ['f1']],
  ['after=2026-01-05T00:00:00Z', ['f3', 'f2', 'f1']],
  ['before=2026-01-04T12:00:00%2B01:00', ['f4']],
  ['status=open&side=buy&after=2026-01-05T00:00:00Z&before=2026-01-06T00:00:00Z', ['f3']],
] as const)('orders by %s', async ([filter, names]) => {
  await api.pool.query(`delete from read.orders_v1 where symbol = 'FILT'`);
  await api.insert('read.orders_v1', filtered);

  const { body } = await json(await api.get(`/v1/orders?symbol=FILT&${filter}`, ann));
  expect(body.items.map((item) => item.client_order_id)).toEqual(names);
});

test.for([
  ['/v1/orders?status=opened', '#/query/status'],
  ['/v1/orders?limit=201', '#/query/limit'],
  ['/v1/orders?limit=0', '#/query/limit'],
  ['/v1/orders?limit=ten', '#/query/limit'],
  ['/v1/orders?page_token=nonsense', '#/query/page_token'],
  ['/v1/orders?symbol=1XEQT', '#/query/symbol'],
  ['/v1/orders?after=yesterday', '#/query/after'],
  ['/v1/orders?stauts=open', '#/query/stauts'],
  ['/v1/orders?account_id=me', '#/query/account_id'],
  ['/v1/orders?min_position=12', '#/query/min_position'],
  ['/v1/orders/17', '#/path/id'],
  ['/v1/symbols/x-1', '#/path/symbol'],
  ['/v1/symbols/XEQT/depth?levels=101', '#/query/levels'],
  ['/v1/symbols/XEQT/candles?interval=2m', '#/query/interval'],
  ['/v1/events?type=OrderPlased', '#/query/type'],
  ['/v1/events?category=orders', '#/query/category'],
  ['/v1/streams/orders?last_event_id=x', '#/query/last_event_id'],
] as const)('%s is refused, naming %s', async ([path, pointer]) => {
  const { status, body } = await json(await api.get(path, operator));
  expect({
    status,
    code: body.code,
    pointers: body.errors?.map((error) => error.pointer),
  }).toEqual({
    status: 400,
    code: 'INVALID_REQUEST',
    pointers: [pointer],
  });
});

test('a query waits for the position that it is given, and its reply says what it reflects', async () => {
  await api.project('holdings', 40);
  const asked = api.get(`/v1/holdings?min_position=${api.positionToken(41)}`, ann);
  await api.insert('read.holding_v1', [
    { account_id: ann.accountId, symbol: 'XEQT', shares: 12, held_shares: 2 },
    { account_id: ann.accountId, symbol: 'GONE', shares: 0, held_shares: 0 },
  ]);
  await api.project('holdings', 42);

  const response = await asked;
  expect(response.headers.get('x-brokerx-position')).toBe(api.positionToken(42));
  expect(await json(response)).toEqual({
    status: 200,
    body: { items: [{ symbol: 'XEQT', qty: '12', held: '2', available: '10' }], next: null },
  });
});

test('a query for what the read model does not reach in time is refused, to be asked again', async () => {
  await api.fillTo(60);
  await api.project('executions', 50);
  const response = await api.get('/v1/executions', ann, { 'x-brokerx-position': api.positionToken(51) });
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await json(response)).toMatchObject({
    status: 503,
    body: { code: 'READ_MODEL_BEHIND', detail: 'asked for 51, what is read stands at 50', retryable: true },
  });
});

test('a position of another store is refused at once', async () => {
  const response = await api.get(`/v1/wallet?min_position=${idOf('another store')}:1`, ann);
  expect(await json(response)).toMatchObject({ status: 409, body: { code: 'FOREIGN_POSITION' } });
});

test('a position beyond the end of the store is one of another past of it, and is refused for good', async () => {
  const head = await api.store.head();
  const detail = `asked for ${head + 1}, but the event store ends at ${head}: it was put back to an earlier state`;
  const body = { code: 'FOREIGN_POSITION', detail, retryable: false };
  for (const [path, person] of [
    ['/v1/wallet', ann],
    ['/v1/events', operator],
  ] as const) {
    const response = await api.get(`${path}?min_position=${api.positionToken(head + 1)}`, person, {
      'x-brokerx-position': api.positionToken(head + 1),
    });
    expect(await json(response)).toMatchObject({ status: 409, body });
  }
});

test('a projection that was folded from another store reflects nothing of this one', async () => {
  await api.project('candles', 60, idOf('another store'));
  await api.get('/readyz');
  for (const query of ['', `?min_position=${api.positionToken(60)}`]) {
    const response = await api.get(`/v1/symbols/XEQT/candles${query}`);
    expect(await json(response)).toMatchObject({ status: 503, body: { code: 'READ_MODEL_BEHIND' } });
  }
  await api.project('candles', 60);
});

test('market data are handed out as they were kept, with the position that they reflect', async () => {
  const depth = {
    symbol: 'XEQT',
    sequence: 9,
    bids: [
      ['30.49', '5'],
      ['30.48', '1'],
    ],
    asks: [['30.51', '7']],
  };
  const trades = [{ id: 'XEQT-2' }, { id: 'XEQT-1' }];
  await api.marketData(70, { 'depth:XEQT': depth, 'ticker:XEQT': { symbol: 'XEQT' }, 'trades:XEQT': trades });

  const whole = await api.get('/v1/symbols/XEQT/depth');
  expect([whole.headers.get('x-brokerx-position'), await whole.json()]).toEqual([
    api.positionToken(70),
    depth,
  ]);
  const best = await json(
    await api.get(`/v1/symbols/XEQT/depth?levels=1&min_position=${api.positionToken(70)}`),
  );
  expect(best.body).toEqual({ ...depth, bids: [['30.49', '5']] });
  expect((await json(await api.get('/v1/symbols/XEQT/ticker'))).body).toEqual({ symbol: 'XEQT' });
  expect((await json(await api.get('/v1/symbols/XEQT/trades?limit=1'))).body).toEqual([{ id: 'XEQT-2' }]);
  expect(await json(await api.get('/v1/symbols/NONE/ticker'))).toMatchObject({
    status: 404,
    body: { code: 'UNKNOWN_SYMBOL' },
  });
});

test('candles come in the order of time, and say whether they are closed', async () => {
  const candle = (start: string) => ({
    symbol: 'CNDL',
    interval: '1m',
    start,
    open_cents: 100,
    high_cents: 110,
    low_cents: 95,
    close_cents: 105,
    volume: 12,
    trades: 3,
  });
  const starts = ['2026-01-05T14:30:00.000Z', '2026-01-05T14:31:00.000Z', '2999-01-01T00:00:00.000Z'];
  await api.insert('read.candle_v2', starts.map(candle));
  const view = { open: '1.00', high: '1.10', low: '0.95', close: '1.05', volume: '12', trades: 3 };

  const newest = await json(await api.get('/v1/symbols/CNDL/candles?limit=2'));
  expect(newest.body).toEqual({
    items: [
      { start: starts[1], ...view, closed: true },
      { start: starts[2], ...view, closed: false },
    ],
    next: null,
  });
  const first = await json(await api.get('/v1/symbols/CNDL/candles?from=2026-01-05T00:00:00Z&limit=2'));
  const second = await json(
    await api.get(`/v1/symbols/CNDL/candles?from=2026-01-05T00:00:00Z&limit=2&page_token=${first.body.next}`),
  );
  const startsOf = ({ body }: typeof first) => body.items.map((item) => item.start);
  expect([...startsOf(first), ...startsOf(second)]).toEqual(starts);
});

test('candles that are not stored are made of those that are, and no page misses any', async () => {
  const candle = (time: string, open: number, close: number) => ({
    symbol: 'MADE',
    interval: '1m',
    start: `2026-01-05T${time}:00.000Z`,
    open_cents: open,
    high_cents: Math.max(open, close) + 5,
    low_cents: Math.min(open, close) - 5,
    close_cents: close,
    volume: 10,
    trades: 2,
  });
  await api.insert('read.candle_v2', [
    candle('14:31', 100, 110),
    candle('14:34', 110, 90),
    candle('14:35', 90, 95),
    candle('15:00', 95, 120),
  ]);
  const made = (time: string, prices: string[], volume: string, trades: number) => {
    const [open, high, low, close] = prices;
    return { start: `2026-01-05T${time}:00.000Z`, open, high, low, close, volume, trades, closed: true };
  };
  const all = [
    made('14:30', ['1.00', '1.15', '0.85', '0.90'], '20', 4),
    made('14:35', ['0.90', '1.00', '0.85', '0.95'], '10', 2),
    made('15:00', ['0.95', '1.25', '0.90', '1.20'], '10', 2),
  ];
  const get = async (query: string) =>
    (await json(await api.get(`/v1/symbols/MADE/candles?interval=5m&${query}`))).body;
  expect(await get('limit=2')).toEqual({ items: all.slice(1), next: null });
  const first = await get('from=2026-01-05T14:29:00Z&limit=2');
  expect(first.items).toEqual(all.slice(0, 2));
  const second = await get(`from=2026-01-05T14:29:00Z&limit=2&page_token=${first.next}`);
  expect(second).toEqual({ items: all.slice(2), next: null });
  // One that begins before is not there, though a part of it lies behind.
  expect((await get('from=2026-01-05T14:31:00Z&to=2026-01-05T15:00:00Z')).items).toEqual([all[1]]);
});

test('symbols are listed with their rules', async () => {
  const symbol = (name: string) => ({
    symbol: name,
    name: `The ${name}`,
    state: 'continuous',
    tick_cents: 1,
    listing_cents: 3000,
    reference_cents: 3050,
    collar_ppm: 100_000,
    fee_ppm: 500,
    order_shares_max: 1_000_000,
    daily_close: '21:00',
    bands_off: false,
    quotas_off: true,
  });
  await api.insert('read.symbol_v1', [symbol('AAPL'), symbol('SHOP')]);
  const { body } = await json(await api.get('/v1/symbols?limit=1'));
  expect(body).toEqual({
    items: [
      {
        symbol: 'AAPL',
        name: 'The AAPL',
        state: 'continuous',
        tick_size: '0.01',
        listing_price: '30.00',
        reference_price: '30.50',
        collar_ppm: 100_000,
        collar_ticks_min: 1,
        band_ppm: null,
        session: null,
        clock_factor: 1,
        fee_ppm: 500,
        order_qty_max: '1000000',
        daily_close: '21:00',
        lot_size: '1',
        notional_min: null,
        notional_max: null,
        matching_rules: 1,
        bands_off: false,
        quotas_off: true,
      },
    ],
    next: expect.any(String),
  });
  const rest = await json(await api.get(`/v1/symbols?page_token=${body.next}`));
  expect(rest.body.items.map((item) => item.symbol)).toEqual(['SHOP']);
  expect((await api.get('/v1/symbols/NONE')).status).toBe(404);
});

test('nothing can be written through this service', async () => {
  expect((await fetch(`${api.url}/v1/wallet`, { method: 'POST' })).status).toBe(404);
});

test('private replies are not kept by anyone on the way', async () => {
  expect((await api.get('/v1/wallet', ann)).headers.get('cache-control')).toBe('no-store');
});

test.for(['{"symbol":"XEQ', '', 'null', '"text"'])(
  'market data that is damaged (%j) is not there for now: 503, never 500',
  async (damaged) => {
    const { MARKET_DATA_VIEW } = await import('@brokerx/contracts');
    const view = api.hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
    const kinds = ['ticker', 'depth', 'trades'];
    const keys = kinds.map((kind) => `${kind}:XEQT`);
    const before = await view.read(keys);
    const cursor = before.cursor ?? { storeId: api.store.id, position: 1 };
    const write = (values: readonly string[]) =>
      view.write({
        from: before.cursor,
        to: cursor,
        set: new Map(keys.map((key, i) => [key, values[i] ?? '{}'])),
      });
    expect(await write(keys.map(() => damaged))).toBe('ok');
    const replies = await Promise.all(
      kinds.map(async (kind) => json(await api.get(`/v1/symbols/XEQT/${kind}?`))),
    );
    const behind = { status: 503, body: { code: 'READ_MODEL_BEHIND' } };
    expect(replies).toMatchObject(kinds.map(() => behind));
    await write(before.values.map((value) => value ?? '{}'));
  },
);
