import { randomUUID } from 'node:crypto';
import { clientStream } from '@brokerx/contracts';
import { keyIdOf, unsealField, type Vault } from '@brokerx/infra';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, mailServer, peopleProcess, testClock } from '../../../test/peopleWorld.ts';
import { PASSCODE_VALID_MS } from '../decider.ts';

/** Registrations that nobody confirms, as a client sees them: real PostgreSQL, real HTTP routes, a real mail server. */
const HOUR_MS = 3_600_000;
let database: FreshDatabase;
let mail: Awaited<ReturnType<typeof mailServer>>;
let clock: ReturnType<typeof testClock>;
type Process = Awaited<ReturnType<typeof peopleProcess>>;
const started = new Set<Process>();

const start = async (variables: Record<string, string> = {}) => {
  const process = await peopleProcess({
    databaseUrl: database.url,
    runtime: clock,
    variables: { SMTP_URL: mail.url, REGISTRATION_DEADLINES_PER_SECOND_MAX: '100', ...variables },
  });
  started.add(process);
  return process;
};
const stop = async (process: Process) => {
  started.delete(process);
  await process.stop();
};

beforeEach(async () => {
  [database, mail] = await Promise.all([freshDatabase(), mailServer()]);
  clock = testClock();
});
afterEach(async () => {
  for (const process of started) await stop(process);
  await mail.close();
  await database.drop();
});

const canary = {
  name: 'Canary Birdsong',
  address: '1 Canary Street',
  birth_date: '1990-04-01',
  email: 'canary.bird@example.com',
  phone: '+15145550199',
  password: 'walnut ferry copper lantern',
};
const register = async (process: Process, given: Partial<typeof canary> = {}, key?: string) =>
  (await process.post('/v1/registrations', { ...canary, ...given }, key)).body.registration_id as string;
const letters = (email: string, count: number) =>
  eventually(() => (mail.to(email).length >= count ? mail.to(email) : undefined));
const verify = async (process: Process, id: string, text = '') =>
  process.post(`/v1/registrations/${id}/verification`, { code: /\b\d{6}\b/.exec(text)?.[0] ?? '000000' });
const typesOf = async (process: Process, id: string) =>
  (await process.store.readStream(clientStream(id), 0, 100)).map(({ event }) => event.type);

/** The sealed fields that can still be read with the whole store, the whole vault and the master key. */
async function readable(process: Process): Promise<string[]> {
  const { events } = await process.store.readAll(0, {}, 10_000);
  const texts: string[] = [];
  for (const { event } of events) {
    for (const [field, sealed] of Object.entries(event.data)) {
      if (typeof sealed !== 'string' || !sealed.startsWith('enc.v1.')) continue;
      const text = await unsealed(process.people.vault, { eventId: event.id, field }, sealed);
      if (text !== null) texts.push(text);
    }
  }
  return texts;
}

async function unsealed(vault: Vault, place: { eventId: string; field: string }, sealed: string) {
  const key = await vault.keyById(keyIdOf(sealed));
  return key && 'secret' in key ? unsealField(key, place, sealed) : null;
}

test('a registration that nobody confirms: a reminder, the end, nothing readable left, the address free', async () => {
  const one = await start();
  const key = randomUUID();
  const id = await register(one, {}, key);
  await letters(canary.email, 1);
  clock.forward(23 * HOUR_MS);
  const [, reminder] = await letters(canary.email, 2);
  expect(reminder?.text).toContain(id);
  expect(await readable(one)).toEqual(expect.arrayContaining([canary.name, canary.email, canary.phone]));

  clock.forward(HOUR_MS + PASSCODE_VALID_MS);
  await eventually(async () => ((await readable(one)).length === 0 ? true : undefined));
  expect(await typesOf(one, id)).toEqual([
    'ClientRegistered.v1',
    'PasscodeIssued.v1',
    'PasscodeMailBegun.v1',
    'RegistrationReminderBegun.v1',
    'RegistrationExpired.v1',
  ]);
  const answers = [
    await verify(one, id),
    await one.post(`/v1/registrations/${id}/passcode`),
    await one.post('/v1/registrations', canary, key),
  ];
  for (const { status, body } of answers) {
    expect([status, body.code, body.retryable]).toEqual([410, 'REGISTRATION_EXPIRED', false]);
    expect(body.title).toContain('register again');
  }
  const { email, password } = canary;
  expect((await one.post('/v1/sessions', { email, password })).body.code).toBe('WRONG_CREDENTIALS');

  const next = await register(one);
  const verified = await verify(one, next, (await letters(email, 3)).at(-1)?.text);
  expect(verified.body.status).toBe('verified');
  expect((await one.post('/v1/sessions', { email, password })).status).toBe(201);
  // No log names anybody, and no key lies on the disk beside the one that is needed.
  for (const secret of [canary.name, canary.email, canary.phone])
    expect(one.logged.join()).not.toContain(secret);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query('select client_id from vault.client_key where wrapped is not null');
  await client.end();
  expect(rows.map(({ client_id }) => client_id)).toContain(next);
  expect(rows.map(({ client_id }) => client_id)).not.toContain(id);
}, 180_000);

test('registrations of old end at the first start that knows how, and nobody gets a mail; who confirmed and the operator stay', async () => {
  const operator = { OPERATOR_EMAIL: 'operator@example.com', OPERATOR_PASSWORD: 'first operator password' };
  // This process runs too short for any registration to end.
  const old = await start(operator);
  const owner = await register(old, { email: 'owner@example.com' });
  await verify(old, owner, (await letters('owner@example.com', 1))[0]?.text);
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    ids.push(await register(old, { email: `old${i}@example.com` }));
    await letters(`old${i}@example.com`, 1);
  }
  await stop(old);
  clock.forward(72 * HOUR_MS);
  const mails = mail.mails.length;

  const [one, two] = await Promise.all([start(operator), start(operator)]);
  await eventually(async () => {
    const keys = await Promise.all(ids.map((id) => one.people.vault.key(id)));
    return keys.every((key) => key && 'erased' in key) ? true : undefined;
  });
  for (const id of ids) {
    expect(await typesOf(two, id)).toEqual([
      'ClientRegistered.v1',
      'PasscodeIssued.v1',
      'PasscodeMailBegun.v1',
      'RegistrationExpired.v1',
    ]);
  }
  for (const [email, password] of [
    ['owner@example.com', canary.password],
    [operator.OPERATOR_EMAIL, operator.OPERATOR_PASSWORD],
  ]) {
    expect((await two.post('/v1/sessions', { email, password })).status).toBe(201);
  }
  expect(mail.mails.length).toBe(mails);
}, 180_000);
