import { bookStream } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { list, rests } from './market.ts';
import { startTestQueryApi, type TestQueryApi } from './queryApi.ts';
import { type RawSocket, rawSocket, requestHead } from './rawSocket.ts';

/** Only a right handshake at the right place becomes a WebSocket; all else is answered, and bounded, as any request. */
let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
  await list(api, 'XEQT');
  const position = await api.append(bookStream('XEQT'), [rests('o1', 'buy', 2_990, 10)]);
  for (const name of ['symbols', 'candles', 'orders']) await api.project(name, position);
  await api.marketData(position, {
    'depth:XEQT': { symbol: 'XEQT', sequence: 0, bids: [], asks: [] },
    'ticker:XEQT': { symbol: 'XEQT', sequence: 0, last_price: null },
  });
}, 60_000);
afterAll(() => api.close());

const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket' };
const KEY = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
const VERSION = { 'sec-websocket-version': '13' };

async function client(): Promise<RawSocket> {
  const socket = await rawSocket(api.url);
  onTestFinished(() => socket.leave('reset'));
  return socket;
}
const eventually = <T>(look: () => T | Promise<T>) => expect.poll(look);
async function figure(name: string): Promise<number> {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

test.for<[what: string, path: string, headers: Record<string, string>, status: number, code: string]>([
  ['no route', '/nope', { ...KEY, ...VERSION }, 404, 'ROUTE_NOT_FOUND'],
  ['a route below', '/v1/ws/x', { ...KEY, ...VERSION }, 404, 'ROUTE_NOT_FOUND'],
  ['a private route', '/v1/wallet', { ...KEY, ...VERSION }, 401, 'UNAUTHENTICATED'],
  ['the WebSocket without key', '/v1/ws', VERSION, 400, 'BAD_REQUEST'],
  ['the WebSocket with a wrong key', '/v1/ws', { ...VERSION, 'sec-websocket-key': 'a' }, 400, 'BAD_REQUEST'],
  [
    'the WebSocket of another version',
    '/v1/ws',
    { ...KEY, 'sec-websocket-version': '7' },
    426,
    'UPGRADE_REQUIRED',
  ],
  ['something else', '/v1/ws', { ...KEY, ...VERSION, upgrade: 'h2c' }, 426, 'UPGRADE_REQUIRED'],
  [
    'protocols without names',
    '/v1/ws',
    { ...KEY, ...VERSION, 'sec-websocket-protocol': 'a,,b' },
    400,
    'BAD_REQUEST',
  ],
])('an upgrade that asks for %s is a request like any other', async ([, path, headers, status, code]) => {
  const socket = await client();
  for (let turn = 1; turn <= 2; turn++) {
    await socket.send(requestHead(path, { ...UPGRADE, ...headers }));
    // The connection goes on: the second answer comes over the same one.
    await eventually(() => socket.heard().split(`"code":"${code}"`).length - 1).toBe(turn);
  }
  expect(socket.heard()).toMatch(
    new RegExp(`^HTTP/1.1 ${status} .*content-type: application/problem\\+json`, 'is'),
  );
});

test('a handshake behind a request that is not answered yet does not take the connection away from it', async () => {
  const socket = await client();
  const waiting = `/v1/symbols?min_position=${api.positionToken((await api.store.head()) + 1_000)}`;
  await socket.send(requestHead(waiting) + requestHead('/v1/ws', { ...UPGRADE, ...KEY, ...VERSION }));
  await eventually(() => socket.heard()).toMatch(/HTTP\/1.1 (?!101)\d+ .*HTTP\/1.1 426 /s);
});

test('whoever asks for an upgrade elsewhere is counted, and its going is noticed', async () => {
  const others = await figure('brokerx_http_connections');
  const streams = await figure('brokerx_query_streams');
  const sockets = await Promise.all([client(), client(), client()]);
  for (const socket of sockets) {
    await socket.send(requestHead('/v1/streams/symbols/XEQT', { ...UPGRADE, ...KEY, ...VERSION }));
    await socket.until(/^HTTP\/1.1 200 /);
  }
  expect(await figure('brokerx_query_streams')).toBe(streams + 3);
  expect(await figure('brokerx_http_connections')).toBeGreaterThanOrEqual(others + 2);
  for (const socket of sockets) await socket.leave('fin');
  await eventually(() => figure('brokerx_query_streams')).toBe(streams);
});

test('a stop closes connections that asked for an upgrade elsewhere as it closes any idle one', async () => {
  const own = await startTestQueryApi();
  const socket = await rawSocket(own.url);
  await socket.send(requestHead('/nope', UPGRADE));
  await eventually(() => socket.heard()).toContain('ROUTE_NOT_FOUND');
  // It would wait for the connection for ever.
  await own.close();
  await socket.leave('fin');
});
