import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { type Api, brokerApi, succeeded } from '@brokerx/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, signIn } from '../src/people.ts';
import { brokerx } from './gateway.ts';

/** An installation of commit 969ea15 works with today's code: its clients, orders, markets and secrets. */
const FIXTURE = resolve(import.meta.dirname, '../fixtures/installation-969ea15');
const { people, orders } = JSON.parse(readFileSync(join(FIXTURE, 'people.json'), 'utf8')) as {
  people: { email: string; password: string; account: string }[];
  orders: Record<string, { id: string; owner: string; status: string }>;
};
let installation: Installation;
let api: Api;
let operator: Operator;
let secretsBefore: Record<string, string>;
const persons = new Map<string, Person>();

/** The time-out of the start and the audit, long because the start does everything that was due since then. */
const BUSY_MACHINE_MS = 240_000;

beforeAll(async () => {
  installation = await startInstallation({ fill: unpack });
  api = brokerApi(installation.status);
  const { operatorEmail, operatorPassword } = installation.status;
  operator = await operatorOf(api, operatorEmail, operatorPassword);
}, BUSY_MACHINE_MS);

afterAll(async () => {
  await api?.close();
  await installation?.stop();
});

function unpack(folder: string): void {
  const input = zstdDecompressSync(readFileSync(join(FIXTURE, 'data.tar.zst')));
  execFileSync('tar', ['-xpf', '-', '--no-same-owner', '-C', folder], { input });
  // PostgreSQL never runs as root, and its data must belong to the user that runs it.
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'postgres:', join(folder, 'postgres')]);
  secretsBefore = secretsOf(folder);
}

const secretsOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'secrets.json'), 'utf8')) as Record<string, string>;

const personOf = (email: string): Person => {
  const person = persons.get(email);
  if (!person) throw new Error(`${email} has not signed in`);
  return person;
};

async function statusOf(name: string): Promise<string> {
  const { id, owner } = orders[name] ?? { id: '', owner: '' };
  const token = await personOf(owner).token();
  return (await api.query<{ status: string }>(`/v1/orders/${id}`, { token })).status;
}

test('secrets are what they were; what is new was added', () => {
  expect(secretsOf(installation.dataDir)).toMatchObject(secretsBefore);
});

test('everybody signs in with the password of then', async () => {
  for (const { email, password, account } of people) {
    const person = await signIn(api, email, password);
    expect(person.accountId).toBe(account);
    persons.set(email, person);
  }
});

test('tokens name the command-api that signs them, whatever its port', async () => {
  const [, payload = ''] = (await personOf('alice@example.com').token()).split('.');
  const { iss } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iss: string };
  expect(iss).toBe(installation.status.commandUrl);
  const token = await personOf('alice@example.com').token();
  await expect(api.query('/v1/wallet', { token })).resolves.toHaveProperty('available');
});

test('what was open or over is what it was, but for what time has ended since', async () => {
  const lasting = Object.entries(orders).filter(([name]) => !ENDED_BY_TIME.includes(name));
  const shown = await Promise.all(lasting.map(async ([name]) => [name, await statusOf(name)]));
  expect(Object.fromEntries(shown)).toEqual(
    Object.fromEntries(lasting.map(([name, { status }]) => [name, status])),
  );
  expect(new Set(lasting.map(([, { status }]) => status))).toEqual(
    new Set(['new', 'held', 'partially_filled', 'filled', 'canceled', 'expired']),
  );
});
/** Orders that have ended since: with their trading day, their expiry, a call, or the dead-man switch. */
const ENDED_BY_TIME = [
  'day',
  'gtd',
  'cls',
  'opg',
  'opg-market',
  'watched',
  'call-buy',
  'call-sell',
  'day-buy',
  'day-sell',
];

test('an account that was stopped stays so, until who stopped it releases it', async () => {
  const carol = personOf('carol@example.com');
  const order = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '1', limit_price: '98.00' };
  const place = async () =>
    api.command({ method: 'POST', path: '/v1/orders', body: order, token: await carol.token() });
  expect(await place()).toMatchObject({ kind: 'refused', code: 'KILL_SWITCH' });
  const release = { method: 'PUT', path: '/v1/kill-switch', body: { active: false } } as const;
  succeeded('releasing', await api.command({ ...release, token: await carol.token() }));
  expect(await place()).toMatchObject({ kind: 'ok' });
});

test('a call that ran ends, with the trades that it owes', async () => {
  for (const symbol of ['CALL', 'DAYS']) {
    const token = await operator.person.token();
    const path = `/v1/symbols/${symbol}/phase`;
    const outcome = await api.command({ method: 'POST', path, body: { phase: 'closed' }, token });
    // The market may have closed by itself, because phases that were due meanwhile are made up for.
    if (outcome.kind !== 'ok') expect(outcome).toMatchObject({ code: 'TRADING_PHASE' });
  }
  await expect.poll(() => statusOf('call-sell')).toBe('filled');
  await expect.poll(() => statusOf('day-sell')).toBe('filled');
});

test('orders of then trade with orders of now, one with a hidden part among them', async () => {
  const alice = personOf('alice@example.com');
  const body = {
    symbol: 'ACME',
    side: 'buy',
    type: 'limit',
    qty: '40',
    limit_price: '103.00',
    time_in_force: 'ioc',
  };
  const token = await alice.token();
  const { body: placed } = succeeded(
    'buying',
    await api.command<{ id: string }>({ method: 'POST', path: '/v1/orders', body, token }),
  );
  const order = () => api.query<{ status: string; filled_qty: string }>(`/v1/orders/${placed.id}`, { token });
  await expect.poll(async () => (await order()).status).toBe('filled');
  await expect.poll(() => statusOf('partly-filled-sell')).toBe('filled');
  await expect.poll(() => statusOf('iceberg')).toBe('partially_filled');
  const nulOrder = { symbol: 'NULL', side: 'buy', type: 'limit', qty: '6', limit_price: '100.00' };
  succeeded('buying', await api.command({ method: 'POST', path: '/v1/orders', body: nulOrder, token }));
  await expect.poll(() => statusOf('null-sell')).toBe('filled');
});

test(
  'the audit finds nothing: what the projections of then could not write is shown, too',
  async () => {
    const { findings, history } = await auditInstallation({ api, operator: operator.person });
    expect(findings.list).toEqual([]);
    expect(history.counts.trades).toBeGreaterThan(30);
  },
  BUSY_MACHINE_MS,
);

test.for([
  ['production', 'production'],
  ['demonstration', 'development'],
])('its %s.env is given what is missing, and no secret of it changes', async ([name, mode]) => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-env-'));
  try {
    const file = join(folder, '.env');
    copyFileSync(join(FIXTURE, `${name}.env`), file);
    const before = parseEnv(readFileSync(file, 'utf8'));
    const { code, output } = await brokerx(['make-env', '--file', file]);
    expect([code, output]).toEqual([0, expect.stringContaining('BROKERX_MODE')]);
    expect(parseEnv(readFileSync(file, 'utf8'))).toMatchObject({ ...before, BROKERX_MODE: mode });
    expect(await brokerx(['make-env', '--file', file])).toEqual({
      code: 0,
      output: `${file} has everything: nothing is changed\n`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
