import { randomUUID } from 'node:crypto';
import { type Event, eventCodec, MATCHING_RULES_VERSION, type Role } from '@brokerx/contracts';
import { postgresEventStore, postgresSnapshots, realRuntime } from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandApi, openAccount } from '../test/world.ts';

/** The API of commands over a real PostgreSQL: what a client sees. */
let api: Awaited<ReturnType<typeof commandApi>>;
let close: () => Promise<void>;
let operator: string;

beforeAll(async () => {
  const database = await freshDatabase();
  const store = await postgresEventStore<Event>({
    databaseUrl: database.url,
    codec: eventCodec(),
    runtime: realRuntime,
  });
  const snapshots = await postgresSnapshots({
    databaseUrl: database.url,
    store,
    runtime: realRuntime,
  });
  api = await commandApi({ store, snapshots });
  close = async () => {
    await api.stop();
    await snapshots.close();
    await store.close();
    await database.drop();
  };
  operator = await api.token(randomUUID(), ['operator']);
  const listed = await send(operator, 'POST', '/v1/symbols', {
    symbol: 'ACME',
    name: 'Acme Inc.',
    listing_price: '10.00',
    fee_ppm: 1_000,
  });
  expect(listed.statusCode).toBe(202);
});
afterAll(() => close());

type Method = 'POST' | 'PATCH' | 'DELETE' | 'PUT';
const send = (token: string, method: Method, url: string, payload?: object, key: string = randomUUID()) =>
  api.app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
    ...(payload ? { payload } : {}),
  });

/** A trader with cash of an operator. */
async function trader(amount: string, roles: Role[] = ['trader']) {
  const accountId = await openAccount(api.accounts);
  const funded = await send(operator, 'POST', `/v1/accounts/${accountId}/cash-transfers`, { amount });
  expect(funded.statusCode).toBe(202);
  return { accountId, token: await api.token(accountId, roles) };
}
const buy = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '10', limit_price: '9.99' };

test('an order is on disk when 202 is answered, and the reply says where', async () => {
  const { accountId, token } = await trader('1000.00');
  const reply = await send(token, 'POST', '/v1/orders', buy);
  const order = reply.json();
  expect(reply.statusCode).toBe(202);
  expect(order).toEqual({
    id: expect.any(String),
    client_order_id: null,
    account_id: accountId,
    symbol: 'ACME',
    side: 'buy',
    type: 'limit',
    time_in_force: 'day',
    qty: '10',
    limit_price: '9.99',
    protection_price: null,
    stop_price: null,
    trail_price: null,
    trail_percent: null,
    expires_at: null,
    notional: null,
    display_qty: null,
    list_id: null,
    list_role: null,
    status: 'pending_new',
    filled_qty: '0',
    leaves_qty: '10',
    filled_avg_price: null,
    fees: '0.00',
    post_only: false,
    min_qty: null,
    stp_mode: 'none',
    prevented_qty: '0',
    reason: null,
    created_at: expect.any(String),
    updated_at: order.created_at,
  });
  expect(reply.headers.location).toBe(`/v1/orders/${order.id}`);
  const stored = await api.store.readStream(`account-${accountId}`, 0, 10);
  expect(stored.map(({ event }) => event.type)).toEqual([
    'AccountOpened.v1',
    'CashTransferredIn.v1',
    'OrderPlaced.v1',
  ]);
  expect(reply.headers['x-brokerx-position']).toBe(`${api.store.id}:${stored.at(-1)?.position}`);
  expect(stored.at(-1)?.symbol).toBe('ACME');
  expect(stored.at(-1)?.event.traceparent.slice(3, 35)).toBe(String(reply.headers.traceparent).slice(3, 35));
});

