import { createServer, type Server } from 'node:http';
import { accountStream, bookStream, type Fact, mintId } from '@brokerx/contracts';
import { realRuntime } from '@brokerx/infra';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { list, placed, rests } from './market.ts';
import { ann, bob, idOf, startTestQueryApi, type TestQueryApi } from './queryApi.ts';
import { openWebSocket, type Received } from './webSocket.ts';

/** A command-api that says what it was asked. */
let commands: Server;
let api: TestQueryApi;
let busy: Promise<void> | null = null;
beforeAll(async () => {
  commands = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += String(chunk);
    });
    request.on('end', async () => {
      await busy;
      const { method, url, headers } = request;
      const refusal = text.includes('refuse me');
      response.writeHead(refusal ? 422 : 202, {
        'content-type': 'application/json',
        'x-brokerx-position': 'store:7',
        'idempotent-replayed': 'true',
      });
      const asked = { method, url, key: headers['idempotency-key'], authorization: headers.authorization };
      response.end(
        JSON.stringify(refusal ? { code: 'PRICE_TICK' } : { ...asked, body: text && JSON.parse(text) }),
      );
    });
  });
  await new Promise<void>((resolve) => commands.listen(0, '127.0.0.1', resolve));
  const { port } = commands.address() as { port: number };
  api = await startTestQueryApi({ commandUrl: `http://127.0.0.1:${port}`, bufferBytesMax: 200_000 });
  await list(api, 'XEQT');
  for (const { accountId, clientId } of [ann, bob]) {
    await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  }
});
afterAll(async () => {
  await api.close();
  commands.close();
});

const depth = { channel: 'depth', symbol: 'XEQT' };
const noted: Fact = { type: 'InputNoted.v1', data: {} };
test('what is subscribed to comes behind the sequence that the reply names, until it is unsubscribed', async () => {
  await api.append(bookStream('XEQT'), [noted, rests('w1', 'buy', 2_990, 10)]);
  const socket = await openWebSocket(api.url);
  expect(
    await socket.ask('subscribe', { subscriptions: [depth, { ...depth, channel: 'best_prices' }] }),
  ).toEqual({
    type: 'reply',
    id: 1,
    result: {
      subscriptions: [
        { ...depth, sequence: 1 },
        { ...depth, channel: 'best_prices', sequence: 1 },
      ],
    },
  });
  await api.append(bookStream('XEQT'), [rests('w2', 'buy', 2_990, 5)]);
  expect(await socket.data('depth', 1)).toEqual([
    {
      type: 'data',
      ...depth,
      sequence: 2,
      data: { U: 2, u: 2, crossed: false, checksum: expect.any(Number), bids: [['29.90', '15']], asks: [] },
    },
  ]);
  await socket.ask('unsubscribe', { subscriptions: [depth] });
  await api.append(bookStream('XEQT'), [rests('w3', 'buy', 2_990, 1)]);
  const best = await socket.data('best_prices', 3);
  expect(
    best.map((message) => [message['sequence'], (message['data'] as { bid_qty: string }).bid_qty]),
  ).toEqual([
    [1, '10'],
    [2, '15'],
    [3, '16'],
  ]);
  expect(await socket.data('depth', 1)).toHaveLength(1);
  await socket.close();
});

test('who comes back subscribes behind what it had, and misses nothing', async () => {
  const first = await openWebSocket(api.url);
  await first.ask('subscribe', { subscriptions: [depth] });
  await api.append(bookStream('XEQT'), [noted]);
  const [last] = await first.data('depth', 1);
  await first.close();
  await api.append(bookStream('XEQT'), [rests('w4', 'sell', 3_100, 1)]);
  const again = await openWebSocket(api.url);
  const sequence = Number(last?.['sequence']);
  await again.ask('subscribe', { subscriptions: [{ ...depth, after: sequence }] });
  const [next] = await again.data('depth', 1);
  expect(next?.['data']).toMatchObject({ U: sequence + 1, asks: [['31.00', '1']] });
  await again.ask('subscribe', { subscriptions: [{ ...depth, after: 9_999 }] });
  await again.until(() => again.received.some(({ type }) => type === 'resync'));
  expect(again.received.filter(({ type }) => type === 'resync')).toEqual([
    { type: 'resync', ...depth, reason: 'unknown_sequence', sequence: 9_999 },
  ]);
  await again.close();
});

