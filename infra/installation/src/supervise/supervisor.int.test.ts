import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorsHeardElsewhere, heardElsewhere } from '@brokerx/infra/runtime/mayFail.ts';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { identify } from '@brokerx/infra/servers/processes.ts';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import type { InstallationStatus } from './installation.ts';

let dataDir = '';
let children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'brokerx-supervisor-'));
  children = [];
});
afterEach(async () => {
  const alive = children.filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(
    alive.map((child) => {
      child.kill('SIGTERM');
      return new Promise((done) => child.once('close', done));
    }),
  );
  rmSync(dataDir, { recursive: true, force: true });
});

/** Starts an installation of fake services in a process of its own. */
function launch(
  names: string,
  { database = inject('postgresAdminUrl'), ports = [] as number[], env = {} as NodeJS.ProcessEnv } = {},
) {
  const script = fileURLToPath(new URL('../../test/fakeInstallation.ts', import.meta.url));
  const child = spawn(process.execPath, [script, dataDir, names, ...ports.map(String)], {
    env: { PATH: process.env.PATH, DATABASE_URL: database, ...env },
  });
  children.push(child);
  let errors = '';
  let output = '';
  child.stderr.on('data', (data) => {
    errors += String(data);
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const status = new Promise<InstallationStatus>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      output += String(data);
      if (output.endsWith('\n')) resolve(JSON.parse(output) as InstallationStatus);
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${errors}`)));
  });
  heardElsewhere(status); // Tests of a failing start look at the end instead.
  return { child, status, ended, errors: () => errors };
}

const notes = () => readFileSync(join(dataDir, 'notes'), 'utf8').trimEnd().split('\n');
const pids = () =>
  (JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as { pids: Record<string, number> }).pids;

test('services are started in order, begin their work when all are ready, and on SIGTERM are stopped in reverse; no process is left', async () => {
  const { child, status, ended } = launch('a,b,c');
  const { pids: started } = await status;
  expect(Object.keys(started)).toEqual(['a', 'b', 'c']);
  expect(started).toEqual(pids());
  await expect.poll(notes).toHaveLength(6);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  const starts = ['a started', 'b started', 'c started'];
  const begins = ['a begins its work', 'b begins its work', 'c begins its work'];
  expect([notes().slice(0, 3), notes().slice(3, 6)].map((some) => some.toSorted())).toEqual([starts, begins]);
  expect(notes().slice(6)).toEqual(['c stopped', 'b stopped', 'a stopped']);
  for (const pid of Object.values(started)) expect(identify(pid)).toBeNull();
  expect(existsSync(join(dataDir, 'brokerx.lock'))).toBe(false);
});

test('a service that dies is started again and begins its work, and run.json has its new pid', async () => {
  const { status } = launch('a,b');
  const { pids: before } = await status;
  process.kill(before.b ?? 0, 'SIGKILL');
  await expect.poll(() => pids().b ?? before.b).not.toBe(before.b);
  expect(pids().a).toBe(before.a);
  await expect.poll(() => notes().slice(-2)).toEqual(['b started', 'b begins its work']);
});

test('a service that does not heed SIGTERM is killed after its deadline', async () => {
  const { child, status, ended } = launch('a,b:stubborn');
  const { pids: started } = await status;
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  for (const pid of Object.values(started)) expect(identify(pid)).toBeNull();
});

test('after kill -9 of the supervisor the next start stops the orphans and works', async () => {
  const first = launch('a,b');
  const { pids: orphans } = await first.status;
  first.child.kill('SIGKILL');
  await first.ended;
  expect(Object.values(orphans).map((pid) => identify(pid) !== null)).toEqual([true, true]);
  const { pids: next } = await launch('a,b').status;
  for (const pid of Object.values(orphans)) expect(identify(pid)).toBeNull();
  for (const pid of Object.values(next)) expect(identify(pid)).not.toBeNull();
});

test.for([
  ['ends at once', 'broken', /b does not start \(exit code 3\)/],
  ['is configured wrongly', 'misconfigured', /SOME_VARIABLE: is not set.*b does not start \(exit code 2\)/s],
] as const)(
  'a start with a service that %s fails with the reason and leaves nothing behind',
  async ([, mode, reason]) => {
    const { ended, errors } = launch(`a,b:${mode}`);
    expect(await ended).toBe(1);
    expect(errors()).toMatch(reason);
    expect(pids()).toEqual({});
  },
);

test('one folder is run once at a time', async () => {
  const first = launch('a');
  await first.status;
  const second = launch('a');
  expect(await second.ended).toBe(1);
  expect(second.errors()).toContain(
    `BrokerX is already running on ${dataDir} (process ${first.child.pid}). Stop it, or choose another folder with --data.`,
  );
});

test('a port that is taken is named with the ways to choose another one', async () => {
  const [command, query] = [await freePort(), await freePort()];
  const blocker = createServer().listen(query, '127.0.0.1');
  const { ended, errors } = launch('a', { ports: [command, query] });
  expect(await ended).toBe(1);
  expect(errors()).toContain(
    `port ${query} of query-api is in use. Choose another one with --query-port or QUERY_API_PORT.`,
  );
  blocker.close();
});

test('a database that cannot be reached is named before anything is started', async () => {
  const { ended, errors } = launch('a', { database: `postgres://127.0.0.1:${await freePort()}/brokerx` });
  expect(await ended).toBe(1);
  expect(errors()).toMatch(/DATABASE_URL .*nothing listens at this address/);
  expect(existsSync(join(dataDir, 'notes'))).toBe(false);
});

test.for([
  ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD'],
  ['OPERATOR_PASSWORD', 'OPERATOR_EMAIL'],
] as const)('%s without %s is refused before anything is started', async ([set, missing]) => {
  const { ended, errors } = launch('a', { env: { [set]: 'half' } });
  expect(await ended).toBe(1);
  expect(errors()).toContain(`${set}: is set without ${missing}: set both or neither`);
  expect(existsSync(join(dataDir, 'notes'))).toBe(false);
});

test('the embedded database is kept running on its port, and secrets are made once for their owner alone', async () => {
  const first = launch('a', { database: '' });
  const before = await first.status;
  process.kill(before.pids.postgres ?? 0, 'SIGKILL');
  await expect.poll(() => answers(before.databaseUrl)).toBe(true);
  await expect.poll(() => pids().postgres ?? before.pids.postgres).not.toBe(before.pids.postgres);
  expect(pids().a).toBe(before.pids.a);
  expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600);
  // Its supervisor is killed: the next one finds the database running, stops it and takes the data over.
  first.child.kill('SIGKILL');
  await first.ended;
  const second = launch('a', { database: '' });
  const after = await second.status;
  expect(after).toMatchObject({ databaseUrl: before.databaseUrl, operatorPassword: before.operatorPassword });
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
  for (const pid of Object.values(after.pids)) expect(identify(pid)).toBeNull();
  rmSync(join(dataDir, 'secrets.json'));
  const third = launch('a', { database: '' });
  expect(await third.ended).toBe(1);
  expect(third.errors()).toContain('secrets.json is missing, but there is a database');
});

test('a database that is killed again and again while it starts is started again', async () => {
  const { child, status, ended, errors } = launch('a', { database: '' });
  const pidFile = join(dataDir, 'postgres', 'data', 'postmaster.pid');
  const killed = new Set<number>();
  while (killed.size < 3 && child.exitCode === null) {
    const pid = pidIn(pidFile);
    if (pid > 0 && !killed.has(pid) && identify(pid)) {
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    }
    await nextTurn();
  }
  const { databaseUrl } = await status;
  await expect.poll(() => answers(databaseUrl)).toBe(true);
  expect(errors()).toMatch(/postgres ended; starting it again/);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
}, 120_000);

/** 0: it is not there, or was removed since. */
function pidIn(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10);
  } catch {
    return 0;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  errorsHeardElsewhere(client);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