test('the same key gives the same answer and happens once; with another body it is refused', async () => {
  const { accountId, token } = await trader('1000.00');
  const key = randomUUID();
  const first = await send(token, 'POST', '/v1/orders', buy, key);
  const again = await send(token, 'POST', '/v1/orders', { ...buy, limit_price: '9.99' }, key);
  expect(again.statusCode).toBe(202);
  expect(again.json()).toEqual(first.json());
  expect(first.headers['idempotent-replayed']).toBeUndefined();
  expect(again.headers['idempotent-replayed']).toBe('true');
  expect(again.headers['x-brokerx-position']).toBe(first.headers['x-brokerx-position']);
  const other = await send(token, 'POST', '/v1/orders', { ...buy, qty: '11' }, key);
  expect([other.statusCode, other.json().code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  expect(await api.store.streamRevision(`account-${accountId}`)).toBe(2);
});

test('one of many requests with one key at once is carried out', async () => {
  const { accountId, token } = await trader('1000.00');
  const key = randomUUID();
  const replies = await Promise.all(
    Array.from({ length: 8 }, () => send(token, 'POST', '/v1/orders', buy, key)),
  );
  const statuses = replies.map(({ statusCode }) => statusCode);
  expect(statuses.filter((status) => status === 202).length).toBeGreaterThan(0);
  expect(statuses.every((status) => status === 202 || status === 409)).toBe(true);
  expect(await api.store.streamRevision(`account-${accountId}`)).toBe(2);
});

test('a refused order is recorded, has an address, and is answered again with the same words', async () => {
  const { accountId, token } = await trader('50.00');
  const key = randomUUID();
  const refused = await send(token, 'POST', '/v1/orders', buy, key);
  expect(refused.statusCode).toBe(422);
  expect(refused.json()).toEqual({
    type: 'about:blank',
    title: 'The available cash does not cover the order.',
    status: 422,
    detail: 'needs 100.00 with fees; available 50.00',
    instance: '/v1/orders',
    code: 'INSUFFICIENT_FUNDS',
    request_id: expect.any(String),
    retryable: false,
  });
  const [recorded] = await api.store.readStream(`account-${accountId}`, 2, 1);
  expect(recorded?.event).toMatchObject({
    type: 'OrderRefused.v1',
    data: { code: 'INSUFFICIENT_FUNDS', limitCents: 999, quantity: 10 },
  });
  const { orderId } = (recorded as unknown as { event: { data: { orderId: string } } }).event.data;
  expect(refused.headers.location).toBe(`/v1/orders/${orderId}`);
  const again = await send(token, 'POST', '/v1/orders', buy, key);
  expect(again.headers['idempotent-replayed']).toBe('true');
  expect(again.headers.location).toBe(refused.headers.location);
});

test('cancel and reduce are asked of the market; a second cancel asks nothing again', async () => {
  const { accountId, token } = await trader('1000.00');
  const { id } = (await send(token, 'POST', '/v1/orders', buy)).json();
  const reduced = await send(token, 'PATCH', `/v1/orders/${id}`, { qty: '4' });
  expect([reduced.statusCode, reduced.json()]).toEqual([
    202,
    { id, account_id: accountId, symbol: 'ACME', status: 'pending_replace', qty: '4', limit_price: null },
  ]);
  const canceled = await send(token, 'DELETE', `/v1/orders/${id}`);
  const twice = await send(token, 'DELETE', `/v1/orders/${id}`);
  for (const reply of [canceled, twice]) {
    expect([reply.statusCode, reply.json().status]).toEqual([202, 'pending_cancel']);
    expect(reply.headers['x-brokerx-position']).toBe(canceled.headers['x-brokerx-position']);
  }
  const stored = await api.store.readStream(`account-${accountId}`, 2, 10);
  expect(stored.map(({ event }) => event.type)).toEqual([
    'OrderPlaced.v1',
    'OrderAmendRequested.v1',
    'OrderCancelRequested.v1',
  ]);
});

test('many orders are canceled by one command, also when it is repeated; one by the name it was given', async () => {
  const { accountId, token } = await trader('1000.00');
  const second = { symbol: 'SECOND', name: 'Second', listing_price: '10.00' };
  await send(operator, 'POST', '/v1/symbols', second);
  const placed = async (body: object) =>
    (await send(token, 'POST', '/v1/orders', { ...buy, ...body })).json().id;
  const named = await placed({ client_order_id: 'by-name' });
  const byName = await send(token, 'DELETE', '/v1/orders/by-client-order-id/by-name');
  expect([byName.statusCode, byName.json().id]).toEqual([202, named]);
  const [first, other] = [await placed({}), await placed({ symbol: 'SECOND' })];
  const key = randomUUID();
  const canceled = await send(token, 'DELETE', '/v1/orders?all=true', undefined, key);
  const asked = [
    { id: named, symbol: 'ACME', status: 'pending_cancel' },
    { id: first, symbol: 'ACME', status: 'pending_cancel' },
    { id: other, symbol: 'SECOND', status: 'pending_cancel' },
  ];
  expect([canceled.statusCode, canceled.json()]).toEqual([202, { items: asked, more: false }]);
  expect((await send(token, 'DELETE', '/v1/orders?all=true', undefined, key)).json()).toEqual({
    items: asked,
    more: false,
  });
  const stored = await api.store.readStream(`account-${accountId}`, 2, 20);
  expect(stored.map(({ event, symbol }) => [event.type, symbol]).slice(-3)).toEqual([
    ['OrdersCancelRequested.v1', 'ACME'],
    ['OrderCancelRequested.v1', 'ACME'],
    ['OrderCancelRequested.v1', 'SECOND'],
  ]);
  const reused = await send(token, 'DELETE', '/v1/orders?side=sell', undefined, key);
  expect(reused.json().code).toBe('IDEMPOTENCY_KEY_REUSED');
});

test('everything is canceled only when it is asked for by name; a preview tells what a filter takes', async () => {
  const { token, accountId } = await trader('1000.00');
  const { id } = (await send(token, 'POST', '/v1/orders', { ...buy, client_order_id: 'mine' })).json();
  const revision = await api.store.streamRevision(`account-${accountId}`);
  for (const query of [
    '',
    '?symobl=ACME',
    '?__proto__=ACME',
    '?constructor=ACME',
    '?all=false',
    '?all=',
    '?all=true&all=true',
    '?all=true&side=buy',
    '?price_from=9.00',
    '?stop_to=9.00&side=buy',
  ]) {
    const reply = await send(token, 'DELETE', `/v1/orders${query}`);
    expect([reply.statusCode, reply.json().code], query).toEqual([400, 'INVALID_REQUEST']);
  }
  const preview = (filter: object | string) =>
    api.app.inject({
      method: 'POST',
      url: '/v1/order-cancels/preview',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      payload: filter,
    });
  for (const filter of [
    '{}',
    '{"symobl":"ACME"}',
    '{"all":false}',
    '{"__proto__":"x"}',
    '{"constructor":{"prototype":1}}',
  ])
    expect((await preview(filter)).statusCode, filter).toBe(400);
  const shown = {
    items: [
      {
        id,
        client_order_id: 'mine',
        symbol: 'ACME',
        side: 'buy',
        type: 'limit',
        leaves_qty: '10',
        limit_price: '9.99',
        stop_price: null,
      },
    ],
  };
  for (const filter of [{ all: true }, { symbol: 'acme' }, { symbol: 'ACME', price_to: '9.99' }]) {
    const reply = await preview(filter);
    expect([reply.statusCode, reply.json()]).toEqual([200, shown]);
    expect(reply.headers['x-brokerx-position']).toMatch(/:\d+$/);
  }
  expect((await preview({ side: 'sell' })).json()).toEqual({ items: [] });
  expect(await api.store.streamRevision(`account-${accountId}`)).toBe(revision);
  const canceled = await send(token, 'DELETE', '/v1/orders?all=true');
  expect(canceled.json()).toEqual({ items: [{ id, symbol: 'ACME', status: 'pending_cancel' }], more: false });
});

test('a name that no address can bear is none; small letters are taken for a symbol', async () => {
  const { token } = await trader('1000.00');
  const named = (client_order_id: string) => send(token, 'POST', '/v1/orders', { ...buy, client_order_id });
  for (const name of ['.', '..', '', 'a/b', 'a%2e', 'a b', '..\u0000'])
    expect((await named(name)).json(), name).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ pointer: '#/client_order_id' }],
    });
  for (const name of ['...', '.a', 'a.', ':', '-']) {
    const placed = await named(name);
    expect(placed.statusCode, name).toBe(202);
    // As every client writes it, `new URL` included.
    const { pathname } = new URL(`http://h/v1/orders/by-client-order-id/${encodeURIComponent(name)}`);
    expect((await send(token, 'DELETE', pathname)).json().id, name).toBe(placed.json().id);
  }
  expect((await send(token, 'POST', '/v1/orders', { ...buy, symbol: 'acme' })).json().symbol).toBe('ACME');
});