test('a client hears of its own orders once it has signed in, and resumes them', async () => {
  const socket = await openWebSocket(api.url);
  const orders = { subscriptions: [{ channel: 'orders' }] };
  expect((await socket.ask('subscribe', orders))['error']).toMatchObject({
    status: 401,
    code: 'UNAUTHENTICATED',
  });
  expect((await socket.ask('authenticate', { token: await api.token(ann) }))['result']).toMatchObject({
    client_id: ann.clientId,
    account_id: ann.accountId,
  });
  expect((await socket.ask('subscribe', orders))['result']).toEqual({
    subscriptions: [{ channel: 'orders', sequence: 0 }],
  });
  await api.append(accountStream(bob.accountId), [placed('of Bob', bob)]);
  await api.append(accountStream(ann.accountId), [placed('of Ann', ann)]);
  const [order] = (await socket.data('orders', 1)) as [Received];
  expect([order['sequence'], (order['data'] as { order_id: string }).order_id]).toEqual([1, idOf('of Ann')]);
  expect((await socket.ask('authenticate', { token: await api.token(bob) }))['error']).toMatchObject({
    code: 'FORBIDDEN',
  });
  await socket.ask('subscribe', { subscriptions: [{ channel: 'orders', after: 0 }] });
  await socket.data('orders', 2);
  await socket.close();
});

// A token is cut to whole seconds: of three, two are left for the beginning.
test('with the token the own orders end, and the public channels go on', async () => {
  const socket = await openWebSocket(api.url);
  await socket.ask('authenticate', { token: await api.token(ann, 3) });
  await socket.ask('subscribe', { subscriptions: [{ channel: 'orders' }, depth] });
  await socket.until(() => socket.received.some(({ type }) => type === 'ended'));
  expect(socket.received.at(-1)).toEqual({ type: 'ended', channel: 'orders', reason: 'token_expired' });
  await api.append(bookStream('XEQT'), [noted]);
  await socket.data('depth', 1);
  expect(await socket.ask('place_order', { order: {} })).toMatchObject({
    status: 401,
    error: { code: 'UNAUTHENTICATED' },
  });
  await socket.close();
});

test('orders go to command-api with the client’s token and key, and its answers come back', async () => {
  const socket = await openWebSocket(api.url);
  const token = await api.token(ann);
  await socket.ask('authenticate', { token });
  const idempotency_key = mintId(realRuntime);
  const answered = async (method: string, params: object) => {
    const { status, position, replayed, result } = await socket.ask(method, params);
    expect({ status, position, replayed }).toEqual({ status: 202, position: 'store:7', replayed: true });
    const { authorization, ...asked } = result as { authorization: string };
    expect(authorization).toBe(`Bearer ${token}`);
    return asked;
  };
  const key = idempotency_key;
  const order = { symbol: 'XEQT', side: 'buy', type: 'limit', qty: '10', limit_price: '31.50' };
  expect(await answered('place_order', { idempotency_key, order })).toEqual({
    method: 'POST',
    url: '/v1/orders',
    key,
    body: order,
  });
  expect(await answered('place_orders', { orders: [{ idempotency_key, order }] })).toEqual({
    method: 'POST',
    url: '/v1/orders/batch',
    body: { orders: [{ idempotency_key, order }] },
  });
  const order_id = idOf('an order');
  expect(await answered('amend_order', { idempotency_key, order_id, change: { qty: '5' } })).toEqual({
    method: 'PATCH',
    url: `/v1/orders/${order_id}`,
    key,
    body: { qty: '5' },
  });
  expect(await answered('cancel_order', { idempotency_key, order_id })).toEqual({
    method: 'DELETE',
    url: `/v1/orders/${order_id}`,
    key,
    body: '',
  });
  expect(await answered('cancel_order', { idempotency_key, client_order_id: 'mine' })).toEqual({
    method: 'DELETE',
    url: '/v1/orders/by-client-order-id/mine',
    key,
    body: '',
  });
  expect(
    await answered('cancel_orders', { idempotency_key, filter: { symbol: 'XEQT', side: 'buy' } }),
  ).toEqual({
    method: 'DELETE',
    url: '/v1/orders?symbol=XEQT&side=buy',
    key,
    body: '',
  });
  expect(await answered('cancel_orders', { idempotency_key, filter: { all: true } })).toEqual({
    method: 'DELETE',
    url: '/v1/orders?all=true',
    key,
    body: '',
  });
  expect(await socket.ask('place_order', { idempotency_key, order: 'refuse me' })).toMatchObject({
    status: 422,
    position: 'store:7',
    error: { code: 'PRICE_TICK' },
  });
  await socket.close();
});

