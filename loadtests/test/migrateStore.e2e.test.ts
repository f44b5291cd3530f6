import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Api, brokerApi, succeeded } from '@brokerx/client';
import type { views } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuditResult, auditInstallation } from '../src/audit.ts';
import { REPOSITORY } from '../src/config.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany, signIn } from '../src/people.ts';
import { startEventStoreDb } from './eventStoreDb.ts';

/**
 * An installation that has traded on PostgreSQL is moved to EventStoreDB and goes on there, with the same orders, wallets and
 * books, built anew. Positions of the old store are refused.
 */
const SYMBOL = 'MOVE';
let eventStoreDb: Awaited<ReturnType<typeof startEventStoreDb>>;
let installation: Installation;
let api: Api;
let operator: Operator;
let people: Person[];
/** Variables that apply from the next start on. */
const env: Record<string, string> = {};

beforeAll(async () => {
  eventStoreDb = await startEventStoreDb();
  installation = await startInstallation({ env });
  await connect();
  people = await registerMany(api, 'move', 2);
  await operator.list({ symbol: SYMBOL, name: 'Moving On', listingCents: 5_000 });
}, 180_000);

afterAll(async () => {
  await api?.close();
  await installation?.stop();
  eventStoreDb?.stop();
}, 60_000);

/** Connects anew, because ports change with every start. */
async function connect(): Promise<void> {
  await api?.close();
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  api = brokerApi({ commandUrl, queryUrl });
  operator = await operatorOf(api, operatorEmail, operatorPassword);
}

const [BUYER, SELLER] = [0, 1];
const person = (which: number): Person => {
  const one = people[which];
  if (!one) throw new Error('nobody');
  return one;
};

async function place(
  which: number,
  side: 'buy' | 'sell',
  qty: string,
  price: string,
): Promise<views.OrderView> {
  const body = { symbol: SYMBOL, type: 'limit', time_in_force: 'gtc', side, qty, limit_price: price };
  const token = await person(which).token();
  return succeeded(
    side,
    await api.command<views.OrderView>({ method: 'POST', path: '/v1/orders', token, body }),
  ).body;
}

const ask = async (which: number, path: string) =>
  api.raw('query', { path, headers: { authorization: `Bearer ${await person(which).token()}` } });

/** What both clients see of their accounts and of the market. */
async function clientViews(): Promise<unknown> {
  const answers = [];
  for (const which of [BUYER, SELLER]) {
    for (const path of ['/v1/wallet', '/v1/holdings', '/v1/orders', `/v1/symbols/${SYMBOL}/depth`]) {
      const { status, text } = await ask(which, path);
      expect(status, `${path}: ${text}`).toBe(200);
      // The start of an engine is an event of the book, so sequences differ.
      answers.push([path, text.replaceAll(/"(sequence|last_update_id)":\d+/g, '"$1":0')]);
    }
  }
  return answers;
}

async function audited(): Promise<AuditResult> {
  const result = await auditInstallation({ api, operator: operator.person });
  expect(result.findings.list).toEqual([]);
  return result;
}

async function becomes(which: number, id: string, status: string): Promise<void> {
  const read = async () =>
    (JSON.parse((await ask(which, `/v1/orders/${id}`)).text) as views.OrderView).status;
  await expect.poll(read, { interval: 50 }).toBe(status);
}

test('a store is changed by a copy and a restart', { timeout: 300_000 }, async () => {
  await operator.giveShares(person(SELLER).accountId, SYMBOL, 100);
  succeeded(
    'deposit',
    await api.command({
      method: 'POST',
      path: '/v1/deposits',
      token: await person(BUYER).token(),
      body: { amount: '5000.00' },
    }),
  );
  await expect
    .poll(async () => (JSON.parse((await ask(BUYER, '/v1/wallet')).text) as { cash: string }).cash)
    .toBe('5000.00');
  for (let i = 0; i < 10; i++) await place(SELLER, 'sell', '2', `50.${10 + i}`);
  const bought = await place(BUYER, 'buy', '15', '50.30');
  await becomes(BUYER, bought.id, 'filled');
  // This order rests while the store is changed.
  const resting = await place(BUYER, 'buy', '7', '49.90');
  await becomes(BUYER, resting.id, 'new');
  const before = await audited();
  const shown = await clientViews();
  const oldToken = (await ask(BUYER, '/v1/wallet')).headers['x-brokerx-position'] ?? '';

  const brokerx = join(REPOSITORY, 'infra/installation/src/cli/main.ts');
  await installation.withDatabaseAlone(async () => {
    const flags = ['--from', installation.status.databaseUrl, '--to', eventStoreDb.url, '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, [brokerx, 'migrate-store', ...flags]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, events: before.history.counts.events });
    env.EVENTSTORE_URL = eventStoreDb.url;
  });
  await connect();
  people = await Promise.all(people.map(({ email, password }) => signIn(api, email, password)));

  const after = await audited();
  expect({ ...after.history.counts, events: 0 }).toEqual({ ...before.history.counts, events: 0 });
  await expect.poll(clientViews, { interval: 200 }).toEqual(shown);
  const refused = await ask(BUYER, `/v1/wallet?min_position=${oldToken}`);
  expect(JSON.parse(refused.text)).toMatchObject({ code: 'FOREIGN_POSITION' });

  // The book is what it was: the resting order is filled.
  await place(SELLER, 'sell', '7', '49.90');
  await becomes(BUYER, resting.id, 'filled');
  const last = await audited();
  expect(last.history.counts.trades).toBe(before.history.counts.trades + 1);
});
