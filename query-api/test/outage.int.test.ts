import { accountStream } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cuttableWay } from './cuttableWay.ts';
import { openEventSource } from './eventSource.ts';
import { ann, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
let way: Awaited<ReturnType<typeof cuttableWay>>;
beforeAll(async () => {
  api = await startTestQueryApi({
    async way(databaseUrl) {
      const url = new URL(databaseUrl);
      way = await cuttableWay({ host: url.hostname, port: Number(url.port) });
      url.host = `127.0.0.1:${way.port}`;
      return url.href;
    },
  });
});
afterAll(async () => {
  await api.close();
  await way.close();
});

test('while PostgreSQL is away queries are 503, and afterwards everything goes on by itself', async () => {
  const { accountId, clientId } = ann;
  const stream = accountStream(accountId);
  await api.append(stream, [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  await api.insert('read.wallet_v1', [{ account_id: accountId, cash_cents: 500, held_cents: 0 }]);
  const authorization = `Bearer ${await api.token(ann)}`;
  const source = await openEventSource(`${api.url}/v1/streams/orders`, { authorization });
  await source.until((messages) => messages.length === 1);
  expect((await api.get('/v1/wallet', ann)).status).toBe(200);

  await way.cut();
  const refused = await api.get('/v1/wallet', ann);
  expect([refused.status, await refused.json()]).toEqual([
    503,
    expect.objectContaining({ code: 'UNAVAILABLE', retryable: true }),
  ]);
  expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${api.url}/livez`)).status).toBe(200);
  // Told while nobody here could hear it.
  await api.project('wallets', 9);
  const orderId = '11111111-1111-4111-8111-111111111111';
  await api.append(stream, [
    { type: 'OrderCancelRequested.v1', data: { orderId, accountId, symbol: 'XEQT' } },
  ]);
  await way.mend();

  await source.until((messages) => messages.length === 2);
  expect(source.messages.at(-1)).toMatchObject({ event: 'cancel_requested', id: '1' });
  await source.close();
  let answer = await api.get(`/v1/wallet?min_position=${api.positionToken(9)}`, ann);
  while (answer.status === 503)
    answer = await api.get(`/v1/wallet?min_position=${api.positionToken(9)}`, ann);
  expect([answer.headers.get('x-brokerx-position'), await answer.json()]).toEqual([
    api.positionToken(9),
    expect.objectContaining({ cash: '5.00' }),
  ]);
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
});