test("someone else's order is not there", async () => {
  const owner = await trader('1000.00');
  const other = await trader('1000.00');
  const { id } = (await send(owner.token, 'POST', '/v1/orders', buy)).json();
  const reply = await send(other.token, 'DELETE', `/v1/orders/${id}`);
  expect([reply.statusCode, reply.json().code]).toEqual([404, 'ORDER_NOT_FOUND']);
});

// What is asked, as whom, and what it is answered.
test.for([
  ['no key', 'POST', '/v1/orders', buy, '', 400, 'IDEMPOTENCY_KEY_REQUIRED'],
  ['a key that is no UUID', 'POST', '/v1/orders', buy, 'abc', 400, 'IDEMPOTENCY_KEY_REQUIRED'],
  ['an old key', 'POST', '/v1/orders', buy, '01890000-0000-7000-8000-000000000000', 422, 'STALE_REQUEST'],
  ['an unknown field', 'POST', '/v1/orders', { ...buy, x: 1 }, randomUUID(), 400, 'INVALID_REQUEST'],
  [
    'a price as a number',
    'POST',
    '/v1/orders',
    { ...buy, limit_price: 9.99 },
    randomUUID(),
    400,
    'INVALID_REQUEST',
  ],
  ['no such symbol', 'POST', '/v1/orders', { ...buy, symbol: 'NONE' }, randomUUID(), 422, 'UNKNOWN_SYMBOL'],
  ['no such order', 'DELETE', `/v1/orders/${randomUUID()}`, undefined, randomUUID(), 404, 'ORDER_NOT_FOUND'],
  ['an id that is none', 'DELETE', '/v1/orders/x', undefined, randomUUID(), 400, 'INVALID_REQUEST'],
  ['too large a deposit', 'POST', '/v1/deposits', { amount: '10000.01' }, randomUUID(), 422, 'WALLET_LIMIT'],
  ['for operators', 'POST', '/v1/symbols/ACME/halt', { reason: 'x' }, randomUUID(), 403, 'FORBIDDEN'],
] as const)('a trader is refused: %s', async ([, method, url, body, key, status, code]) => {
  const { token } = await trader('1000.00');
  const reply = await send(token, method, url, body, key);
  expect([reply.statusCode, reply.json().code]).toEqual([status, code]);
});

