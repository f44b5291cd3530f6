import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Api, brokerApi, idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { REPOSITORY } from '../src/config.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { type SmallDisk, smallDisk } from './smallDisk.ts';

/**
 * External PostgreSQL servers (DATABASE_URL, READ_DATABASE_URL) whose disks become full. BrokerX cannot see how much space
 * is left there, so it learns of a full disk only from the server's errors.
 */
const disks = [smallDisk(260), smallDisk(260)] as const;
const [storeDisk, readDisk] = disks as [SmallDisk, SmallDisk];
const SYMBOL = 'FULL';

describe.runIf(disks.every(Boolean))('a full disk of a database of one’s own', () => {
  const servers: Server[] = [];
  let installation: Installation;
  let api: Api;
  let operator: Operator;
  let alice: Person;

  beforeAll(async () => {
    for (const { folder } of [storeDisk, readDisk]) servers.push(await startPostgres(folder));
    const [store, read] = servers as [Server, Server];
    installation = await startInstallation({ env: { DATABASE_URL: store.url, READ_DATABASE_URL: read.url } });
    api = brokerApi(installation.status);
    operator = await operatorOf(api, installation.status.operatorEmail, installation.status.operatorPassword);
    [alice] = (await registerMany(api, 'own', 1)) as [Person];
    await operator.list({ symbol: SYMBOL, name: 'Full', listingCents: 5_000 });
    await operator.exemptAccount(alice.accountId);
    await operator.giveCash(alice.accountId, 10_000_000_00);
  }, 180_000);

  afterAll(async () => {
    await api?.close();
    await installation?.stop();
    for (const server of servers) await server.stop();
    for (const disk of disks) disk?.unmount();
  }, 60_000);

  async function place() {
    const headers = {
      authorization: `Bearer ${await alice.token()}`,
      'content-type': 'application/json',
      'idempotency-key': mintId(idSource),
    };
    const order = { symbol: SYMBOL, side: 'buy', type: 'limit', qty: '1', limit_price: '46.00' };
    const request = { method: 'POST', path: '/v1/orders', headers, body: JSON.stringify(order) };
    const { status, text } = await api.raw('command', request);
    const { code, detail, id } = JSON.parse(text) as { code?: string; detail?: string; id?: string };
    return { status, code, detail, id };
  }
  const statusOf = async (path: string) => {
    const headers = { authorization: `Bearer ${await alice.token()}` };
    return (await api.raw('query', { path, headers })).status;
  };
  const readiness = async (url: string) => {
    const reply = await fetch(`${url}/readyz`);
    return [reply.status, (await reply.json()) as unknown] as const;
  };
  /** The lines of the log that tell of a full disk. */
  const fullLines = () =>
    readFileSync(join(installation.dataDir, 'brokerx.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('is full'));

  const FULL = 'the disk of the database is full: free some space there';

  test('commands are refused at once, with the reason, and each process says so once', async () => {
    // The wallet is there before nothing is stored any more.
    await expect.poll(() => statusOf('/v1/wallet')).toBe(200);
    storeDisk.fill();
    try {
      await expect
        .poll(place, { interval: 10 })
        .toMatchObject({ status: 503, code: 'UNAVAILABLE', detail: FULL });
      for (let round = 0; round < 50; round++) expect(await place()).toMatchObject({ detail: FULL });
      expect(await readiness(installation.status.commandUrl)).toMatchObject([
        503,
        { dependencies: { 'event store': 'ok', disk: FULL } },
      ]);
      expect(await statusOf('/v1/wallet')).toBe(200);
      const lines = fullLines();
      expect(lines).toContainEqual(
        expect.stringMatching(/the disk of PostgreSQL .* is full: until there is space, nothing is stored/),
      );
      // At most one line for each of the four kinds of processes, and no stack trace.
      expect(lines.length, lines.join('\n')).toBeLessThanOrEqual(4);
    } finally {
      storeDisk.free();
    }
    await expect.poll(place).toMatchObject({ status: 202 });
    await expect.poll(async () => (await readiness(installation.status.commandUrl))[0]).toBe(200);
  }, 120_000);

  test('a full disk of the read models keeps nobody from trading, and they catch up', async () => {
    readDisk.fill();
    const before = fullLines().length;
    const acceptedIds: string[] = [];
    try {
      await expect
        .poll(
          async () => {
            const { status, id } = await place();
            expect(status).toBe(202);
            acceptedIds.push(id ?? '');
            return fullLines().length;
          },
          { timeout: 60_000, interval: 10 },
        )
        .toBeGreaterThan(before);
      for (let round = 0; round < 50; round++) expect(await place()).toMatchObject({ status: 202 });
      const full = /the disk of PostgreSQL .* is full: until there is space, nothing is stored/;
      expect(fullLines().slice(before)).toEqual([expect.stringMatching(full)]);
    } finally {
      readDisk.free();
    }
    for (const id of acceptedIds.slice(-20)) {
      await expect.poll(() => statusOf(`/v1/orders/${id}`)).toBe(200);
    }
    const { findings } = await auditInstallation({ api, operator: operator.person });
    expect(findings.list).toEqual([]);
  }, 180_000);
});

type Server = { url: string; stop(): Promise<unknown> };

async function startPostgres(folder: string): Promise<Server> {
  const child = spawn(process.execPath, [join(REPOSITORY, 'infra/test/postgresServerMain.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const line = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  const { url } = JSON.parse(String(line[0])) as { url: string };
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, stop };
}
