import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ann, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi({ begun: false });
  await api.insert('read.wallet_v1', [{ account_id: ann.accountId, cash_cents: 500, held_cents: 0 }]);
});
afterAll(() => api.close());

/** Nobody waits for a position: what is told must come of the notifications alone. */
const position = async () => (await api.get('/v1/wallet', ann)).headers.get('x-brokerx-position');
const PATIENCE = { timeout: 100_000 };

test('a projection that begins after query-api has started is followed', async () => {
  const before = await api.get('/v1/wallet', ann);
  expect([before.status, await before.json()]).toEqual([
    503,
    expect.objectContaining({ code: 'READ_MODEL_BEHIND', detail: 'what is read is being made again' }),
  ]);
  await api.project('wallets', 7);
  await expect.poll(position, PATIENCE).toBe(api.positionToken(7));
  await api.project('wallets', 9);
  await expect.poll(position, PATIENCE).toBe(api.positionToken(9));
});

test('when another version becomes the live one, that one is followed', async () => {
  await api.pool.query(`update read.projection set version = 2, position = 11 where name = 'wallets'`);
  await api.pool.query('select pg_notify($1, $2)', [PROJECTION_CHANNEL, 'wallets:2:11']);
  await expect.poll(position, PATIENCE).toBe(api.positionToken(11));
});

test('one that went back is not shown, says so, and is shown again as soon as it has come as far', async () => {
  await api.project('orders', 12);
  const ofOrders = async () => (await api.get('/v1/orders', ann)).headers.get('x-brokerx-position');
  await expect.poll(ofOrders, PATIENCE).toBe(api.positionToken(12));
  await api.project('orders', 10);
  const behind = await api.get('/v1/orders', ann);
  expect([behind.status, await behind.json()]).toEqual([
    503,
    expect.objectContaining({
      code: 'READ_MODEL_BEHIND',
      detail: 'what is read went back to 10, and was at 12 before',
    }),
  ]);
  await api.project('orders', 13);
  await expect.poll(ofOrders, PATIENCE).toBe(api.positionToken(13));
});
