import { randomUUID } from 'node:crypto';
import { accountStream, clientStream } from '@brokerx/contracts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/services.ts';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, mailServer, peopleProcess, testClock } from '../../test/peopleWorld.ts';
import { CLAIM_MS, PASSCODE_VALID_MS } from './decider.ts';

/** Registration to sign-in as a client sees it: real PostgreSQL, real HTTP routes, a real mail server. */
let database: FreshDatabase;
let mail: Awaited<ReturnType<typeof mailServer>>;
let clock: ReturnType<typeof testClock>;
let one: Awaited<ReturnType<typeof peopleProcess>>;
const started: (typeof one)[] = [];

const start = async (variables: Record<string, string> = {}) => {
  const process = await peopleProcess({
    databaseUrl: database.url,
    runtime: clock,
    variables: { SMTP_URL: mail.url, ...variables },
  });
  started.push(process);
  return process;
};

beforeEach(async () => {
  database = await freshDatabase();
  mail = await mailServer();
  clock = testClock();
  one = await start();
});
afterEach(async () => {
  for (const process of started.splice(0)) await process.stop();
  await mail.close();
  await database.drop();
});

let people = 0;
const person = (given: Partial<Record<'email' | 'phone' | 'name', string>> = {}) => {
  people += 1;
  return {
    name: 'Ann Example',
    address: '1 Canary Street',
    birth_date: '1990-04-01',
    email: `ann${people}@example.com`,
    phone: `+1514555${String(1000 + people)}`,
    password: 'correct horse battery staple',
    ...given,
  };
};
type Person = ReturnType<typeof person>;

const register = (who: Person, process = one, key?: string) => process.post('/v1/registrations', who, key);
const verify = (id: string, code: string, key?: string) =>
  one.post(`/v1/registrations/${id}/verification`, { code }, key);
const signIn = ({ email, password }: { email: string; password: string }) =>
  one.post('/v1/sessions', { email, password });
const codeIn = (text: string) => /\b\d{6}\b/.exec(text)?.[0];
/** The newest passcode mailed to the address, once `count` mails are there. */
const passcode = (email: string, count = 1) =>
  eventually(() => (mail.to(email).length >= count ? codeIn(mail.to(email).at(-1)?.text ?? '') : undefined));
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');
const typesOf = async (stream: string) =>
  (await one.store.readStream(stream, 0, 100)).map(({ event }) => event.type);

async function verified(who = person()) {
  const id: string = (await register(who)).body.registration_id;
  const reply = await verify(id, await passcode(who.email));
  expect(reply.status).toBe(202);
  return { who, id, accountId: reply.body.account_id as string };
}

test('register, read the mail, verify, sign in, act', async () => {
  const who = person();
  const registered = await register(who);
  const id: string = registered.body.registration_id;
  expect([registered.status, registered.body]).toEqual([
    202,
    { registration_id: id, status: 'pending_verification' },
  ]);
  expect((await signIn(who)).body.code).toBe('WRONG_CREDENTIALS');

  const done = await verify(id, await passcode(who.email));
  expect([done.status, done.body]).toEqual([
    202,
    { registration_id: id, status: 'verified', client_id: id, account_id: expect.any(String) },
  ]);
  expect(await typesOf(accountStream(done.body.account_id))).toEqual(['AccountOpened.v1']);

  const session = await signIn({ ...who, email: ` ${who.email.toUpperCase()}`.trim() });
  expect([session.status, session.body]).toEqual([
    201,
    {
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      client_id: id,
      account_id: done.body.account_id,
      roles: ['trader'],
    },
  ]);
  const me = await one.app.inject({
    url: '/v1/me',
    headers: { authorization: `Bearer ${session.body.access_token}` },
  });
  expect(me.json()).toEqual({ client_id: id, account_id: done.body.account_id });
  expect(await typesOf(clientStream(id))).toEqual([
    'ClientRegistered.v1',
    'PasscodeIssued.v1',
    'ClientVerified.v1',
    'SignedIn.v1',
  ]);
});

