import { randomUUID } from 'node:crypto';
import { formatPosition } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { list } from './market.ts';
import { ann, operator, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

/** Every route that says which position its reply reflects takes one to wait for, and holds to it. */
let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
  await list(api, 'ACME');
  await api.fillTo(20);
});
afterAll(() => api.close());

type Operation = {
  parameters?: { name: string; in: string }[];
  responses: Record<string, { headers?: Record<string, unknown> }>;
};
async function routes() {
  const { paths } = (await (await api.get('/openapi.json')).json()) as {
    paths: Record<string, { get?: Operation }>;
  };
  return Object.entries(paths).flatMap(([path, { get }]) => {
    if (!get) return [];
    const takes = get.parameters?.some(({ name }) => name === 'min_position') ?? false;
    const tells = Object.keys(get.responses['200']?.headers ?? {}).includes('X-BrokerX-Position');
    return [{ path: path.replace('{symbol}', 'ACME').replace('{id}', randomUUID()), takes, tells }];
  });
}
/** With what a route answers: `READ_MODEL_BEHIND`, or 200 and the position that it reflects. */
async function asked(path: string, min: string) {
  const reply = await api.get(`${path}?min_position=${min}`, operator);
  const told = reply.headers.get('x-brokerx-position')?.split(':')[1];
  const body = await reply.text();
  return reply.ok ? { position: Number(told) } : { status: reply.status, code: JSON.parse(body).code };
}

test('who tells a position takes one, and no other route does', async () => {
  const all = await routes();
  expect(all.filter(({ takes }) => takes).length).toBeGreaterThan(12);
  expect(all.filter(({ takes, tells }) => takes !== tells)).toEqual([]);
});

test('a position of another store, or beyond the end of this one, is refused by all of them', async () => {
  const { takes } = Object.groupBy(await routes(), (route) => (route.takes ? 'takes' : 'not'));
  const head = await api.store.head();
  for (const min of [
    formatPosition({ storeId: randomUUID(), position: 1 }),
    api.positionToken(head + 1_000),
  ]) {
    const replies = await Promise.all(
      (takes ?? []).map(async ({ path }) => [path, await asked(path, min)] as const),
    );
    expect(replies.filter(([, reply]) => reply.code !== 'FOREIGN_POSITION')).toEqual([]);
  }
});

test('what is behind says so in time, and what is not reflects at least what is asked for', async () => {
  const min = api.positionToken(20);
  const taking = (await routes()).filter(({ takes }) => takes);
  const replies = await Promise.all(taking.map(async ({ path }) => [path, await asked(path, min)] as const));
  const wrong = replies.filter(
    ([, { position, code }]) => code !== 'READ_MODEL_BEHIND' && !(position !== undefined && position >= 20),
  );
  expect(wrong).toEqual([]);
  // Read from the store itself, which is never behind.
  const fromStore = replies.filter(([, { position }]) => position !== undefined).map(([path]) => path);
  expect(fromStore.sort()).toEqual(['/v1/events', '/v1/symbols/ACME/book', '/v1/symbols/ACME/book/orders']);
});

test('who waits is answered when what is read has come so far', async () => {
  const head = (await api.store.head()) + 5;
  const waiting = ['/v1/wallet', '/v1/orders', '/v1/ledger'].map((path) =>
    api.get(path, ann, { 'x-brokerx-position': api.positionToken(20) }),
  );
  for (const name of ['wallets', 'orders', 'ledger']) await api.project(name, 20);
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200]);
  // A book that nobody has asked for, and an end of the store that nobody has heard of.
  await api.fillTo(head);
  expect(await asked('/v1/symbols/ACME/book', api.positionToken(head))).toEqual({ position: head });
});

test('pages: a token of another store, or of what the store was put back from, begins no page', async () => {
  const rows = ['AAA', 'BBB', 'CCC'].map((symbol, i) => ({ symbol, position: 3 + i }));
  for (const { symbol, position } of rows) {
    await api.insert('read.ledger_v1', [
      {
        position,
        event_id: randomUUID(),
        account_id: ann.accountId,
        kind: 'CashTransferredIn',
        order_id: null,
        symbol,
        cash_available: 1,
        cash_held: 0,
        cash_clearing: 0,
        cash_fees: 0,
        cash_outside: -1,
        shares_available: 0,
        shares_held: 0,
        shares_clearing: 0,
        shares_outside: 0,
        created_at: '2026-01-05T14:30:00Z',
      },
    ]);
  }
  const page = async (token: string | null) => {
    const reply = await api.get(`/v1/ledger?limit=2${token === null ? '' : `&page_token=${token}`}`, ann);
    return {
      status: reply.status,
      body: (await reply.json()) as { items: unknown[]; next: string; code: string },
    };
  };
  const first = await page(null);
  expect([first.status, first.body.items.length]).toEqual([200, 2]);
  expect((await page(first.body.next)).body.items.length).toBe(1);

  const changed = (change: (parts: string[]) => void) => {
    const parts = Buffer.from(first.body.next, 'base64url').toString().split(':');
    change(parts);
    return Buffer.from(parts.join(':')).toString('base64url');
  };
  const others: [what: string, token: string, status: number, code: string][] = [
    ['of another store', changed((p) => p.splice(1, 1, randomUUID())), 409, 'FOREIGN_POSITION'],
    ['of another commit there', changed((p) => p.splice(4, 1, randomUUID())), 409, 'FOREIGN_POSITION'],
    ['beyond the end', changed((p) => p.splice(2, 2, '9999', '9999')), 409, 'FOREIGN_POSITION'],
    ['that names no commit', changed((p) => p.splice(3, 2, '', '')), 409, 'FOREIGN_POSITION'],
    ['of an older version', Buffer.from('ledger:4').toString('base64url'), 400, 'INVALID_REQUEST'],
    [
      'of another list',
      changed((p) => p.splice(0, 1, Buffer.from('orders:4').toString('base64url'))),
      400,
      'INVALID_REQUEST',
    ],
  ];
  for (const [what, token, status, code] of others) {
    const { status: got, body } = await page(token);
    expect([what, got, body.code]).toEqual([what, status, code]);
  }
});
