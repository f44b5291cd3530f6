import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';

import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { startEmbeddedPostgres } from '@brokerx/infra/servers/embeddedPostgres.ts';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installationSecrets } from '../supervise/secrets.ts';

/** `brokerx start` where it cannot: what is wrong, the rule, what to do; no stack trace, and nothing left running. */
let data = '';
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'brokerx-start-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

/** Some starts wait ten seconds for a server that is not there. */
const MACHINE_IS_BUSY_MS = 120_000;
type Start = {
  folder?: string;
  flags?: string[];
  env?: Record<string, string>;
  /** It is stopped once it has said this. */
  until?: string;
  /** Ctrl-C is typed once this holds: a terminal sends it to the whole group. */
  interruptWhen?(said: string): boolean;
  /** Called with all that it has said so far. */
  hears?(said: string): void;
};

async function start(given: Start) {
  const { folder = data, flags = ['--ports', 'free'], env = {}, until, interruptWhen, hears } = given;
  const brokerx = fileURLToPath(new URL('main.ts', import.meta.url));
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const args = [brokerx, 'start', '--no-traders', '--data', folder, ...flags];
  const detached = interruptWhen !== undefined;
  const child = spawn(process.execPath, args, { env: { PATH, NODE_COMPILE_CACHE, ...env }, detached });
  let said = '';
  const looking = setInterval(() => {
    if (!child.pid || !interruptWhen?.(said)) return;
    clearInterval(looking);
    process.kill(-child.pid, 'SIGINT');
  }, LOOK_EVERY_MS);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      const before = said;
      said += String(chunk);
      hears?.(said);
      // Once: a second signal means at once.
      if (until !== undefined && said.includes(until) && !before.includes(until)) child.kill('SIGTERM');
    });
  }
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearInterval(looking);
  return { code, said };
}
/** Milliseconds: making a database takes some hundred. */
const LOOK_EVERY_MS = 2;

function expectNothingLeft(folder: string): void {
  const running = execFileSync('ps', ['-ww', '-eo', 'args'], { encoding: 'utf8' }).split('\n');
  expect(running.filter((command) => command.includes(folder))).toEqual([]);
}

async function expectRefusal(given: Start, expected: RegExp, exitCode = 1): Promise<void> {
  const { code, said } = await start(given);
  expect(said).toMatch(expected);
  expect(said).not.toMatch(/^\s+at .*:\d+/m);
  expect(code).toBe(exitCode);
  expectNothingLeft(given.folder ?? data);
}

test('a folder that is a file, lies in one, or cannot be made is named', async () => {
  const file = join(data, 'file');
  writeFileSync(file, '');
  const isFile = /file cannot be used: it, or something on the way to it, is a file\. Choose another folder/;
  await expectRefusal({ folder: file }, isFile);
  await expectRefusal({ folder: join(file, 'below') }, /below cannot be used: .* is a file\. Choose another/);
});

test.runIf(process.platform === 'linux')('where no folder can be made, the start does not hang', async () => {
  await expectRefusal({ folder: '/proc/brokerx' }, /\/proc\/brokerx cannot be used: .*Choose another folder/);
});

