import { randomUUID } from 'node:crypto';
import { clientStream } from '@brokerx/contracts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, mailServer, peopleProcess, testClock } from '../../../test/peopleWorld.ts';

/** Sessions that end before their tokens do, with two command-apis over one PostgreSQL. */
type Process = Awaited<ReturnType<typeof peopleProcess>>;
let database: FreshDatabase;
let mail: Awaited<ReturnType<typeof mailServer>>;
let one: Process;
let two: Process;
const OPERATOR = { email: 'operator@example.com', password: 'first operator password' };
const ANN = {
  name: 'Ann Example',
  address: '1 Example Street',
  birth_date: '1990-04-01',
  email: 'ann@example.com',
  phone: '+15145550101',
  password: 'walnut ferry copper lantern',
};
let annId: string;

const start = () =>
  peopleProcess({
    databaseUrl: database.url,
    runtime: testClock(),
    variables: { SMTP_URL: mail.url, OPERATOR_EMAIL: OPERATOR.email, OPERATOR_PASSWORD: OPERATOR.password },
  });
beforeAll(async () => {
  [database, mail] = await Promise.all([freshDatabase(), mailServer()]);
  one = await start();
  two = await start();
  annId = (await one.post('/v1/registrations', ANN)).body.registration_id;
  const code = await eventually(() => /\b\d{6}\b/.exec(mail.to(ANN.email)[0]?.text ?? '')?.[0]);
  await one.post(`/v1/registrations/${annId}/verification`, { code });
});
afterAll(async () => {
  await Promise.all([one.stop(), two.stop()]);
  await mail.close();
  await database.drop();
});

/** Repeats a request that gets 503, as an honest client does. */
const untilAnswered = <T extends { status: number } | { statusCode: number }>(ask: () => Promise<T>) =>
  eventually(async () => {
    const reply = await ask();
    return ('status' in reply ? reply.status : reply.statusCode) === 503 ? undefined : reply;
  });
const signIn = async ({ email, password } = ANN as { email: string; password: string }, at = one) => {
  const reply = await untilAnswered(() => at.post('/v1/sessions', { email, password }));
  expect(reply.status).toBe(201);
  return reply.body.access_token as string;
};
const send = async (at: Process, method: 'GET' | 'DELETE', url: string, token?: string) => {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  return at.app.inject({ method, url, headers });
};
const isTaken = async (at: Process, token: string) =>
  (await untilAnswered(() => send(at, 'GET', '/v1/me', token))).statusCode;
const types = async () =>
  (await one.store.readStream(clientStream(annId), 0, 1_000)).map(({ event }) => event.type);

test('signed out, a session is over here at once and elsewhere in a moment; others of the person go on', async () => {
  const [session, other] = [await signIn(), await signIn()];
  expect([await isTaken(one, session), await isTaken(two, session)]).toEqual([200, 200]);
  const reply = await send(one, 'DELETE', '/v1/sessions/current', session);
  expect([reply.statusCode, reply.body]).toEqual([204, '']);
  expect(reply.headers['x-brokerx-position']).toMatch(/^[0-9a-f-]{36}:\d+$/);
  expect(await isTaken(one, session)).toBe(401);
  await expect.poll(() => isTaken(two, session)).toBe(401);
  const refused = (await send(two, 'GET', '/v1/me', session)).json();
  expect([refused.code, refused.detail]).toEqual([
    'UNAUTHENTICATED',
    'The session was ended; sign in again.',
  ]);
  expect((await send(two, 'DELETE', '/v1/sessions/current', session)).statusCode).toBe(401);
  expect([await isTaken(one, other), await isTaken(two, other)]).toEqual([200, 200]);
  expect((await types()).filter((type) => type === 'SignedOut.v1').length).toBe(1);
});

test('a process that is started later does not take the token either', async () => {
  const session = await signIn();
  await send(one, 'DELETE', '/v1/sessions/current', session);
  const three = await start();
  expect(await isTaken(three, session)).toBe(401);
  await three.stop();
});

test('an operator ends all sessions of a client; who signs in again has a session', async () => {
  const operator = await signIn(OPERATOR);
  const before = [await signIn(), await signIn(ANN, two)];
  for (const token of before)
    expect([await isTaken(one, token), await isTaken(two, token)]).toEqual([200, 200]);
  const end = () => send(one, 'DELETE', `/v1/clients/${annId.toUpperCase()}/sessions`, operator);
  const reply = await end();
  expect([reply.statusCode, reply.body]).toEqual([204, '']);
  const after = await signIn(ANN, two);
  for (const token of before) {
    expect(await isTaken(one, token)).toBe(401);
    await expect.poll(() => isTaken(two, token)).toBe(401);
  }
  expect([await isTaken(one, after), await isTaken(two, after)]).toEqual([200, 200]);
  // The event records which operator ended the sessions.
  const [ended] = (await one.store.readStream(clientStream(annId), 0, 1_000)).filter(
    ({ event }) => event.type === 'SessionsEnded.v1',
  );
  expect(ended?.event.actor).toMatch(/^operator:/);
  // Without sessions to end nothing is recorded.
  await end();
  const count = (await types()).length;
  expect((await end()).statusCode).toBe(204);
  expect((await types()).length).toBe(count);
});

test('sessions that end while others begin: a token is taken exactly where it began after the end', async () => {
  const operator = await signIn(OPERATOR);
  const signIns = Array.from({ length: 12 }, (_, i) => signIn(ANN, i % 2 ? one : two));
  const ending = untilAnswered(() => send(two, 'DELETE', `/v1/clients/${annId}/sessions`, operator));
  const tokens = await Promise.all(signIns);
  expect((await ending).statusCode).toBe(204);
  const events = await one.store.readStream(clientStream(annId), 0, 1_000);
  const end = events.findLast(({ event }) => event.type === 'SessionsEnded.v1')?.revision ?? -1;
  const beganAfter = new Set(
    events.flatMap(({ event, revision }) =>
      event.type === 'SignedIn.v1' && revision > end ? [event.data.sessionId] : [],
    ),
  );
  for (const token of tokens) {
    const { sid } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const expected = beganAfter.has(sid) ? 200 : 401;
    await expect.poll(() => isTaken(one, token)).toBe(expected);
    await expect.poll(() => isTaken(two, token)).toBe(expected);
  }
});

test('everybody may sign out himself; only operators end the sessions of others', async () => {
  const paths = {
    own: '/v1/sessions/current',
    all: `/v1/clients/${annId}/sessions`,
    nobody: `/v1/clients/${randomUUID()}/sessions`,
    noId: '/v1/clients/ann/sessions',
  };
  const by = async (token?: string) => {
    const answers: Record<string, number> = {};
    for (const [name, path] of Object.entries(paths).reverse()) {
      answers[name] = (await send(one, 'DELETE', path, token)).statusCode;
    }
    return answers;
  };
  expect(await by()).toEqual({ own: 401, all: 401, nobody: 401, noId: 401 });
  expect(await by('garbage')).toEqual({ own: 401, all: 401, nobody: 401, noId: 401 });
  expect(await by(await signIn())).toEqual({ own: 204, all: 403, nobody: 403, noId: 403 });
  expect(await by(await signIn(OPERATOR))).toEqual({ own: 204, all: 204, nobody: 404, noId: 400 });
  const operator = await signIn(OPERATOR);
  expect((await send(one, 'DELETE', paths.nobody, operator)).json().code).toBe('CLIENT_NOT_FOUND');
});
