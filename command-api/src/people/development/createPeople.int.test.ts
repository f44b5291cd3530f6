import { randomUUID } from 'node:crypto';
import { accountStream, clientStream } from '@brokerx/contracts';
import { realRuntime } from '@brokerx/infra';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { peopleProcess } from '../../../test/peopleWorld.ts';

/** People in bulk, over a real PostgreSQL and real routes. */
const OPERATOR = { email: 'operator@example.com', password: 'a long pass phrase' };
const wanted = {
  count: 2,
  label: 'crowd',
  password: 'walnut ferry copper lantern',
  amount: '5000.00',
  shares: [{ symbol: 'ACME', qty: '40' }],
  exempt: true,
  reason: 'people for a test',
};

let database: FreshDatabase;
let stop: () => Promise<void>;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  await stop();
  await database.drop();
});

async function start(mode: 'development' | 'production') {
  const variables = { OPERATOR_EMAIL: OPERATOR.email, OPERATOR_PASSWORD: OPERATOR.password };
  const process = await peopleProcess({
    databaseUrl: database.url,
    runtime: realRuntime,
    variables: { SMTP_URL: 'smtp://127.0.0.1:1', ...variables },
    mode,
    symbols: ['ACME'],
  });
  stop = process.stop;
  const signIn = async (who: { email: string; password: string }) =>
    (await process.post('/v1/sessions', who)).body;
  const { access_token, client_id } = await signIn(OPERATOR);
  const create = (token: string, payload: object, key: string = randomUUID()) =>
    process.app.inject({
      method: 'POST',
      url: '/dev/people',
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
      payload,
    });
  return { ...process, signIn, create, operator: { id: client_id as string, token: access_token as string } };
}

test('an operator makes people who can sign in and have means, and the events say who made them, and why', async () => {
  const { store, signIn, create, operator } = await start('development');
  const key = randomUUID();
  const reply = await create(operator.token, wanted, key);
  expect(reply.statusCode).toBe(201);
  const { items } = reply.json() as { items: { email: string; client_id: string; account_id: string }[] };
  expect(items).toHaveLength(2);
  for (const { email, client_id, account_id } of items) {
    expect(await signIn({ email, password: wanted.password })).toMatchObject({ client_id, account_id });
    const events = (await store.readStream(clientStream(client_id), 0, 10)).map(({ event }) => event);
    expect(events.map(({ type }) => type)).toEqual([
      'ClientRegistered.v1',
      'ClientVerified.v1',
      'SignedIn.v1',
    ]);
    expect(events[1]).toMatchObject({
      actor: `operator:${operator.id}`,
      data: { reason: 'people for a test' },
    });
    const account = await store.readStream(accountStream(account_id), 0, 10);
    expect(account.map(({ event }) => [event.type, event.actor])).toEqual(
      [
        'AccountOpened.v1',
        'AccountExemptionsChanged.v1',
        'CashTransferredIn.v1',
        'SharesTransferredIn.v1',
      ].map((type) => [type, `operator:${operator.id}`]),
    );
  }
  // Again with the same key: the same people, and nothing happens twice.
  const before = await store.head();
  const repeated = await create(operator.token, wanted, key);
  expect(repeated.json()).toEqual(reply.json());
  expect(await store.head()).toEqual(before);
});

test('nobody else makes people, none with what is not listed, and production none at all', async () => {
  const development = await start('development');
  const { operator, create, signIn } = development;
  const [one] = (await create(operator.token, { ...wanted, count: 1 })).json().items;
  const { access_token } = await signIn({ email: one.email, password: wanted.password });
  expect((await create(access_token, wanted)).statusCode).toBe(403);
  const unlisted = await create(operator.token, { ...wanted, shares: [{ symbol: 'MOON', qty: '1' }] });
  expect(unlisted.json()).toMatchObject({ code: 'UNKNOWN_SYMBOL' });
  await stop();
  const production = await start('production');
  const before = await production.store.head();
  expect((await production.create(production.operator.token, wanted)).statusCode).toBe(404);
  expect(await production.store.head()).toEqual(before);
});
