import { type Api, brokerApi, idSource, type Reply, succeeded } from '@brokerx/client';
import { mintId, type views } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { openReference, type Reference } from './reference.ts';

/** Calls every operation of `/openapi.json`, rightly and wrongly, and compares the replies with their descriptions. */
let installation: Installation;
let api: Api;
let reference: Reference;
let operator: Operator;
let alice: Person;
let bob: Person;
const SYMBOL = 'REFER';
const NOWHERE = '00000000-0000-4000-8000-000000000000';

beforeAll(async () => {
  installation = await startInstallation();
  const { operatorEmail, operatorPassword } = installation.status;
  const plain = brokerApi(installation.status);
  reference = await openReference(plain);
  await plain.close();
  api = brokerApi({ ...installation.status, onReply: reference.check });
  operator = await operatorOf(api, operatorEmail, operatorPassword);
  [alice, bob] = (await registerMany(api, 'refer', 2)) as [Person, Person];
  await operator.list({ symbol: SYMBOL, name: 'Referred', listingCents: 5_000 });
  await operator.exemptSymbol(SYMBOL);
  await operator.exemptAccount(alice.accountId);
  await operator.giveCash(alice.accountId, 100_000_00);
  await operator.giveShares(bob.accountId, SYMBOL, 100);
}, 120_000);

afterAll(async () => {
  await api?.close();
  await installation?.stop();
}, 60_000);

const NEWCOMER = {
  name: 'New Comer',
  address: '1100 rue Notre-Dame Ouest, Montréal',
  birth_date: '1990-06-15',
  email: 'new.comer@load.test',
  phone: '+99000000000001',
  password: 'a newcomer’s passphrase',
};

type AskOptions = { method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; by?: Person; body?: unknown; key?: string };