test('an operator halts and resumes a market; orders are refused in between', async () => {
  const { token } = await trader('1000.00');
  await send(operator, 'POST', '/v1/symbols', { symbol: 'HALT', name: 'Halted', listing_price: '10.00' });
  const order = { ...buy, symbol: 'HALT' };
  const key = randomUUID();
  const halted = await send(operator, 'POST', '/v1/symbols/HALT/halt', { reason: 'news' }, key);
  expect([halted.statusCode, halted.json().state]).toEqual([202, 'halt']);
  expect((await send(token, 'POST', '/v1/orders', order)).json().code).toBe('SYMBOL_HALTED');
  const again = await send(operator, 'POST', '/v1/symbols/HALT/halt', { reason: 'news' }, key);
  expect([again.statusCode, again.headers['idempotent-replayed']]).toEqual([202, 'true']);
  expect((await send(operator, 'POST', '/v1/symbols/HALT/halt', { reason: 'x' })).json().code).toBe(
    'SYMBOL_HALTED',
  );
  const resumed = await send(operator, 'POST', '/v1/symbols/HALT/resume', {});
  // What comes after a halt is the engine's to say, and here is none.
  expect([resumed.statusCode, resumed.json().state]).toEqual([202, 'halt']);
  expect((await send(token, 'POST', '/v1/orders', order)).statusCode).toBe(202);
});