test('ports: taken, the same, or none at all', async () => {
  const [command, query] = [await freePort(), await freePort()];
  const blocker = createServer().listen(command, '127.0.0.1');
  const ports = (first: number | string, second: number) => [
    '--command-port',
    String(first),
    '--query-port',
    String(second),
  ];
  await expectRefusal({ flags: ports(command, query) }, /port \d+ of command-api is in use\. Choose another/);
  await expectRefusal({ flags: ports(query, query) }, /are both \d+: they must differ/);
  await expectRefusal({ flags: ports('http', query) }, /'http' is invalid\. It must be 1 to 65535/, 2);
  await expectRefusal({ flags: [], env: { QUERY_API_PORT: '0' } }, /QUERY_API_PORT' is invalid/, 2);
  blocker.close();
});

test('what all services read is looked at before anything is made, and told once', async () => {
  const wrong = {
    LOG_LEVEL: 'loud',
    REDIS_URL: 'redis:/nowhere',
    KAFKA_BROKERS: 'kafka',
    EVENTSTORE_URL: 'http://127.0.0.1:2113',
    TRUSTED_PROXIES: 'gateway',
    CONNECTIONS_PER_ADDRESS_MAX: 'many',
    BROKERX_MASTER_KEY: 'short',
  };
  const { code, said } = await start({ env: wrong });
  expect(code).toBe(1);
  for (const name of Object.keys(wrong)) expect(said.split(` ${name}: `).length, name).toBe(2);
  expect(readdirSync(data)).toEqual([]);
});

test('a variable set to nothing counts as not set', async () => {
  const nothing = {
    BROKERX_MODE: '',
    BROKERX_ENGINES: '',
    COMMAND_API_PORT: '',
    BROKERX_DATA: '',
    LOG_LEVEL: '',
  };
  await expectRefusal({ env: { ...nothing, DATABASE_URL: 'mysql://x' } }, /DATABASE_URL: must begin with/);
});

test('flags that npm took are named, with where they belong', async () => {
  const npm = { npm_lifecycle_event: 'start', npm_config_engines: '2' };
  const told = /npm took --engines for itself.*as in npm start -- --engines .* 2$/ms;
  await expectRefusal({ flags: ['2'], env: npm }, told, 2);
  await expectRefusal({ flags: [], env: { npm_config_traders: '' } }, /npm took --no-traders/, 2);
});

test(
  'a data folder that is deleted while it is in use is told, and nothing is made in its place',
  async () => {
    let isDone = false;
    const { code, said } = await start({
      hears: (told) => {
        if (isDone || !told.includes('BrokerX is ready')) return;
        isDone = true;
        const { pids } = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as RunFile;
        // At one stroke, so that its own notice of it comes at no moment in between.
        renameSync(data, `${data}.gone`);
        process.kill(pids['postgres'] ?? 0, 'SIGKILL');
      },
      until: 'is not started again',
    });
    expect(said).toMatch(/postgres is not started again: .* was deleted while it was in use/);
    expect(said).toContain('was deleted meanwhile: what it held is lost');
    expect(said).not.toContain('stopped; everything is kept');
    expect(code).toBe(1);
    expect(existsSync(data)).toBe(false);
    rmSync(`${data}.gone`, { recursive: true });
  },
  MACHINE_IS_BUSY_MS,
);
type RunFile = { pids: Record<string, number> };

test('production without a mail server is refused before anything is started', async () => {
  const refusal = /SMTP_URL: is not set, and production sends passcodes by mail\n +Set it to your mail/;
  await expectRefusal({ env: { BROKERX_MODE: 'production' } }, refusal);
  await expectRefusal({ flags: ['--mode', 'production'] }, refusal);
  await expectRefusal({ env: { BROKERX_MODE: 'test' } }, /BROKERX_MODE' is invalid/, 2);
  expect(readdirSync(data)).toEqual([]);
});

test(
  'with --json-logs every line is JSON, also where it is ready and where it fails, and no passphrase is told',
  async () => {
    const flags = ['--ports', 'free', '--json-logs'];
    const { said } = await start({ flags, until: '"msg":"BrokerX is ready"' });
    const { OPERATOR_PASSWORD } = installationSecrets(data);
    expect(said).not.toContain(OPERATOR_PASSWORD);
    const ready = lines(said).find(({ msg }) => msg === 'BrokerX is ready');
    expect(ready).toMatchObject({ mode: 'development', passphraseAt: join(data, 'secrets.json') });
    const failed = await start({ flags, env: { DATABASE_URL: 'mysql://x' } });
    expect(lines(failed.said).at(-1)).toMatchObject({
      level: 'fatal',
      msg: expect.stringContaining('DATABASE_URL: must begin with postgres://'),
    });
  },
  MACHINE_IS_BUSY_MS,
);

const lines = (said: string) =>
  said
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('how many processes: a whole number within bounds, and ports for all of them', async () => {
  await expectRefusal({ flags: ['--engines', '0'] }, /'0' is invalid\. It must be 1 to 4/, 2);
  await expectRefusal({ flags: [], env: { BROKERX_QUERY_APIS: 'two' } }, /BROKERX_QUERY_APIS' is invalid/, 2);
  const two = ['--command-apis', '2', '--command-port'];
  const query = await freePort();
  await expectRefusal(
    { flags: [...two, String(query - 10), '--query-port', String(query)] },
    /are both \d+ \(each further process is 10 above\): they must differ/,
  );
  await expectRefusal(
    { flags: [...two, '65530', '--query-port', String(query)] },
    /port 65540 of command-api is above 65535\. Choose another/,
  );
});

test(
  'variables that break their rule are named with it, by whoever reads them',
  async () => {
    const database = await freshDatabase();
    await expectRefusal(
      { env: { DATABASE_URL: 'mysql://x' } },
      /DATABASE_URL: must begin with postgres:\/\//,
    );
    const own = { DATABASE_URL: database.url };
    await expectRefusal(
      { env: { ...own, EVENTSTORE_URL: 'http://x' } },
      /EVENTSTORE_URL: must begin with esdb:\/\//,
    );
    const absent = `esdb://127.0.0.1:${await freePort()}?tls=false`;
    await expectRefusal(
      { env: { ...own, EVENTSTORE_URL: absent } },
      /EVENTSTORE_URL .*nothing listens at this address.*Unset EVENTSTORE_URL/,
    );
    await database.drop();
  },
  MACHINE_IS_BUSY_MS,
);

test('settings of single services that are wrong are told all at once, before anything is made', async () => {
  const env = {
    QUERY_API_CORS_ORIGINS: 'anywhere',
    SMTP_URL: 'mail.example.com',
    STREAMS_PER_ACCOUNT_MAX: 'many',
    LOG_LEVEL: 'loud',
  };
  const { code, said } = await start({ env });
  expect(code).toBe(1);
  for (const name of Object.keys(env)) expect(said).toMatch(new RegExp(`^  ${name}: .+\n      .+$`, 'm'));
  expect(said).not.toMatch(/^ +at /m);
  expect(existsSync(data) ? readdirSync(data) : []).toEqual([]);
});

/** The folders of the first start's database that exist, by name. */
const madeIn = (name: RegExp) => {
  const folder = join(data, 'postgres');
  return existsSync(folder) ? readdirSync(folder).filter((entry) => name.test(entry)) : [];
};
const isMaking = () =>
  madeIn(/^data\.partial/).some((name) => existsSync(join(data, 'postgres', name, 'PG_VERSION')));

test(
  'Ctrl-C during the first start, whatever the moment, is one line; the next start begins anew, or goes on',
  async () => {
    const moments: [string, (said: string) => boolean][] = [
      ['the making is announced', (said) => said.includes('creating the database')],
      ['the database is half made', isMaking],
      ['it was made', () => madeIn(/^data$/).length > 0],
      ['its server runs', () => existsSync(join(data, 'postgres', 'data', 'postmaster.pid'))],
    ];
    for (const [moment, interruptWhen] of moments) {
      const { code, said } = await start({ interruptWhen });
      expect(said.trimEnd().split('\n').at(-1), moment).toBe(
        'brokerx: the start was interrupted; nothing of it is left running',
      );
      expect(said, moment).not.toMatch(/damaged|backup|checksum|^\s+at .*:\d+/m);
      expect(code, moment).toBe(130);
      expect(madeIn(/partial|initdb/), moment).toEqual([]);
      expectNothingLeft(data);
    }
    expect(
      (await start({ until: '"msg":"BrokerX is ready"', flags: ['--ports', 'free', '--json-logs'] })).code,
    ).toBe(0);
  },
  MACHINE_IS_BUSY_MS,
);

test(
  'an initdb that somebody kills is tried again, and is no damage',
  async () => {
    let kills = 0;
    const killing = setInterval(() => {
      if (kills === 0 && isMaking()) {
        for (const pid of initdbs()) {
          process.kill(pid, 'SIGKILL');
          kills += 1;
        }
      }
    }, LOOK_EVERY_MS);
    const flags = ['--ports', 'free', '--json-logs'];
    const { code, said } = await start({ until: '"msg":"BrokerX is ready"', flags });
    clearInterval(killing);
    expect(kills).toBeGreaterThan(0);
    expect(said).toContain('somebody killed the making of the database');
    expect(said).not.toMatch(/damaged|backup/);
    expect(code).toBe(0);
  },
  MACHINE_IS_BUSY_MS,
);

const initdbs = () =>
  execFileSync('ps', ['-ww', '-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((command) => command.includes('/initdb -D') && command.includes(data))
    .map((line) => Number.parseInt(line, 10));

test('data that is damaged is named, with what to do', async () => {
  // As an installation that ran before has it.
  installationSecrets(data);
  const log = createLog({ name: 'test', level: 'silent' });
  await (await startEmbeddedPostgres({ dataRoot: data, log, syncNewData: false })).stop();
  const folder = join(data, 'postgres', 'data');
  truncateSync(join(folder, 'global', 'pg_control'), 100);
  const damaged =
    /brokerx: postgres: the data in .*postgres\/data is damaged: restore it from a backup, or move it/;
  await expectRefusal({}, damaged);
  rmSync(join(folder, 'global', 'pg_control'));
  await expectRefusal({}, damaged);
  rmSync(join(folder, 'PG_VERSION'));
  await expectRefusal({}, /is not a data folder of PostgreSQL 18: it has no PG_VERSION .*Restore it/);
});

/** Only root may mount one. */
const smallDisk = mount('size=40m');

test.runIf(smallDisk !== null)('a disk that is full is named (one is mounted for it)', async () => {
  const folder = join(smallDisk ?? '', 'data');
  await expectRefusal(
    { folder },
    /brokerx: postgres: the disk that holds .*data is full: free some space\. \d+ MB are free, 128 MB are needed/,
  );
  unmount(smallDisk ?? '');
});

const readOnlyDisk = mount('ro,size=1m');

test.runIf(readOnlyDisk !== null)(
  'a disk that cannot be written is named (one is mounted for it)',
  async () => {
    await expectRefusal(
      { folder: readOnlyDisk ?? '' },
      /cannot be used: it is not writable.*Choose another folder/,
    );
    unmount(readOnlyDisk ?? '');
  },
);

function mount(options: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-mount-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  if (status === 0) return folder;
  rmdirSync(folder);
  return null;
}

function unmount(folder: string): void {
  spawnSync('umount', ['--lazy', folder], { stdio: 'ignore' });
  rmdirSync(folder);
}