test.for<[what: string, text: string, id: unknown, code: string, errors: [string, string][]]>([
  ['no JSON', '{"id":', null, 'MALFORMED_JSON', []],
  ['no object', '7', null, 'INVALID_REQUEST', [['#', 'INVALID_TYPE']]],
  ['an unknown method', '{"id":1,"method":"buy"}', 1, 'INVALID_REQUEST', [['#/method', 'INVALID_VALUE']]],
  [
    'a field too many',
    '{"id":"a","method":"subscribe","param":{}}',
    'a',
    'INVALID_REQUEST',
    [['#/param', 'UNKNOWN_FIELD']],
  ],
  [
    'a channel without its symbol',
    '{"id":2,"method":"subscribe","params":{"subscriptions":[{"channel":"depth"}]}}',
    2,
    'INVALID_REQUEST',
    [['#/params/subscriptions/0/symbol', 'INVALID_VALUE']],
  ],
  [
    'candles without an interval, resumed',
    '{"id":3,"method":"subscribe","params":{"subscriptions":[{"channel":"candles","symbol":"XEQT","after":1}]}}',
    3,
    'INVALID_REQUEST',
    [
      ['#/params/subscriptions/0/interval', 'INVALID_VALUE'],
      ['#/params/subscriptions/0/after', 'INVALID_VALUE'],
    ],
  ],
  [
    'a misspelt filter',
    '{"id":6,"method":"cancel_orders","params":{"filter":{"symobl":"XEQT"}}}',
    6,
    'INVALID_REQUEST',
    [['#/params/filter/symobl', 'UNKNOWN_FIELD']],
  ],
  [
    'a filter whose key is inherited elsewhere',
    '{"id":7,"method":"cancel_orders","params":{"filter":{"__proto__":"x","constructor":"y","toString":"z"}}}',
    7,
    'INVALID_REQUEST',
    [
      ['#/params/filter/__proto__', 'UNKNOWN_FIELD'],
      ['#/params/filter/constructor', 'UNKNOWN_FIELD'],
      ['#/params/filter/toString', 'UNKNOWN_FIELD'],
    ],
  ],
  [
    'parameters with such a key',
    '{"id":8,"method":"ping","params":{"__proto__":{"a":1}}}',
    8,
    'INVALID_REQUEST',
    [['#/params/__proto__', 'UNKNOWN_FIELD']],
  ],
  [
    'a message with such a key',
    '{"id":9,"method":"ping","__proto__":{"params":{}}}',
    9,
    'INVALID_REQUEST',
    [['#/__proto__', 'UNKNOWN_FIELD']],
  ],
  [
    'a key that no header can have',
    '{"id":10,"method":"place_order","params":{"idempotency_key":"a\\r\\nb","order":{}}}',
    10,
    'INVALID_REQUEST',
    [['#/params/idempotency_key', 'INVALID_FORMAT']],
  ],
  [
    'a cancel of everything that is not asked for by name',
    '{"id":17,"method":"cancel_orders","params":{"filter":{}}}',
    17,
    'INVALID_REQUEST',
    [['#/params/filter/all', 'INVALID_VALUE']],
  ],
  [
    'a cancel without a filter',
    '{"id":18,"method":"cancel_orders"}',
    18,
    'INVALID_REQUEST',
    [['#/params/filter', 'REQUIRED']],
  ],
  [
    'a name that no address can bear',
    '{"id":19,"method":"cancel_order","params":{"client_order_id":".."}}',
    19,
    'INVALID_REQUEST',
    [['#/params/client_order_id', 'INVALID_FORMAT']],
  ],
  [
    'a key that is no text',
    '{"id":11,"method":"cancel_orders","params":{"idempotency_key":"\\ud800","filter":{"all":true}}}',
    11,
    'INVALID_REQUEST',
    [['#/params/idempotency_key', 'INVALID_FORMAT']],
  ],
  [
    'an order that is no id',
    '{"id":12,"method":"amend_order","params":{"order_id":"\\udc00","change":{}}}',
    12,
    'INVALID_REQUEST',
    [['#/params/order_id', 'INVALID_FORMAT']],
  ],
  [
    'a name that is none',
    '{"id":13,"method":"cancel_order","params":{"client_order_id":"\\u0000"}}',
    13,
    'INVALID_REQUEST',
    [['#/params/client_order_id', 'INVALID_FORMAT']],
  ],
  [
    'an unknown symbol',
    '{"id":4,"method":"subscribe","params":{"subscriptions":[{"channel":"depth","symbol":"NOWHERE"}]}}',
    4,
    'UNKNOWN_SYMBOL',
    [],
  ],
  [
    'a token that is none',
    '{"id":5,"method":"authenticate","params":{"token":"x"}}',
    5,
    'UNAUTHENTICATED',
    [],
  ],
])('%s is answered with an error that names field and rule', async ([, text, id, code, errors]) => {
  const socket = await openWebSocket(api.url);
  socket.send(text);
  const { error } = await socket.replyTo(id as number);
  const problem = error as { code: string; errors?: { pointer: string; code: string }[] };
  expect([problem.code, (problem.errors ?? []).map((each) => [each.pointer, each.code])]).toEqual([
    code,
    errors,
  ]);
  await socket.close();
});