test('a symbol is listed once, and the listing answers the symbol', async () => {
  const body = { symbol: 'ONCE', name: 'Once', listing_price: '1.05', tick_size: '0.05' };
  const listed = await send(operator, 'POST', '/v1/symbols', body);
  expect(listed.json()).toEqual({
    symbol: 'ONCE',
    name: 'Once',
    state: 'continuous',
    tick_size: '0.05',
    listing_price: '1.05',
    reference_price: '1.05',
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
    matching_rules: MATCHING_RULES_VERSION,
    bands_off: false,
    quotas_off: false,
  });
  expect((await send(operator, 'POST', '/v1/symbols', body)).json().code).toBe('SYMBOL_ALREADY_LISTED');
  const offGrid = { ...body, symbol: 'GRID', listing_price: '1.01' };
  expect((await send(operator, 'POST', '/v1/symbols', offGrid)).json().code).toBe('PRICE_TICK');
});

test('shares and exemptions come by an operator; an account that is not there is 404', async () => {
  const { accountId, token } = await trader('1.00');
  const sell = { ...buy, side: 'sell', limit_price: '20.00' };
  expect((await send(token, 'POST', '/v1/orders', sell)).json().code).toBe('PRICE_BAND');
  const exempt = { bands_off: true, quotas_off: false };
  const url = `/v1/accounts/${accountId}`;
  expect((await send(operator, 'PUT', `${url}/exemptions`, exempt)).json()).toEqual({
    account_id: accountId,
    ...exempt,
  });
  expect((await send(token, 'POST', '/v1/orders', sell)).json().code).toBe('INSUFFICIENT_SHARES');
  const shares = await send(operator, 'POST', `${url}/share-transfers`, { symbol: 'ACME', qty: '10' });
  expect(shares.json()).toMatchObject({ account_id: accountId, amount: null, symbol: 'ACME', qty: '10' });
  expect((await send(token, 'POST', '/v1/orders', sell)).statusCode).toBe(202);
  const nobody = `/v1/accounts/${randomUUID()}/cash-transfers`;
  const reply = await send(operator, 'POST', nobody, { amount: '1.00' });
  expect([reply.statusCode, reply.json().code]).toEqual([404, 'ACCOUNT_NOT_FOUND']);
});

test('while the disk of the database is full, commands are to be repeated later', async () => {
  let shortage: string | null = 'the disk is full';
  const full = await commandApi({ disk: { shortage: () => shortage } });
  const headers = { authorization: `Bearer ${await full.token(randomUUID(), ['operator'])}` };
  const ask = () => full.app.inject({ method: 'POST', url: '/v1/symbols', headers, payload: {} });
  const reply = await ask();
  expect([reply.statusCode, reply.json().code, reply.json().detail]).toEqual([503, 'UNAVAILABLE', shortage]);
  expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  shortage = null;
  expect((await ask()).statusCode).toBe(400);
  await full.stop();
});

test('an operator is told 404 for a market that is not there', async () => {
  const reply = await send(operator, 'POST', '/v1/symbols/NONE/resume', {});
  expect([reply.statusCode, reply.json().code]).toEqual([404, 'UNKNOWN_SYMBOL']);
});

/** What records nothing, and what has a key for each order in its body. */
const KEYLESS = ['post /v1/orders/preview', 'post /v1/order-cancels/preview', 'post /v1/orders/batch'];