async function ask(
  path: string,
  { method, by, body, key = mintId(idSource) }: AskOptions = {},
): Promise<Reply> {
  return api.raw(method ? 'command' : 'query', {
    ...(method ? { method } : {}),
    path,
    headers: {
      ...(method ? { 'idempotency-key': key } : {}),
      ...(by ? { authorization: `Bearer ${await by.token()}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
const statuses = async (replies: Promise<Reply>[]) =>
  (await Promise.all(replies)).map(({ status }) => status);
const order = (side: 'buy' | 'sell', limit_price: string, more: object = {}) => ({
  symbol: SYMBOL,
  side,
  type: 'limit',
  qty: '10',
  limit_price,
  ...more,
});
const place = async (by: Person, body: object, key = mintId(idSource)) =>
  succeeded(
    'an order',
    await api.command<views.OrderView>({
      method: 'POST',
      path: '/v1/orders',
      token: await by.token(),
      body,
      key,
    }),
  );

test('what is asked rightly is answered as described', async () => {
  const key = mintId(idSource);
  const resting = await place(alice, order('buy', '49.00', { client_order_id: 'refer-1' }), key);
  expect(await place(alice, order('buy', '49.00', { client_order_id: 'refer-1' }), key)).toMatchObject({
    replayed: true,
  });
  await place(bob, order('sell', '50.00', { qty: '20' }));
  const filled = await place(alice, order('buy', '50.00'));
  await place(
    alice,
    order('buy', '48.00', { client_order_id: 'refer-2', post_only: true, stp_mode: 'decrement' }),
  );
  const market = { symbol: SYMBOL, side: 'buy', type: 'market', qty: '5', time_in_force: 'ioc' };
  const { body: bought } = await place(alice, market);
  const at = `/v1/orders/${resting.body.id}`;
  await expect
    .poll(async () => JSON.parse((await ask(`/v1/orders/${bought.id}`, { by: alice })).text))
    .toMatchObject({ status: 'filled' });
  await expect
    .poll(async () => JSON.parse((await ask(`/v1/symbols/${SYMBOL}/ticker`)).text))
    .toMatchObject({ trades: 2 });
  const preview = await ask('/v1/orders/preview', { method: 'POST', by: alice, body: order('buy', '50.00') });
  expect(preview.status, preview.text).toBe(200);
  expect(JSON.parse(preview.text)).toMatchObject({
    code: null,
    expected: { filled_qty: '5', value: '250.00', leaves_qty: '5', leaves: 'rests' },
  });

  const paths = ['wallet', 'ledger?limit=2', 'holdings', 'orders?status=open,closed&limit=3', 'executions'];
  const own = [
    ...paths.map((path) => `/v1/${path}`),
    at,
    `${at}/events`,
    `/v1/orders/${filled.body.id}/events`,
  ];
  const everybodys = [
    '',
    '/depth',
    '/depth?levels=1',
    '/book',
    '/book/orders',
    '/trades',
    '/candles',
    '/reference-price',
  ].map((path) => `/v1/symbols/${SYMBOL}${path}`);
  expect(
    await statuses([
      ...own.map((path) => ask(path, { by: alice })),
      ...['/v1/symbols', ...everybodys].map((path) => ask(path)),
      ...['/v1/events', '/v1/parked-events'].map((path) => ask(path, { by: operator.person })),
    ]),
  ).toEqual(Array.from({ length: own.length + everybodys.length + 3 }, () => 200));

  const batch = [order('buy', '48.00'), order('buy', 'cheap')].map((each) => ({
    idempotency_key: mintId(idSource),
    order: each,
  }));
  const placed = await ask('/v1/orders/batch', { method: 'POST', by: alice, body: { orders: batch } });
  expect([
    placed.status,
    JSON.parse(placed.text).items.map((item: { status: number }) => item.status),
  ]).toEqual([207, [202, 400]]);

  const canceling = { method: 'POST', by: alice, body: { symbol: SYMBOL } } as const;
  expect((await ask('/v1/order-cancels/preview', canceling)).status).toBe(200);

  const registering = await ask('/v1/registrations', { method: 'POST', body: NEWCOMER });
  const { registration_id: registration } = JSON.parse(registering.text) as { registration_id: string };
  const halted = `/v1/symbols/${SYMBOL}`;
  for (const [path, options] of [
    [at, { method: 'PATCH', by: alice, body: { qty: '5' } }],
    [at, { method: 'DELETE', by: alice }],
    ['/v1/orders/by-client-order-id/refer-2', { method: 'DELETE', by: alice }],
    [`/v1/orders?symbol=${SYMBOL}`, { method: 'DELETE', by: alice }],
    ['/v1/dead-man-switch', { method: 'PUT', by: bob, body: { cancel_after_seconds: 60 } }],
    ['/v1/deposits', { method: 'POST', by: bob, body: { amount: '10.00' } }],
    [`${halted}/halt`, { method: 'POST', by: operator.person, body: { reason: 'news' } }],
    [`${halted}/resume`, { method: 'POST', by: operator.person, body: {} }],
    [`${halted}/phase`, { method: 'POST', by: operator.person, body: { phase: 'continuous' } }],
    [`${halted}/calendar`, { method: 'PUT', by: operator.person, body: { session: null } }],
    ['/v1/market/halt', { method: 'POST', by: operator.person, body: { reason: 'a breaker' } }],
    ['/v1/market/resume', { method: 'POST', by: operator.person, body: {} }],
    ['/v1/orders?all=true', { method: 'DELETE', by: alice }],
    ['/v1/kill-switch', { method: 'PUT', by: bob, body: { active: true } }],
    [
      `/v1/accounts/${bob.accountId}/kill-switch`,
      { method: 'PUT', by: operator.person, body: { active: false } },
    ],
    [`/v1/registrations/${registration}/passcode`, { method: 'POST' }],
  ] satisfies [string, AskOptions][]) {
    expect((await ask(path, options)).status, path).toBe(202);
  }
  const [guest, visitor] = (await registerMany(api, 'refer-visitor', 2)) as [Person, Person];
  for (const [path, by] of [
    ['/v1/sessions/current', guest],
    [`/v1/clients/${visitor.clientId}/sessions`, operator.person],
  ] as const) {
    expect((await ask(path, { method: 'DELETE', by })).status, path).toBe(204);
  }
  const crowd = { count: 1, label: 'refer', password: 'walnut ferry copper lantern', reason: 'a test' };
  const made = await ask('/dev/people', { method: 'POST', by: operator.person, body: crowd });
  expect(made.status, made.text).toBe(201);
  expect((await api.raw('command', { path: '/.well-known/jwks.json' })).status).toBe(200);
  const page = await api.raw('command', { path: '/dev/inbox', headers: { accept: 'text/html' } });
  expect(page.headers['content-type']).toMatch(/^text\/html/);
});

test('what is asked wrongly is refused as described', async () => {
  const staff = operator.person;
  const account = `/v1/accounts/${NOWHERE}`;
  for (const [path, status, options] of [
    ['/v1/orders', 401, { method: 'POST', body: order('buy', '50.00') }],
    ['/v1/orders', 400, { method: 'POST', by: alice, body: { symbol: SYMBOL, leverage: 2 } }],
    ['/v1/orders', 400, { method: 'POST', by: alice, body: order('buy', '50.00'), key: 'once' }],
    ['/v1/orders', 422, { method: 'POST', by: alice, body: order('buy', '50.00', { symbol: 'NOWHERE' }) }],
    ['/v1/orders/batch', 400, { method: 'POST', by: alice, body: { orders: [] } }],
    ['/v1/orders/preview', 400, { method: 'POST', by: alice, body: order('buy', 'cheap') }],
    ['/v1/order-cancels/preview', 400, { method: 'POST', by: alice, body: {} }],
    ['/v1/orders', 400, { method: 'DELETE', by: alice }],
    [`/v1/orders/${NOWHERE}`, 404, { method: 'DELETE', by: alice }],
    [`/v1/orders/${NOWHERE}`, 404, { method: 'PATCH', by: alice, body: { qty: '1' } }],
    ['/v1/dead-man-switch', 400, { method: 'PUT', by: alice, body: { cancel_after_seconds: -1 } }],
    ['/v1/orders?side=both', 400, { method: 'DELETE', by: alice }],
    ['/v1/orders/by-client-order-id/nobodys', 404, { method: 'DELETE', by: alice }],
    [`/v1/symbols/${SYMBOL}/matching-rules`, 422, { method: 'POST', by: staff, body: {} }],
    ['/v1/deposits', 422, { method: 'POST', by: bob, body: { amount: '10000.00' } }],
    [`${account}/cash-transfers`, 404, { method: 'POST', by: staff, body: { amount: '1.00' } }],
    [`${account}/share-transfers`, 404, { method: 'POST', by: staff, body: { symbol: SYMBOL, qty: '1' } }],
    [`${account}/exemptions`, 404, { method: 'PUT', by: staff, body: { bands_off: true, quotas_off: true } }],
    [
      '/v1/symbols',
      422,
      { method: 'POST', by: staff, body: { symbol: SYMBOL, name: 'X', listing_price: '1' } },
    ],
    ['/v1/symbols/NOWHERE/halt', 404, { method: 'POST', by: staff, body: { reason: 'news' } }],
    ['/v1/symbols/NOWHERE/phase', 404, { method: 'POST', by: staff, body: { phase: 'closed' } }],
    ['/v1/symbols/NOWHERE/calendar', 404, { method: 'PUT', by: staff, body: { session: null } }],
    ['/v1/market/halt', 403, { method: 'POST', by: alice, body: { reason: 'none' } }],
    ['/v1/market/resume', 403, { method: 'POST', by: alice, body: {} }],
    ['/v1/kill-switch', 400, { method: 'PUT', by: alice, body: {} }],
    [`${account}/kill-switch`, 404, { method: 'PUT', by: staff, body: { active: true } }],
    [`/v1/symbols/${SYMBOL}/resume`, 422, { method: 'POST', by: staff, body: {} }],
    [
      '/v1/symbols/NOWHERE/exemptions',
      404,
      { method: 'PUT', by: staff, body: { bands_off: true, quotas_off: true } },
    ],
    ['/v1/registrations', 400, { method: 'POST', body: {} }],
    ['/dev/people', 400, { method: 'POST', by: staff, body: {} }],
    [`/v1/registrations/${NOWHERE}/verification`, 404, { method: 'POST', body: { code: '123456' } }],
    ['/v1/registrations/none/passcode', 400, { method: 'POST' }],
    ['/v1/sessions', 401, { method: 'POST', body: { email: 'nobody@load.test', password: 'wrong' } }],
    ['/v1/sessions/current', 401, { method: 'DELETE' }],
    [`/v1/clients/${NOWHERE}/sessions`, 404, { method: 'DELETE', by: staff }],
    ['/v1/wallet', 401, {}],
    ['/v1/ledger?limit=0', 400, { by: alice }],
    ['/v1/holdings?page_token=rubbish', 400, { by: alice }],
    [`/v1/orders?account_id=${bob.accountId}`, 404, { by: alice }],
    [`/v1/orders/${NOWHERE}`, 404, { by: alice }],
    [`/v1/orders/${NOWHERE}/events`, 404, { by: alice }],
    ['/v1/executions?colour=red', 400, { by: alice }],
    ['/v1/symbols?min_position=rubbish', 400, {}],
    [`/v1/symbols?min_position=${NOWHERE}:1`, 409, {}],
    ['/v1/symbols/NOWHERE', 404, {}],
    ['/v1/symbols/NOWHERE/depth', 404, {}],
    ['/v1/symbols/NOWHERE/book', 404, {}],
    ['/v1/symbols/NOWHERE/book/orders', 404, {}],
    ['/v1/symbols/NOWHERE/reference-price', 404, {}],
    ['/v1/symbols/NOWHERE/ticker', 404, {}],
    ['/v1/symbols/NOWHERE/trades', 404, {}],
    ['/v1/symbols/NOWHERE/candles', 404, {}],
    ['/v1/events', 403, { by: alice }],
    ['/v1/parked-events', 403, { by: alice }],
    ['/v1/streams/orders', 401, {}],
    ['/v1/streams/symbols/NOWHERE', 404, {}],
    ['/v1/streams/symbols/NOWHERE/depth', 404, {}],
    ['/v1/ws', 426, {}],
  ] satisfies [string, number, AskOptions][]) {
    const reply = await ask(path, options);
    expect(reply.status, `${path}: ${reply.text}`).toBe(status);
  }
  expect((await api.raw('command', { path: '/dev/inbox?limit=0' })).status).toBe(400);
  const { headers } = await ask('/v1/symbols');
  const [storeId] = (headers['x-brokerx-position'] ?? '').split(':');
  // No reply of this store has had this position.
  expect((await ask(`/v1/wallet?min_position=${storeId}:999999999`, { by: alice })).status).toBe(409);
});

test('nothing was answered otherwise than described, and no operation was left out', () => {
  expect(reference.deviations).toEqual([]);
  const seen = Object.fromEntries(reference.operations.map((name) => [name, reference.answered(name)]));
  const unseen = Object.entries(seen).filter(([, kinds]) => !kinds.includes('2xx') || !kinds.includes('4xx'));
  expect(Object.fromEntries(unseen)).toEqual({
    // It has no refusals.
    'GET /.well-known/jwks.json': ['2xx'],
    // Their replies are endless streams, which the tests of query-api read.
    'GET /v1/streams/orders': ['4xx'],
    'GET /v1/streams/symbols/{symbol}': ['4xx'],
    'GET /v1/streams/symbols/{symbol}/{channel}': ['4xx'],
    'GET /v1/ws': ['4xx'],
    // Symbols listed now follow the newest rules already.
    'POST /v1/symbols/{symbol}/matching-rules': ['4xx'],
  });
});
