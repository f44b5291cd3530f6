import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { accountStream, bookStream, clientStream, type Fact } from '@brokerx/contracts';
import { errorsHeardElsewhere } from '@brokerx/infra';
import { afterEach, expect, test } from 'vitest';
import { openEventSource } from './eventSource.ts';
import { ann, idOf, startTestQueryApi, type TestQueryApi } from './queryApi.ts';
import { openWebSocket } from './webSocket.ts';

let api: TestQueryApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const trades = (count: number, from: number): Fact[] =>
  Array.from({ length: count }, (_, i) => ({
    type: 'TradeExecuted.v1',
    data: {
      trade: from + i,
      priceTicks: 3050,
      tickCents: 1,
      quantity: 5,
      takerSide: 'buy',
      maker: { orderId: idOf('maker'), accountId: ann.accountId, revision: 1, leaves: 0 },
      taker: { orderId: idOf('taker'), accountId: ann.accountId, revision: 1, leaves: 0 },
    },
  }));
const openStreamCount = async ({ url }: TestQueryApi): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^brokerx_query_streams\{.*\} (\d+)$/m.exec(text)?.[1]);
};
const SYMBOL = { 'depth:XEQT': { symbol: 'XEQT', sequence: 0, bids: [], asks: [] }, 'ticker:XEQT': {} };

test('open streams are told that the server stops, and do not hold it up', async () => {
  api = await startTestQueryApi();
  const { accountId, clientId } = ann;
  await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  const authorization = `Bearer ${await api.token(ann)}`;
  const source = await openEventSource(`${api.url}/v1/streams/orders`, { authorization });
  await source.until((messages) => messages.length === 1);

  await api.closeApi();
  await source.ended;
  expect(source.messages.at(-1)).toEqual({ event: 'server_shutdown', id: undefined, data: {} });
});

test('with its session a stream ends and the token is refused; another session’s stream goes on', async () => {
  const running = await startTestQueryApi();
  api = running;
  const { accountId, clientId } = ann;
  await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  const expiresAt = new Date(Date.now() + 900_000).toISOString();
  const [phone, laptop, before] = [randomUUID(), randomUUID(), randomUUID()];
  // Ended before this process meets its token.
  await api.append(clientStream(clientId), [
    { type: 'SignedOut.v1', data: { sessionId: before, expiresAt } },
  ]);
  const open = async (id: string, revision: number) => {
    const authorization = `Bearer ${await running.token(ann, 900, { id, revision })}`;
    const source = await openEventSource(`${running.url}/v1/streams/orders`, { authorization });
    const ask = async () =>
      (await fetch(`${running.url}/v1/holdings`, { headers: { authorization } })).status;
    return { source, ask };
  };
  expect(await (await open(before, 0)).ask()).toBe(401);
  const onPhone = await open(phone, 1);
  const onLaptop = await open(laptop, 1);
  for (const { source } of [onPhone, onLaptop]) await source.until((messages) => messages.length === 1);

  await api.append(clientStream(clientId), [{ type: 'SignedOut.v1', data: { sessionId: phone, expiresAt } }]);
  await onPhone.source.ended;
  expect(onPhone.source.messages.at(-1)).toEqual({ event: 'session_ended', id: undefined, data: {} });
  expect([await onPhone.ask(), await onLaptop.ask()]).toEqual([401, 200]);

  // All that began before: the laptop's too, but not one that begins later.
  const end = 2;
  await api.append(clientStream(clientId), [{ type: 'SessionsEnded.v1', data: { until: expiresAt } }]);
  await onLaptop.source.ended;
  expect(onLaptop.source.messages.at(-1)).toEqual({ event: 'session_ended', id: undefined, data: {} });
  expect(await onLaptop.ask()).toBe(401);
  const later = await open(randomUUID(), end + 1);
  await later.source.until((messages) => messages.length === 1);
  expect(await later.ask()).toBe(200);
  await later.source.close();
});

test('a client that does not keep up is cut off as a slow consumer, and resumes without a gap', async () => {
  api = await startTestQueryApi({ bufferBytesMax: 200 * 1024 });
  await api.marketData(1, SYMBOL);
  await api.append(bookStream('XEQT'), trades(1, 1));
  // It may be cut off by a reset.
  const socket = errorsHeardElsewhere(connect({ port: Number(new URL(api.url).port), host: '127.0.0.1' }));
  const head =
    'GET /v1/streams/symbols/XEQT HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlast-event-id: 0\r\n\r\n';
  socket.write(head);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();

  // The sockets' own buffers take megabytes before the server's begins to fill.
  let total = 1;
  for (; (await openStreamCount(api)) > 0; total += 500) {
    await api.append(bookStream('XEQT'), trades(500, total + 1));
  }
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));

  expect(text).toContain('event: slow_consumer');
  const heard = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  const last = heard.at(-1) ?? 0;
  expect(last).toBeLessThan(total - 1);
  expect(heard).toEqual(Array.from({ length: heard.length }, (_, i) => last - heard.length + 1 + i));

  const source = await openEventSource(`${api.url}/v1/streams/symbols/XEQT`, {
    'last-event-id': String(last),
  });
  await source.until((messages) => messages.at(-1)?.id === String(total - 1));
  await source.close();
  const rest = source.messages.filter(({ event }) => event === 'trade').map(({ id }) => Number(id));
  expect(rest).toEqual(Array.from({ length: total - 1 - last }, (_, i) => last + 1 + i));
});

test('a WebSocket is told that the server stops, has its answers, and is closed', async () => {
  const { promise: answer, resolve: go } = Promise.withResolvers<void>();
  const { promise: asked, resolve: hasAsked } = Promise.withResolvers<void>();
  const commands = createServer(async (_, response) => {
    hasAsked();
    await answer;
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"id":"an order"}');
  });
  await new Promise<void>((resolve) => commands.listen(0, '127.0.0.1', resolve));
  const { port } = commands.address() as { port: number };
  api = await startTestQueryApi({ commandUrl: `http://127.0.0.1:${port}` });
  const socket = await openWebSocket(api.url);
  await socket.ask('authenticate', { token: await api.token(ann) });
  const placing = socket.ask('place_order', { order: {} });
  await asked;
  const closing = api.closeApi();
  await socket.until(() => socket.received.some(({ type }) => type === 'serverShutdown'));
  expect(await socket.ask('subscribe', { subscriptions: [{ channel: 'orders' }] })).toMatchObject({
    error: { code: 'UNAVAILABLE' },
  });
  go();
  expect(await placing).toMatchObject({ status: 202, result: { id: 'an order' } });
  expect(await socket.ended).toEqual({ code: 1001, reason: 'serverShutdown' });
  await closing;
  commands.close();
});