test('a token expires, and the public keys verify it elsewhere', async () => {
  const { who } = await verified();
  const token = (await signIn(who)).body.access_token;
  const keys = await one.app.inject({ url: '/.well-known/jwks.json' });
  expect(keys.json().keys).toEqual([
    {
      kty: 'EC',
      crv: 'P-256',
      x: expect.any(String),
      y: expect.any(String),
      kid: expect.any(String),
      alg: 'ES256',
      use: 'sig',
    },
  ]);
  clock.forward(15 * 60_000);
  const late = await one.app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${token}` } });
  expect([late.statusCode, late.json().code]).toEqual([401, 'UNAUTHENTICATED']);
});

test('the same key registers once; another body under it is refused', async () => {
  const who = person();
  const key = randomUUID();
  const first = await register(who, one, key);
  const again = await register(who, one, key);
  expect([again.status, again.body]).toEqual([first.status, first.body]);
  expect(again.headers['idempotent-replayed']).toBe('true');
  expect(again.headers['x-brokerx-position']).toBe(first.headers['x-brokerx-position']);
  const other = await register({ ...who, name: 'Bob' }, one, key);
  expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  await passcode(who.email);
  expect(await typesOf(clientStream(first.body.registration_id))).toEqual([
    'ClientRegistered.v1',
    'PasscodeIssued.v1',
  ]);
});

test('a taken e-mail address is answered like a free one; only the mailbox learns it', async () => {
  const { who, id } = await verified();
  const reply = await register(person({ email: who.email }));
  expect([reply.status, Object.keys(reply.body)]).toEqual([202, ['registration_id', 'status']]);
  const notice = await eventually(() => mail.to(who.email)[1]);
  expect(notice.text).toMatch(/already have an account/);
  expect(codeIn(notice.text)).toBeUndefined();
  // Guessing is answered as it would be for anybody.
  const shadow: string = reply.body.registration_id;
  expect((await verify(shadow, '123456')).body.code).toBe('PASSCODE_WRONG');
  expect((await signIn(who)).body.client_id).toBe(id);
});

test('a taken telephone number is told by mail, and the address stays free for another try', async () => {
  const { who } = await verified();
  const other = person({ phone: who.phone });
  await register(other);
  const notice = await eventually(() => mail.to(other.email)[0]);
  expect(notice.text).toMatch(/telephone number belongs to another account/);
  await register({ ...other, phone: person().phone });
  expect(await passcode(other.email, 2)).toMatch(/^\d{6}$/);
});

test('five wrong passcodes void it; the next one mailed works', async () => {
  const who = person();
  const id: string = (await register(who)).body.registration_id;
  const code = await passcode(who.email);
  for (let i = 0; i < 5; i++) {
    const reply = await verify(id, wrong(code));
    expect([reply.status, reply.body.code]).toEqual([422, 'PASSCODE_WRONG']);
  }
  expect((await verify(id, code)).body.code).toBe('PASSCODE_LOCKED');
  const sent = await one.post(`/v1/registrations/${id}/passcode`);
  expect([sent.status, sent.body.status]).toEqual([202, 'pending_verification']);
  expect((await verify(id, await passcode(who.email, 2))).body.status).toBe('verified');
});

test('a passcode is good for ten minutes, and once', async () => {
  const who = person();
  const id: string = (await register(who)).body.registration_id;
  const code = await passcode(who.email);
  clock.forward(PASSCODE_VALID_MS);
  expect((await verify(id, code)).body.code).toBe('PASSCODE_WRONG');
  await one.post(`/v1/registrations/${id}/passcode`);
  const next = await passcode(who.email, 2);
  const key = randomUUID();
  const first = await verify(id, next, key);
  expect(first.body.status).toBe('verified');
  expect((await verify(id, next)).body.code).toBe('PASSCODE_WRONG');
  const again = await verify(id, next, key);
  expect([again.body, again.headers['idempotent-replayed']]).toEqual([first.body, 'true']);
});

test('a wrong try under the same key counts once', async () => {
  const who = person();
  const id: string = (await register(who)).body.registration_id;
  const code = await passcode(who.email);
  const key = randomUUID();
  for (let i = 0; i < 6; i++) expect((await verify(id, wrong(code), key)).body.code).toBe('PASSCODE_WRONG');
  expect((await verify(id, code)).body.status).toBe('verified');
});

test('three more passcodes an hour, then wait', async () => {
  const id: string = (await register(person())).body.registration_id;
  const again = () => one.post(`/v1/registrations/${id}/passcode`);
  for (let i = 0; i < 3; i++) expect((await again()).status).toBe(202);
  const limited = await again();
  expect([limited.status, limited.body.code]).toEqual([429, 'PASSCODE_LIMIT']);
  expect(Number(limited.headers['retry-after'])).toBeGreaterThan(3_500);
  clock.forward(3_600_000);
  expect((await again()).status).toBe(202);
});

test('a registration that nobody finished gives the address up', async () => {
  const who = person();
  await register(who);
  await passcode(who.email);
  const early = await register({ ...who, password: 'another long password' });
  expect((await eventually(() => mail.to(who.email)[1])).text).toMatch(/under way already/);
  expect((await verify(early.body.registration_id, '000000')).body.code).toBe('PASSCODE_WRONG');
  clock.forward(CLAIM_MS);
  const late = await register({ ...who, password: 'yet another long password' });
  const code = await passcode(who.email, 3);
  expect((await verify(late.body.registration_id, code)).body.status).toBe('verified');
});

test('of two processes that register one address at once, one gets it', async () => {
  const two = await start();
  const email = 'race@example.com';
  const replies = await Promise.all(
    [one, two, one, two].map((process) => register(person({ email }), process)),
  );
  expect(replies.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
  const letters = await eventually(() => (mail.to(email).length === 4 ? mail.to(email) : undefined));
  const codes = letters.map(({ text }) => codeIn(text)).filter((code) => code !== undefined);
  expect(codes.length).toBe(1);
  const ends = await Promise.all(replies.map(({ body }) => verify(body.registration_id, codes[0] ?? '')));
  expect(ends.map(({ status }) => status).sort()).toEqual([202, 422, 422, 422]);
});

test('two processes that carry out one request at once register once', async () => {
  const two = await start();
  const who = person();
  const key = randomUUID();
  const replies = await Promise.all([register(who, one, key), register(who, two, key)]);
  expect(replies[0]?.body).toEqual(replies[1]?.body);
  await passcode(who.email);
  expect(await typesOf(clientStream(replies[0]?.body.registration_id))).toEqual([
    'ClientRegistered.v1',
    'PasscodeIssued.v1',
  ]);
});

test('a mail that could not be sent is sent when the mail server is back, by another process too', async () => {
  mail.refuse(true);
  const who = person();
  const id: string = (await register(who)).body.registration_id;
  await eventually(() =>
    one.logged.some((line) => line.includes('a task is tried again')) ? true : undefined,
  );
  await one.stop();
  started.splice(0);
  mail.refuse(false);
  one = await start();
  expect((await verify(id, await passcode(who.email))).body.status).toBe('verified');
});

test('failed sign-ins are braked by address and account; who knows his password elsewhere is not', async () => {
  const { who } = await verified();
  const other = await verified();
  for (let i = 0; i < 5; i++) {
    const reply = await signIn({ ...who, password: 'wrong password' });
    expect([reply.status, reply.body.code]).toEqual([401, 'WRONG_CREDENTIALS']);
  }
  const braked = await signIn(who);
  expect([braked.status, braked.body.code]).toEqual([429, 'SIGN_IN_LIMIT']);
  expect(Number(braked.headers['retry-after'])).toBeGreaterThan(50);
  expect((await signIn(other.who)).status).toBe(201);
  clock.forward(60_000);
  expect((await signIn(who)).status).toBe(201);
});

test.for([
  ['nobody has', 'nobody@example.com'],
  ['has an operator, for another password', 'operator@example.com'],
] as const)('an e-mail address that %s is answered alike', async ([, email]) => {
  const reply = await signIn({ email, password: 'some password' });
  expect([reply.status, reply.body.code, reply.body.title]).toEqual([
    401,
    'WRONG_CREDENTIALS',
    'The e-mail address or the password is wrong.',
  ]);
});

test('the first operator is made once, whoever starts first, and keeps his password', async () => {
  const operator = { OPERATOR_EMAIL: 'operator@example.com', OPERATOR_PASSWORD: 'first operator password' };
  const processes = await Promise.all([start(operator), start(operator)]);
  const session = await signIn({ email: 'operator@example.com', password: 'first operator password' });
  expect(session.body.roles).toEqual(['operator', 'analyst', 'trader']);
  expect(await typesOf(clientStream(session.body.client_id))).toEqual([
    'ClientRegistered.v1',
    'ClientVerified.v1',
    'SignedIn.v1',
  ]);
  expect(await typesOf(accountStream(session.body.account_id))).toEqual(['AccountOpened.v1']);
  expect(processes.flatMap(({ logged }) => logged).join()).not.toContain('first operator password');
  const changed = await start({ ...operator, OPERATOR_PASSWORD: 'another operator password' });
  expect(changed.logged.join()).toContain('keeps it');
  expect(
    (await signIn({ email: 'operator@example.com', password: 'another operator password' })).status,
  ).toBe(401);
});

test('no personal data lies in the clear in any table or in the logs', async () => {
  const canary = person({ name: 'Canary Birdsong', email: 'canary.bird@example.com', phone: '+15145550199' });
  const { id } = await verified(canary);
  await signIn(canary);
  await signIn({ ...canary, password: 'canary wrong password' });
  await eventually(async () =>
    (await typesOf(clientStream(id))).includes('SignInFailed.v1') ? true : undefined,
  );
  const code = codeIn(mail.to(canary.email)[0]?.text ?? '') ?? '';
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  expect(tables.length).toBeGreaterThan(3);
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
    texts.push(...rows.map(({ row }) => row));
  }
  await client.end();
  const everything = [...texts, ...one.logged].join('\n').toLowerCase();
  for (const secret of [
    canary.name,
    canary.address,
    canary.birth_date,
    canary.email,
    canary.phone,
    canary.password,
    'canary wrong password',
    '127.0.0.1"',
    '$argon2id',
    `"${code}"`,
  ]) {
    expect(everything).not.toContain(secret.toLowerCase());
  }
});

test('one address has so many public requests a minute, whatever they are; reading is not counted', async () => {
  const limited = await start({ PUBLIC_REQUESTS_PER_MINUTE_MAX: '3' });
  const attempt = (url: string, remoteAddress: string) =>
    limited.app.inject({ method: 'POST', url, remoteAddress, payload: {} });
  expect((await attempt('/v1/registrations', '192.0.2.1')).statusCode).toBe(400);
  expect((await attempt(`/v1/registrations/${randomUUID()}/verification`, '192.0.2.1')).statusCode).toBe(400);
  expect((await attempt('/v1/sessions', '192.0.2.1')).statusCode).toBe(400);
  const refused = await attempt(`/v1/registrations/${randomUUID()}/passcode`, '192.0.2.1');
  expect(refused.statusCode).toBe(429);
  expect(refused.headers).toMatchObject({
    'content-type': 'application/problem+json; charset=utf-8',
    'retry-after': expect.stringMatching(/^[1-6]?\d$/),
  });
  expect(refused.json()).toMatchObject({ status: 429, code: 'REQUEST_LIMIT', retryable: true });
  expect((await attempt('/v1/sessions', '192.0.2.2')).statusCode).toBe(400);
  const keys = await limited.app.inject({ url: '/.well-known/jwks.json', remoteAddress: '192.0.2.1' });
  expect(keys.statusCode).toBe(200);
});

test('an IPv6 subscriber is one address, whichever of his he uses', async () => {
  const limited = await start({ PUBLIC_REQUESTS_PER_MINUTE_MAX: '1' });
  const attempt = (remoteAddress: string) =>
    limited.app.inject({ method: 'POST', url: '/v1/sessions', remoteAddress, payload: {} });
  expect((await attempt('2001:db8:0:1::1')).statusCode).toBe(400);
  expect((await attempt('2001:db8:0:1:ffff::2')).statusCode).toBe(429);
  expect((await attempt('2001:db8:0:2::1')).statusCode).toBe(400);
});