test('the whole market is halted symbol by symbol with one correlation id, and resumed the same', async () => {
  for (const symbol of ['WIDE.A', 'WIDE.B'])
    await send(operator, 'POST', '/v1/symbols', { symbol, name: 'Wide', listing_price: '10.00' });
  await send(operator, 'POST', '/v1/symbols/WIDE.B/halt', { reason: 'news' });
  const key = randomUUID();
  const outcomes = (reply: Awaited<ReturnType<typeof send>>) => {
    const items = reply.json().items as { symbol: string; changed: boolean; code: string | null }[];
    return items
      .filter(({ symbol }) => symbol.startsWith('WIDE'))
      .map(({ symbol, changed, code }) => `${symbol} ${changed ? 'changed' : code}`);
  };
  const halted = await send(operator, 'POST', '/v1/market/halt', { reason: 'a breaker' }, key);
  expect(halted.statusCode).toBe(202);
  expect(outcomes(halted)).toEqual(['WIDE.A changed', 'WIDE.B SYMBOL_HALTED']);
  // The same key, the same answer, and nothing twice.
  const again = await send(operator, 'POST', '/v1/market/halt', { reason: 'a breaker' }, key);
  expect(again.json()).toEqual(halted.json());
  const events = await api.store.readStream('market-WIDE.A', 0, 10);
  expect(events.map(({ event }) => event.type)).toEqual(['SymbolListed.v1', 'TradingHalted.v1']);
  expect(events[1]?.event.correlationId).toBe(halted.json().correlation_id);
  const others = await api.store.readStream('market-ACME', 0, 10);
  expect(others.at(-1)?.event.correlationId).toBe(halted.json().correlation_id);
  const resumed = await send(operator, 'POST', '/v1/market/resume', {});
  expect(outcomes(resumed)).toEqual(['WIDE.A changed', 'WIDE.B SYMBOL_HALTED']);
  expect(outcomes(await send(operator, 'POST', '/v1/market/resume', {}))).toEqual([
    'WIDE.A SYMBOL_NOT_HALTED',
    'WIDE.B SYMBOL_HALTED',
  ]);
});

test('the owner and an operator switch an account off and on', async () => {
  const { token, accountId } = await trader('1000.00');
  const own = (active: boolean) => send(token, 'PUT', '/v1/kill-switch', { active });
  const operators = (active: boolean) =>
    send(operator, 'PUT', `/v1/accounts/${accountId}/kill-switch`, { active, reason: 'a drill' });
  const view = { account_id: accountId, active: true, by: 'owner', reason: null };
  expect((await own(true)).json()).toEqual(view);
  expect((await own(true)).json()).toEqual(view);
  expect((await send(token, 'POST', '/v1/orders', buy)).json().code).toBe('KILL_SWITCH');
  expect((await operators(true)).json()).toEqual({ ...view, by: 'operator', reason: 'a drill' });
  const refused = await own(false);
  expect([refused.statusCode, refused.json().code]).toEqual([403, 'FORBIDDEN']);
  expect((await operators(false)).json()).toEqual({
    account_id: accountId,
    active: false,
    by: null,
    reason: null,
  });
  expect((await send(token, 'POST', '/v1/orders', buy)).statusCode).toBe(202);
});

test('a repetition answers the position of its first answer, however many commits that covered', async () => {
  const { token, accountId } = await trader('1000.00');
  for (const symbol of ['FAR.A', 'FAR.B'])
    await send(operator, 'POST', '/v1/symbols', { symbol, name: 'Far', listing_price: '10.00' });
  for (const symbol of ['ACME', 'FAR.A', 'FAR.B', 'ACME', 'FAR.B'])
    await send(token, 'POST', '/v1/orders', { ...buy, qty: '1', symbol });
  const commands = [
    [token, 'DELETE', '/v1/orders?all=true', undefined],
    [token, 'PUT', '/v1/kill-switch', { active: true }],
    [token, 'PUT', '/v1/kill-switch', { active: true }],
    [operator, 'PUT', `/v1/accounts/${accountId}/kill-switch`, { active: false }],
    [operator, 'POST', '/v1/market/halt', { reason: 'a breaker' }],
    [operator, 'POST', '/v1/market/resume', {}],
  ] as const;
  for (const [by, method, url, body] of commands) {
    // With orders that the switch cancels in the same commit.
    if (url === '/v1/kill-switch') await send(token, 'POST', '/v1/orders', { ...buy, qty: '1' });
    const key = randomUUID();
    const first = await send(by, method, url, body, key);
    expect(first.statusCode, url).toBe(202);
    const position = first.headers['x-brokerx-position'];
    for (let times = 0; times < 2; times++) {
      const again = await send(by, method, url, body, key);
      expect(
        [again.headers['x-brokerx-position'], again.headers['idempotent-replayed'], again.json()],
        url,
      ).toEqual([position, 'true', first.json()]);
    }
  }
});

