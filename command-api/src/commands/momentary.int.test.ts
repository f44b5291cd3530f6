import { randomUUID } from 'node:crypto';
import {
  type AccountEvent,
  type AccountFact,
  deriveId,
  type Event,
  eventCodec,
  seal,
  timeOf,
} from '@brokerx/contracts';
import { EVENTS_PER_COMMIT_MAX, memoryEventStore, type Runtime, realRuntime } from '@brokerx/infra';
import { afterEach, expect, test } from 'vitest';
import { placed } from '../../test/facts.ts';
import { commandApi, openAccount, testCause } from '../../test/world.ts';
import { UNFILLED_ORDERS_MAX } from '../orders/accountRefusals.ts';

/** Refusals of the moment, as a client meets them: several processes over one store, and a clock of the test's. */
const store = () => memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
const MINUTE_MS = 60_000;
const opened: Awaited<ReturnType<typeof commandApi>>[] = [];
afterEach(async () => {
  for (const api of opened.splice(0)) await api.stop();
});

async function world(given: { refusalsPerMinute?: number } = {}) {
  // The beginning of a minute, an hour from now, so that all of a test lies in one.
  const clock = { nowMs: Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS };
  const runtime: Runtime = { ...realRuntime, nowMs: () => clock.nowMs };
  const shared = { store: store(), runtime, ...given };
  const start = async () => {
    const api = await commandApi(shared);
    opened.push(api);
    return api;
  };
  const api = await start();
  const accountId = await openAccount(api.accounts);
  const operator = await api.token(randomUUID(), ['operator']);
  const token = await api.token(accountId, ['trader']);
  const send = (
    by: string,
    method: 'POST' | 'DELETE' | 'PUT',
    url: string,
    payload?: object,
    key = keyAt(),
    on = api,
  ) =>
    on.app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${by}`, 'idempotency-key': key },
      ...(payload ? { payload } : {}),
    });
  const keyAt = () =>
    `${clock.nowMs.toString(16).padStart(12, '0').replace(/.{8}/, '$&-')}-7${randomUUID().slice(15)}`;
  await send(operator, 'POST', '/v1/symbols', { symbol: 'ACME', name: 'Acme', listing_price: '10.00' });
  await send(operator, 'POST', `/v1/accounts/${accountId}/cash-transfers`, { amount: '100000.00' });
  const events = async () =>
    (await api.store.readStream(`account-${accountId}`, 0, 20_000)).map(({ event }) => event);
  /** As if it had happened a moment ago. */
  const happened = async (facts: readonly AccountFact[], keyOf?: (index: number) => string) => {
    for (let from = 0; from < facts.length; from += EVENTS_PER_COMMIT_MAX) {
      await api.accounts.execute(accountId, (_, { commitId }) => ({
        events: facts.slice(from, from + EVENTS_PER_COMMIT_MAX).flatMap((fact, index) => {
          const id = keyOf?.(from + index);
          const cause = { ...testCause(timeOf(clock.nowMs)), ...(id ? { key: { id, hash: 'h' } } : {}) };
          // Each is sealed as the first of its commit: only that has a key.
          return seal(deriveId(commitId, String(index)), cause, [fact]) as AccountEvent[];
        }),
        symbol: null,
      }));
    }
  };
  return { api, start, clock, accountId, token, operator, keyAt, events, happened, send };
}
const buy = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '10', limit_price: '9.99' };
const tooMuch = { ...buy, qty: '1000000' };

test('more refused orders than the rate allows are recorded nowhere, and their keys are free again', async () => {
  const { send, token, clock, keyAt, events, start } = await world({ refusalsPerMinute: 3 });
  const place = (order: object, key = keyAt(), on?: Awaited<ReturnType<typeof start>>) =>
    send(token, 'POST', '/v1/orders', order, key, on);
  for (let i = 0; i < 3; i++) expect((await place(tooMuch)).statusCode).toBe(422);
  clock.nowMs += 15_000;
  const before = await events();
  const key = keyAt();
  const refused = await place(tooMuch, key);
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '45']);
  expect(refused.json()).toMatchObject({
    code: 'REFUSAL_RATE',
    retryable: true,
    retry_after: 45,
    detail: expect.stringContaining('INSUFFICIENT_FUNDS'),
  });
  expect(refused.headers).not.toHaveProperty('location');
  // Another process, and one that has restarted, count the same.
  expect((await place(tooMuch, key, await start())).json()).toMatchObject({ code: 'REFUSAL_RATE' });
  expect(await events()).toEqual(before);
  // What is right is taken all the while, under the very same key, too: it was never kept.
  expect((await place(buy, key)).statusCode).toBe(202);
  clock.nowMs += 45_000;
  const anew = await place(tooMuch);
  expect([anew.statusCode, anew.json()]).toEqual([
    422,
    expect.objectContaining({ code: 'INSUFFICIENT_FUNDS', retryable: false }),
  ]);
});

test('each order of a batch counts, and says when it may come again', async () => {
  const { send, token, keyAt, events } = await world({ refusalsPerMinute: 3 });
  const orders = Array.from({ length: 5 }, () => ({ idempotency_key: keyAt(), order: tooMuch }));
  const { items } = (await send(token, 'POST', '/v1/orders/batch', { orders })).json();
  expect(items.map((item: { status: number }) => item.status)).toEqual([422, 422, 422, 429, 429]);
  expect(items[4]).toEqual({
    status: 429,
    problem: expect.objectContaining({ code: 'REFUSAL_RATE', retryable: true, retry_after: 60 }),
  });
  expect((await events()).filter(({ type }) => type === 'OrderRefused.v1')).toHaveLength(3);
});

test('refused cancels have a rate of their own; what can be canceled is', async () => {
  const { send, token, events } = await world({ refusalsPerMinute: 2 });
  const { id } = (await send(token, 'POST', '/v1/orders', buy)).json();
  const cancel = (order: string) => send(token, 'DELETE', `/v1/orders/${order}`);
  const codes = [];
  for (let i = 0; i < 3; i++) codes.push((await cancel(randomUUID())).json().code);
  expect(codes).toEqual(['ORDER_NOT_FOUND', 'ORDER_NOT_FOUND', 'REFUSAL_RATE']);
  expect((await send(token, 'POST', '/v1/orders', tooMuch)).statusCode).toBe(422);
  expect((await cancel(id)).statusCode).toBe(202);
  expect((await events()).filter(({ type }) => type === 'CommandRefused.v1')).toHaveLength(2);
});

test('three hundred refused orders a minute are recorded where nothing else is set', async () => {
  const { send, token, events } = await world();
  const replies = await Promise.all(
    Array.from({ length: 305 }, () => send(token, 'POST', '/v1/orders', { ...buy, symbol: 'NONE' })),
  );
  const statuses = Map.groupBy(replies, ({ statusCode }) => statusCode);
  expect([statuses.get(422)?.length, statuses.get(429)?.length]).toEqual([300, 5]);
  expect((await events()).filter(({ type }) => type === 'OrderRefused.v1')).toHaveLength(300);
});

test('an order above the order rate is recorded nowhere: the same key is decided anew when the minute is over', async () => {
  const { send, token, clock, keyAt, events, happened } = await world();
  await happened(
    Array.from({ length: UNFILLED_ORDERS_MAX }, randomUUID).flatMap((orderId): AccountFact[] => [
      placed({ orderId, holdCents: 0 }),
      {
        type: 'OrderClosed.v1',
        data: {
          orderId,
          symbol: 'ACME',
          side: 'buy',
          sequence: 1,
          releasedCents: 0,
          releasedShares: 0,
          status: 'canceled',
          reason: null,
          unfilledQuantity: 10,
        },
      },
    ]),
  );
  clock.nowMs += 59_500;
  const key = keyAt();
  const before = (await events()).length;
  const refused = await send(token, 'POST', '/v1/orders', buy, key);
  expect([refused.statusCode, refused.headers['retry-after'], refused.json()]).toEqual([
    429,
    '1',
    expect.objectContaining({ code: 'ORDER_RATE', retryable: true, retry_after: 1 }),
  ]);
  expect(await events()).toHaveLength(before);
  const preview = await send(token, 'POST', '/v1/orders/preview', buy);
  expect(preview.json()).toMatchObject({ code: 'ORDER_RATE' });
  clock.nowMs += 1_000;
  const taken = await send(token, 'POST', '/v1/orders', buy, key);
  expect([taken.statusCode, taken.headers['idempotent-replayed']]).toEqual([202, undefined]);
});

test('what an earlier version recorded for the order rate folds, and is answered as it was: for good', async () => {
  const { send, token, accountId, keyAt, happened } = await world();
  const key = keyAt();
  // The key's own hash is not known here: the answer to a reused key shows that it is kept.
  await happened(
    [
      {
        type: 'OrderRefused.v1',
        data: {
          orderId: randomUUID(),
          accountId,
          clientOrderId: null,
          symbol: 'ACME',
          side: 'buy',
          type: 'limit',
          timeInForce: 'day',
          quantity: 10,
          limitCents: 999,
          code: 'ORDER_RATE',
          detail: '1000 orders in 60 s were placed and not filled',
        },
      },
    ],
    () => key,
  );
  expect((await send(token, 'POST', '/v1/orders', buy, key)).json().code).toBe('IDEMPOTENCY_KEY_REUSED');
  expect((await send(token, 'POST', '/v1/orders', buy)).statusCode).toBe(202);
});

test('a key of version 4 never happens a second time, however many others come between', async () => {
  const { send, token, clock, keyAt, events, happened, start, accountId } = await world();
  const v4 = randomUUID();
  const first = await send(token, 'POST', '/v1/orders', buy, v4);
  expect(first.statusCode).toBe(202);
  const renewed: AccountFact = { type: 'DeadManSet.v1', data: { accountId, deadlineAt: null } };
  await happened(
    Array.from({ length: 10_000 }, () => renewed),
    () => keyAt(),
  );
  clock.nowMs += 1_000;
  for (const api of [undefined, await start()]) {
    const again = await send(token, 'POST', '/v1/orders', buy, v4, api);
    expect([again.statusCode, again.json()]).toEqual([
      422,
      expect.objectContaining({ code: 'IDEMPOTENCY_KEY_VERSION', retryable: false }),
    ]);
    expect(again.json().title).toContain('version 7');
    const other = await send(token, 'DELETE', `/v1/orders/${randomUUID()}`, undefined, randomUUID(), api);
    expect(other.json().code).toBe('IDEMPOTENCY_KEY_VERSION');
  }
  expect((await send(token, 'POST', '/v1/orders', buy, keyAt())).statusCode).toBe(202);
  expect((await events()).filter(({ type }) => type === 'OrderPlaced.v1')).toHaveLength(2);
  clock.nowMs += 24 * 60 * MINUTE_MS;
  const later = await start();
  const fresh = await later.token(accountId, ['trader']);
  expect((await send(fresh, 'POST', '/v1/orders', buy, randomUUID(), later)).statusCode).toBe(202);
});

test('a key from the near future is refused for now, and is taken when its time has come', async () => {
  const { send, token, clock, keyAt, events } = await world();
  clock.nowMs += 5 * MINUTE_MS;
  const key = keyAt();
  clock.nowMs -= 5 * MINUTE_MS;
  const before = await events();
  const early = await send(token, 'POST', '/v1/orders', buy, key);
  expect([early.statusCode, early.headers['retry-after'], early.json()]).toEqual([
    422,
    '240',
    expect.objectContaining({ code: 'STALE_REQUEST', retryable: true, retry_after: 240 }),
  ]);
  expect(await events()).toEqual(before);
  clock.nowMs += 240_000;
  expect((await send(token, 'POST', '/v1/orders', buy, key)).statusCode).toBe(202);
  const past = await send(token, 'POST', '/v1/orders', buy, '01890000-0000-7000-8000-000000000000');
  expect([past.statusCode, past.json().retryable, past.headers['retry-after']]).toEqual([
    422,
    false,
    undefined,
  ]);
});
