import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../runtime/log.ts';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';
import { freePort } from '../runtime/ports.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embeddedPostgres.ts';
import { identify } from './processes.ts';

const log = createLog({ name: 'test', level: 'silent' });
const isRoot = process.getuid?.() === 0;
/** As root, a test of an ordinary user needs one that can read this folder; in a clone under /root none can. */
const canActAsOther =
  isRoot && spawnSync(process.execPath, ['--version'], { ...nobody(), cwd: '/' }).status === 0;
let dataRoot = '';
let running: EmbeddedPostgres[] = [];

beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), 'brokerx-embedded-'));
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  rmSync(dataRoot, { recursive: true, force: true });
});

async function start(port?: number): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataRoot,
    log,
    syncNewData: false,
    ...(port ? { port } : {}),
  });
  running.push(server);
  return server;
}

async function ask(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  errorsHeardElsewhere(client); // The server is killed under it in some tests.
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A process that starts the server on the folder and lives until it is killed. */
async function owner(as?: { uid: number; gid: number }, folder = dataRoot) {
  const script = fileURLToPath(new URL('../../test/postgresOwner.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { ...as, cwd: '/', env: {} });
  let output = '';
  child.stderr.on('data', (data) => {
    output += String(data);
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)));
    void ended.then(() => reject(new Error(output)));
  });
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  return { url, pid, ended, kill: (signal: NodeJS.Signals) => child.kill(signal) };
}

test('the first start makes a UTF-8 database whose order does not depend on the system, and durable settings', async () => {
  const { url } = await start();
  const rows = await ask(
    url,
    `select encoding::int, datlocprovider, datlocale, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as commit, current_setting('wal_compression') as wal,
       current_setting('listen_addresses') as listen, current_setting('data_checksums') as checksums
     from pg_database where datname = current_database()`,
  );
  expect(rows).toEqual([
    {
      encoding: 6,
      datlocprovider: 'b',
      datlocale: 'C.UTF-8',
      fsync: 'on',
      commit: 'on',
      wal: 'pglz',
      listen: '127.0.0.1',
      checksums: 'on',
    },
  ]);
  expect(statSync(join(dataRoot, 'postgres-password')).mode & 0o777).toBe(0o600);
  const wrong = new URL(url);
  wrong.password = 'wrong';
  await expect(ask(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
});

test('a restart finds the data and keeps its port', async () => {
  const first = await start();
  await ask(first.url, 'create table mark as select 7 as x');
  await first.stop();
  expect(identify(first.pid)).toBeNull();
  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, 'select x from mark')).toEqual([{ x: 7 }]);
});

test('a server left behind by a killed parent is stopped and its data taken over', async () => {
  const former = await owner();
  await ask(former.url, 'create table mark as select 7 as x');
  former.kill('SIGKILL');
  await former.ended;
  expect(identify(former.pid)).not.toBeNull();
  const next = await start();
  expect(identify(former.pid)).toBeNull();
  expect(await ask(next.url, 'select x from mark')).toEqual([{ x: 7 }]);
});

test('a pid file that names a stranger stops nobody', async () => {
  await (await start()).stop();
  const stranger = spawn('sleep', ['60']);
  const data = join(dataRoot, 'postgres', 'data');
  writeFileSync(join(data, 'postmaster.pid'), `${stranger.pid}\n${data}\n`);
  const { url } = await start();
  expect(await ask(url, 'select 1 as x')).toEqual([{ x: 1 }]);
  expect(stranger.exitCode).toBeNull();
  stranger.kill('SIGKILL');
});

test('a killed server says so, and the next start has every committed row', async () => {
  const first = await start();
  await ask(first.url, 'create table mark as select generate_series(1, 1000) as x');
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toMatchObject({ wasRequested: false });
  const second = await start(first.port);
  expect(await ask(second.url, 'select count(*)::int as n from mark')).toEqual([{ n: 1000 }]);
});

test('one data folder is run once at a time', async () => {
  await start();
  await expect(start()).rejects.toThrow(/is run by process \d+. Stop it, or choose another folder/);
});

test('a demanded port that is taken is an error that names it; otherwise another one is chosen', async () => {
  const port = await freePort();
  const blocker = createServer().listen(port, '127.0.0.1');
  await expect(start(port)).rejects.toThrow(`port ${port} for PostgreSQL is in use`);
  writeFileSync(join(dataRoot, 'postgres-port'), `${port}\n`);
  expect((await start()).port).not.toBe(port);
  blocker.close();
});

test.for([
  [
    'of another version',
    'PG_VERSION',
    '15\n',
    /is not a data folder of PostgreSQL 18: it is of PostgreSQL 15. Restore/,
  ],
  [
    'that is damaged',
    'global/pg_control',
    'rubbish',
    /the data in .* is damaged: restore it.*last lines of its log/s,
  ],
] as const)('a data folder %s is named, with what to do', async ([, file, content, expected]) => {
  await (await start()).stop();
  writeFileSync(join(dataRoot, 'postgres', 'data', file), content);
  await expect(start()).rejects.toThrow(expected);
});

test.runIf(!isRoot || canActAsOther)('a folder that cannot be written is named', async () => {
  const closed = join(dataRoot, 'closed');
  mkdirSync(closed, { mode: 0o500 });
  const theirs = owner(isRoot ? nobody() : undefined, join(closed, 'data'));
  await expect(theirs).rejects.toThrow(`${closed}/data is not writable. Choose another folder with --data.`);
});

test('a folder that cannot be made is named', async () => {
  writeFileSync(join(dataRoot, 'file'), '');
  const belowFile = join(dataRoot, 'file', 'data');
  await expect(startEmbeddedPostgres({ dataRoot: belowFile, log })).rejects.toThrow(/ENOTDIR.*file/);
});

test.runIf(isRoot)('as root it is run by user postgres', async () => {
  expect(uidOf((await start()).pid)).toBe(uid('postgres'));
});

test.runIf(canActAsOther)('an ordinary user runs it itself, and root takes over as that user', async () => {
  chownSync(dataRoot, nobody().uid, nobody().gid);
  const theirs = await owner(nobody());
  expect(uidOf(theirs.pid)).toBe(nobody().uid);
  expect(await ask(theirs.url, 'select 1 as x')).toEqual([{ x: 1 }]);
  theirs.kill('SIGTERM');
  await theirs.ended;
  expect(identify(theirs.pid)).toBeNull();
  expect(uidOf((await start()).pid)).toBe(nobody().uid);
});

test.runIf(isRoot)(
  'as root, where user postgres cannot enter, the data lies under /var/lib/brokerx',
  async () => {
    const closed = mkdtempSync(join(tmpdir(), 'brokerx-closed-'));
    chmodSync(closed, 0o700);
    const outer = dataRoot;
    dataRoot = join(closed, '.brokerx');
    const first = await start();
    const id = readFileSync(join(dataRoot, 'system-id'), 'utf8').trim();
    const folder = join('/var/lib/brokerx', id);
    expect(existsSync(join(folder, 'data', 'PG_VERSION'))).toBe(true);
    await ask(first.url, 'create table mark as select 7 as x');
    await first.stop();
    expect(await ask((await start()).url, 'select x from mark')).toEqual([{ x: 7 }]);
    await running.pop()?.stop();
    for (const path of [folder, `${folder}.origin`, closed]) rmSync(path, { recursive: true });
    dataRoot = outer;
  },
);

function uid(user: string): number {
  return Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
}
function nobody(): { uid: number; gid: number } {
  return { uid: uid('nobody'), gid: uid('nobody') };
}
function uidOf(pid: number): number {
  return statSync(`/proc/${pid}`).uid;
}