test('a repeated switch switches nothing later', async () => {
  const { token } = await trader('1000.00');
  const key = randomUUID();
  const release = () => send(token, 'PUT', '/v1/kill-switch', { active: false }, key);
  expect((await release()).statusCode).toBe(202);
  await send(token, 'PUT', '/v1/kill-switch', { active: true });
  expect((await release()).headers['idempotent-replayed']).toBe('true');
  expect((await send(token, 'POST', '/v1/orders', buy)).json().code).toBe('KILL_SWITCH');
});

test('the reference has every command with a summary and the key that it needs', async () => {
  const { paths } = (await api.app.inject({ url: '/openapi.json' })).json();
  const commands = Object.entries(
    paths as Record<string, Record<string, { summary?: string; parameters?: { name: string }[] }>>,
  )
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, route]) => ({ name: `${method} ${path}`, route })),
    )
    .filter(({ name }) => !name.startsWith('get') && !KEYLESS.includes(name));
  expect(commands.map(({ name }) => name).toSorted()).toEqual([
    'delete /v1/orders',
    'delete /v1/orders/by-client-order-id/{client_order_id}',
    'delete /v1/orders/{id}',
    'patch /v1/orders/{id}',
    'post /v1/accounts/{id}/cash-transfers',
    'post /v1/accounts/{id}/share-transfers',
    'post /v1/deposits',
    'post /v1/market/halt',
    'post /v1/market/resume',
    'post /v1/orders',
    'post /v1/symbols',
    'post /v1/symbols/{symbol}/halt',
    'post /v1/symbols/{symbol}/matching-rules',
    'post /v1/symbols/{symbol}/phase',
    'post /v1/symbols/{symbol}/resume',
    'put /v1/accounts/{id}/exemptions',
    'put /v1/accounts/{id}/kill-switch',
    'put /v1/dead-man-switch',
    'put /v1/kill-switch',
    'put /v1/symbols/{symbol}/calendar',
    'put /v1/symbols/{symbol}/exemptions',
  ]);
  for (const { name, route } of commands) {
    expect(route.summary, name).toBeTruthy();
    expect(route.parameters, name).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }),
    );
  }
});

test('every command refuses keys that it does not know, in its query and in its body', async () => {
  const { token } = await trader('1000.00', ['trader', 'operator']);
  const { paths } = (await api.app.inject({ url: '/openapi.json' })).json();
  const routes = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'get')
      .map((method) => ({ method: method.toUpperCase() as Method, path })),
  );
  expect(routes.length).toBeGreaterThan(20);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  for (const { method, path } of routes) {
    const url = path
      .replaceAll('{symbol}', 'ACME')
      .replaceAll('{client_order_id}', 'a')
      .replaceAll(/\{\w+\}/g, randomUUID());
    for (const key of ['symobl', '__proto__', 'constructor', 'toString']) {
      const pointers = async (given: object) => {
        const reply = await api.app.inject({ method, url, headers, ...given });
        const { code, errors = [] } = reply.json() as { code: string; errors?: { pointer: string }[] };
        return [reply.statusCode, code, errors.map(({ pointer }) => pointer)];
      };
      const inQuery = await pointers({ url: `${url}?${key}=x`, payload: '{}' });
      expect(inQuery, `${method} ${path}?${key}`).toEqual([400, 'INVALID_REQUEST', [`#/query/${key}`]]);
      const inBody = await pointers({ payload: `{${JSON.stringify(key)}:"x"}` });
      expect(inBody, `${method} ${path} ${key}`).toEqual([
        400,
        'INVALID_REQUEST',
        expect.arrayContaining([`#/${key}`]),
      ]);
    }
  }
});

