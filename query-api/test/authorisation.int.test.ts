import { accountStream } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { list } from './market.ts';
import {
  analyst,
  ann,
  bob,
  idOf,
  operator,
  type Person,
  startTestQueryApi,
  type TestQueryApi,
} from './queryApi.ts';

/**
 * Every route × everybody who might call it. The routes come from the API itself: one without a row here fails.
 * What is asked for is Ann's, where it is anybody's.
 */
const PRIVATE = { owner: 200, other: 404, operator: 200, analyst: 200, anonymous: 401, expired: 401 };
const PUBLIC = { owner: 200, other: 200, operator: 200, analyst: 200, anonymous: 200, expired: 200 };
const STAFF_ONLY = { owner: 403, other: 403, operator: 200, analyst: 200, anonymous: 401, expired: 401 };

/** It asks for no upgrade. */
const SOCKET = Object.fromEntries(Object.keys(PUBLIC).map((who) => [who, 426])) as typeof PUBLIC;

const MATRIX: Record<string, { path: string; answers: Record<keyof typeof PRIVATE, number> }> = {
  '/v1/wallet': { path: `/v1/wallet?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/ledger': { path: `/v1/ledger?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/holdings': { path: `/v1/holdings?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/orders': { path: `/v1/orders?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/orders/{id}': { path: `/v1/orders/${idOf('order')}`, answers: PRIVATE },
  '/v1/orders/{id}/events': { path: `/v1/orders/${idOf('order')}/events`, answers: PRIVATE },
  '/v1/executions': { path: `/v1/executions?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/streams/orders': { path: `/v1/streams/orders?account_id=${ann.accountId}`, answers: PRIVATE },
  '/v1/parked-events': { path: '/v1/parked-events', answers: STAFF_ONLY },
  '/v1/events': { path: '/v1/events?limit=1', answers: STAFF_ONLY },
  '/v1/symbols': { path: '/v1/symbols', answers: PUBLIC },
  '/v1/symbols/{symbol}': { path: '/v1/symbols/XEQT', answers: PUBLIC },
  '/v1/symbols/{symbol}/depth': { path: '/v1/symbols/XEQT/depth', answers: PUBLIC },
  '/v1/symbols/{symbol}/ticker': { path: '/v1/symbols/XEQT/ticker', answers: PUBLIC },
  '/v1/symbols/{symbol}/trades': { path: '/v1/symbols/XEQT/trades', answers: PUBLIC },
  '/v1/symbols/{symbol}/candles': { path: '/v1/symbols/XEQT/candles', answers: PUBLIC },
  '/v1/symbols/{symbol}/book': { path: '/v1/symbols/XEQT/book', answers: PUBLIC },
  '/v1/symbols/{symbol}/book/orders': { path: '/v1/symbols/XEQT/book/orders', answers: PUBLIC },
  '/v1/symbols/{symbol}/reference-price': { path: '/v1/symbols/XEQT/reference-price', answers: PUBLIC },
  '/v1/streams/symbols/{symbol}/{channel}': { path: '/v1/streams/symbols/XEQT/depth', answers: PUBLIC },
  '/v1/ws': { path: '/v1/ws', answers: SOCKET },
  '/v1/streams/symbols/{symbol}': { path: '/v1/streams/symbols/XEQT', answers: PUBLIC },
};

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
  const { accountId, clientId } = ann;
  await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  await list(api, 'XEQT');
  await api.insert('read.wallet_v1', [{ account_id: accountId, cash_cents: 1, held_cents: 0 }]);
  await api.insert('read.symbol_v1', [
    {
      symbol: 'XEQT',
      name: 'XEQT',
      state: 'continuous',
      tick_cents: 1,
      listing_cents: 3000,
      reference_cents: 3000,
      collar_ppm: 100_000,
      fee_ppm: 500,
      order_shares_max: 1_000,
      daily_close: '21:00',
      bands_off: false,
      quotas_off: false,
    },
  ]);
  await api.marketData(1, {
    'depth:XEQT': { symbol: 'XEQT', sequence: 0, bids: [], asks: [] },
    'ticker:XEQT': { symbol: 'XEQT' },
  });
  await api.insert('read.orders_v1', [
    {
      order_id: idOf('order'),
      client_order_id: null,
      account_id: accountId,
      symbol: 'XEQT',
      side: 'buy',
      type: 'limit',
      time_in_force: 'day',
      quantity: 1,
      limit_cents: 100,
      protection_cents: null,
      status: 'pending_new',
      filled_quantity: 0,
      filled_value_cents: 0,
      fees_cents: 0,
      leaves_quantity: 1,
      reason: null,
      created_at: '2026-01-05T14:30:00.000Z',
      updated_at: '2026-01-05T14:30:00.000Z',
      position: 1,
      event_positions: [1],
      accepted: false,
      cancels_unanswered: 0,
      amends_unanswered: 0,
    },
  ]);
});
afterAll(() => api.close());

test('every route of the API has its row, and every row its route', () => {
  expect(Object.keys(MATRIX).sort()).toEqual(Object.keys(api.app.swagger().paths ?? {}).sort());
});

test.for(Object.entries(MATRIX))('%s', async ([, { path, answers }]) => {
  const status = async (token?: string) => {
    const aborter = new AbortController();
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const response = await fetch(`${api.url}${path}`, { headers, signal: aborter.signal });
    aborter.abort();
    return response.status;
  };
  const by = async (person: Person) => status(await api.token(person));
  expect({
    owner: await by(ann),
    other: await by(bob),
    operator: await by(operator),
    analyst: await by(analyst),
    anonymous: await status(),
    expired: await status(await api.token(ann, -60)),
  }).toEqual(answers);
});

test('a token of another signer, or with a hole in it, is nobody’s', async () => {
  const good = await api.token(ann);
  const tampered = `${good.slice(0, -6)}AAAAAA`;
  const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${good.split('.')[1]}.`;
  for (const token of [tampered, none, 'garbage', '']) {
    const response = await fetch(`${api.url}/v1/wallet`, { headers: { authorization: `Bearer ${token}` } });
    expect([response.status, response.headers.get('www-authenticate') !== null]).toEqual([401, true]);
  }
});
