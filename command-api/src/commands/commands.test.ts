import { randomUUID } from 'node:crypto';
import { type Event, eventCodec } from '@brokerx/contracts';
import { type EventStore, memoryEventStore, type Runtime, realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { commandApi, openAccount } from '../../test/world.ts';
import { COMMAND_TIMEOUT_MS } from './commands.ts';

/** A store whose answers can be held back, and a clock whose command time-out the test decides. */
function slowStore() {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  let gate = Promise.resolve();
  let open = () => {};
  const held: EventStore<Event> = {
    ...store,
    async append(commits) {
      await gate;
      return store.append(commits);
    },
  };
  const timeOuts = new Set<() => void>();
  const runtime: Runtime = {
    ...realRuntime,
    setTimer(ms, callback) {
      if (ms !== COMMAND_TIMEOUT_MS) return realRuntime.setTimer(ms, callback);
      timeOuts.add(callback);
      return () => timeOuts.delete(callback);
    },
  };
  return {
    store: held,
    runtime,
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    answer: () => open(),
    async timeOut() {
      while (timeOuts.size === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const callback of timeOuts) callback();
    },
  };
}

test('an outcome that is not known in time is no refusal: the same key tells it later', async () => {
  const slow = slowStore();
  const api = await commandApi(slow);
  const accountId = await openAccount(api.accounts);
  const token = await api.token(accountId, ['trader']);
  const key = randomUUID();
  const deposit = () =>
    api.app.inject({
      method: 'POST',
      url: '/v1/deposits',
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
      payload: { amount: '5.00' },
    });

  slow.hold();
  const asked = deposit().then((reply) => reply);
  await slow.timeOut();
  const unknown = await asked;
  expect([unknown.statusCode, unknown.json().code, unknown.json().retryable]).toEqual([
    503,
    'UNAVAILABLE',
    true,
  ]);
  expect(Number(unknown.headers['retry-after'])).toBeGreaterThan(0);

  const inFlight = await deposit();
  expect([inFlight.statusCode, inFlight.json().code]).toEqual([409, 'REQUEST_IN_FLIGHT']);

  slow.answer();
  let known = await deposit();
  while (known.statusCode === 409) known = await deposit();
  expect([known.statusCode, known.headers['idempotent-replayed']]).toEqual([202, 'true']);
  expect(await api.store.streamRevision(`account-${accountId}`)).toBe(1);
  await api.stop();
});

test('a key answered by one process is known to another', async () => {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const [one, two] = [await commandApi({ store }), await commandApi({ store })];
  const accountId = await openAccount(one.accounts);
  const key = randomUUID();
  const replies = [];
  for (const api of [one, two, one]) {
    const token = await api.token(accountId, ['trader']);
    replies.push(
      await api.app.inject({
        method: 'POST',
        url: '/v1/deposits',
        headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
        payload: { amount: '5.00' },
      }),
    );
  }
  expect(replies.map(({ statusCode }) => statusCode)).toEqual([202, 202, 202]);
  expect(new Set(replies.map(({ body }) => body)).size).toBe(1);
  expect(replies.map(({ headers }) => headers['idempotent-replayed'])).toEqual([undefined, 'true', 'true']);
  expect(await store.streamRevision(`account-${accountId}`)).toBe(1);
  await Promise.all([one.stop(), two.stop()]);
});
