import { setTimeout as delay } from 'node:timers/promises';
import { type Api, brokerApi, errorsHeardElsewhere, idSource, mayFail, type Reply } from '@brokerx/client';
import { mintId, type views } from '@brokerx/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { smallDisk } from './smallDisk.ts';

/** An installation whose folder, with database and log, is on a disk that becomes full. */
const disk = smallDisk(280);
const SYMBOL = 'FULL';

describe.runIf(disk !== null)('a full disk (a small one is mounted for it, which only root may do)', () => {
  let installation: Installation;
  let api: Api;
  let operator: Operator;
  let alice: Person;
  const acknowledged: string[] = [];

  beforeAll(async () => {
    installation = await startInstallation({ parent: disk?.folder ?? '' });
    api = brokerApi(installation.status);
    operator = await operatorOf(api, installation.status.operatorEmail, installation.status.operatorPassword);
    [alice] = (await registerMany(api, 'full', 1)) as [Person];
    await operator.list({ symbol: SYMBOL, name: 'Full', listingCents: 5_000 });
    await operator.exemptAccount(alice.accountId);
    await operator.giveCash(alice.accountId, 100_000_00);
  }, 120_000);

  afterAll(async () => {
    await api?.close();
    await installation?.stop();
    disk?.unmount();
  }, 60_000);

  async function place(): Promise<Reply> {
    const reply = await api.raw('command', {
      method: 'POST',
      path: '/v1/orders',
      headers: {
        authorization: `Bearer ${await alice.token()}`,
        'content-type': 'application/json',
        'idempotency-key': mintId(idSource),
      },
      body: JSON.stringify({ symbol: SYMBOL, side: 'buy', type: 'limit', qty: '1', limit_price: '46.00' }),
    });
    if (reply.status === 202) acknowledged.push((JSON.parse(reply.text) as views.OrderView).id);
    return reply;
  }
  const read = async () =>
    api.raw('query', { path: '/v1/wallet', headers: { authorization: `Bearer ${await alice.token()}` } });

  async function expectRefusal(): Promise<void> {
    const { status, headers, text } = await place();
    expect({ status, type: headers['content-type'], retry: headers['retry-after'] }, text).toEqual({
      status: 503,
      type: 'application/problem+json; charset=utf-8',
      retry: expect.stringMatching(/^[1-9]$/),
    });
    expect(JSON.parse(text)).toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      detail: expect.stringMatching(/^the disk of the database is full/),
    });
  }

  test('while it is full commands are refused for now, reads are answered, and no process ends', async () => {
    expect((await place()).status).toBe(202);
    const before = installation.pids();
    disk?.fill();
    // An order or two may still fit into the space that the database has already allocated.
    while ((await place()).status === 202) await delay(20);
    for (let round = 0; round < 10; round++) {
      await expectRefusal();
      expect((await read()).status).toBe(200);
      await delay(100);
    }
    const ready = await api.raw('command', { path: '/readyz' });
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([
      503,
      { dependencies: { 'event store': 'ok', disk: expect.stringMatching(/is full/) } },
    ]);
    expect(installation.pids()).toEqual(before);
  });

  test('with space again it goes on by itself', async () => {
    disk?.free();
    await expect.poll(async () => (await place()).status).toBe(202);
  });

  test('a database that stopped for want of space is started again until there is some', async () => {
    disk?.fill();
    try {
      await writeUntilItStops(installation.status.databaseUrl);
      await expectRefusalsUntilFree();
    } finally {
      disk?.free();
    }
    await expect.poll(async () => (await place()).status).toBe(202);
  }, 60_000);

  /** Requests under way when the database stopped have unknown outcomes. Later ones are refused with the reason. */
  async function expectRefusalsUntilFree(): Promise<void> {
    await expect.poll(async () => (await place()).text).toContain('is full');
    for (let round = 0; round < 5; round++) {
      await expectRefusal();
      // While the database is away, reads are refused at once.
      expect([200, 503]).toContain((await read()).status);
      await delay(200);
    }
  }

  test('nothing that was acknowledged is lost, and the history is whole', async () => {
    for (const id of acknowledged) {
      await expect
        .poll(
          async () => {
            const headers = { authorization: `Bearer ${await alice.token()}` };
            const { text } = await api.raw('query', { path: `/v1/orders/${id}`, headers });
            return (JSON.parse(text) as { status: unknown }).status;
          },
          { timeout: 20_000 },
        )
        .toBe('new');
    }
    const { findings } = await auditInstallation({ api, operator: operator.person });
    expect(findings.list).toEqual([]);
  }, 60_000);
});

/** Fills the database's log directly, without BrokerX. */
async function writeUntilItStops(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  errorsHeardElsewhere(client); // The query rejects with the same error.
  await client.connect();
  const write = `select pg_logical_emit_message(true, 'ballast', repeat('x', 1000000))`;
  const writing = (async () => {
    for (;;) await client.query(write);
  })();
  await expect(writing).rejects.toThrow(/No space left on device|terminated/);
  await mayFail(client.end(), 'the server has cut it off');
}