test('where one of several channels cannot be given, none is', async () => {
  const socket = await openWebSocket(api.url);
  const nowhere = { channel: 'depth', symbol: 'NOWHERE' };
  expect(await socket.ask('subscribe', { subscriptions: [depth, nowhere] })).toMatchObject({ error: {} });
  await api.append(bookStream('XEQT'), [noted]);
  await socket.ask('subscribe', { subscriptions: [{ ...depth, channel: 'best_prices' }] });
  await socket.data('best_prices', 1);
  expect(socket.received.filter(({ channel }) => channel === 'depth')).toEqual([]);
  await socket.close();
});

test('more subscriptions, or more unanswered requests than may be, are refused', async () => {
  const socket = await openWebSocket(api.url);
  const intervals = ['1s', '1m', '5m', '15m', '1h', '4h', '1d', '1w', '1M'];
  // Candles of symbols that are not there: what is counted is what is asked for.
  const many = (from: number) =>
    Array.from({ length: 100 }, (_, n) => ({
      channel: 'candles',
      symbol: `S${from + Math.floor(n / 9)}`,
      interval: intervals[n % 9],
    }));
  expect((await socket.ask('subscribe', { subscriptions: [...many(0), depth] }))['error']).toMatchObject({
    errors: [{ pointer: '#/params/subscriptions', code: 'TOO_BIG' }],
  });
  await socket.ask('authenticate', { token: await api.token(ann) });
  let go = (): void => undefined;
  busy = new Promise((resolve) => {
    go = resolve;
  });
  for (let id = 1_000; id < 1_257; id++) {
    socket.send(JSON.stringify({ id, method: 'cancel_order', params: { order_id: idOf('x') } }));
  }
  expect(await socket.replyTo(1_256)).toMatchObject({ error: { code: 'OVERLOADED', retryable: true } });
  go();
  busy = null;
  expect(await socket.replyTo(1_255)).toMatchObject({ status: 202 });
  await socket.close();
});

test('the number of connections of one client is bounded', async () => {
  const sockets = await Promise.all(Array.from({ length: 100 }, () => openWebSocket(api.url)));
  const oneMore = await openWebSocket(api.url);
  expect(await oneMore.ended).toEqual({ code: 1008, reason: 'TOO_MANY_STREAMS' });
  await Promise.all(sockets.map((socket) => socket.close()));
});

test('a message that is too long, or not text, ends the connection with the reason', async () => {
  const long = await openWebSocket(api.url);
  long.send(`{"id":"${'x'.repeat(70_000)}"}`);
  expect((await long.ended).code).toBe(1009);
});

test('who does not ask for the upgrade is told so', async () => {
  const response = await api.get('/v1/ws');
  expect([response.status, response.headers.get('upgrade'), await response.json()]).toEqual([
    426,
    'websocket',
    expect.objectContaining({ code: 'UPGRADE_REQUIRED' }),
  ]);
});