test('a preview says what an order would hold and meet, and records nothing', async () => {
  const { token } = await trader('500.00');
  const asked = async (body: object) => {
    const reply = await send(token, 'POST', '/v1/orders/preview', body);
    return { status: reply.statusCode, ...reply.json<Record<string, unknown>>() };
  };
  expect(await asked(buy)).toMatchObject({
    status: 200,
    code: null,
    hold_cash: '100.00',
    expected: { filled_qty: '0', leaves_qty: '10', leaves: 'rests' },
  });
  expect(await asked({ ...buy, qty: '60' })).toMatchObject({ status: 200, code: 'INSUFFICIENT_FUNDS' });
  expect(await asked({ ...buy, symbol: 'NONE' })).toMatchObject({ status: 200, code: 'UNKNOWN_SYMBOL' });
  expect(await asked({ ...buy, qty: '-1' })).toMatchObject({ status: 400 });
  // Nothing was held by any of them.
  const whole = await send(token, 'POST', '/v1/orders', { ...buy, qty: '49' });
  expect(whole.statusCode).toBe(202);
});

test('each order of a batch is placed or refused by itself, with its own key', async () => {
  const { accountId, token } = await trader('1000.00');
  const [first, second] = [randomUUID(), randomUUID()];
  const order = { ...buy, client_order_id: 'b-1' };
  const orders = [
    { idempotency_key: first, order },
    { idempotency_key: second, order: { ...buy, limit_price: '9.995' } },
    { order: buy },
    { idempotency_key: randomUUID(), order: { ...buy, client_order_id: 'b-1' } },
    { idempotency_key: randomUUID(), order: { ...buy, client_order_id: 'b-2' } },
  ];
  const reply = await send(token, 'POST', '/v1/orders/batch', { orders });
  const items = reply.json().items as {
    status: number;
    position?: string;
    replayed?: boolean;
    order?: { id: string };
    problem?: { code: string; errors?: { pointer: string }[] };
  }[];
  expect(reply.statusCode).toBe(207);
  expect(items.map(({ status, problem }) => [status, problem?.code])).toEqual([
    [202, undefined],
    [400, 'INVALID_REQUEST'],
    [400, 'IDEMPOTENCY_KEY_REQUIRED'],
    [422, 'DUPLICATE_CLIENT_ORDER_ID'],
    [202, undefined],
  ]);
  expect(items[1]?.problem?.errors).toMatchObject([{ pointer: '#/limit_price' }]);
  const stored = await api.store.readStream(`account-${accountId}`, 2, 10);
  expect(stored.map(({ event }) => event.type)).toEqual([
    'OrderPlaced.v1',
    'OrderRefused.v1',
    'OrderPlaced.v1',
  ]);
  expect(items.map(({ position }) => position)).toEqual(
    [stored[0], undefined, undefined, stored[1], stored[2]].map(
      (at) => at && `${api.store.id}:${at.position}`,
    ),
  );

  const alone = await send(token, 'POST', '/v1/orders', order, first);
  expect([alone.headers['idempotent-replayed'], alone.json().id]).toEqual(['true', items[0]?.order?.id]);
  const again = (await send(token, 'POST', '/v1/orders/batch', { orders })).json().items as typeof items;
  expect(again.map(({ status, replayed }) => [status, replayed])).toEqual([
    [202, true],
    [400, undefined],
    [400, undefined],
    [422, true],
    [202, true],
  ]);
  expect(await api.store.streamRevision(`account-${accountId}`)).toBe(4);
});

test('a batch has at most fifty orders', async () => {
  const { token } = await trader('1000.00');
  const orders = Array.from({ length: 51 }, () => ({ idempotency_key: randomUUID(), order: buy }));
  const reply = await send(token, 'POST', '/v1/orders/batch', { orders });
  expect([reply.statusCode, reply.json().errors]).toEqual([
    400,
    [expect.objectContaining({ pointer: '#/orders', code: 'TOO_BIG' })],
  ]);
});
