import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { freePort, LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { kafkaBroker } from '@brokerx/infra/servers/kafkaBroker.ts';
import { hasRedisServer, startTemporaryRedis } from '@brokerx/infra/servers/temporaryRedis.ts';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';

/**
 * What a whole installation writes while a server is killed: in each process that speaks to it, one outage is one warning
 * and one line of its end, of every kind of server, and there is nothing else beside them.
 */
const ROOT = resolve(import.meta.dirname, '../../../..');
const { PATH, NODE_COMPILE_CACHE } = process.env;
const MACHINE_IS_BUSY_MS = 180_000;
const patiently = { timeout: 90_000, interval: 50 };
const jars = inject('kafkaJars') ?? '';
const ALL = ['command-api', 'matching-engine', 'projectors', 'query-api'];

/** `processes`: those that speak to it while nobody trades. */
const KINDS = {
  Redis: { shown: 'Redis', processes: ['command-api', 'projectors', 'query-api'], isHere: hasRedisServer() },
  Kafka: { shown: 'Kafka', processes: ['projectors'], isHere: jars !== '' },
  EventStoreDB: { shown: 'EventStoreDB', processes: ALL, isHere: true },
  mail: { shown: 'The mail server', processes: ['command-api'], isHere: true },
  PostgreSQL: { shown: 'PostgreSQL', processes: ALL, isHere: true },
};
type Kind = keyof typeof KINDS;
const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind].isHere);

type Outside = { variable: string; address: string; kill(): Promise<void>; start(): Promise<void> };
type Line = {
  level: string;
  msg: string;
  service?: string;
  reason?: string;
  err?: object;
  commandUrls?: string[];
};

const data = mkdtempSync(join(tmpdir(), 'brokerx-outage-'));
const outside = new Map<Kind, Outside>();
const ends: (() => Promise<void>)[] = [];
const lines: Line[] = [];
let commandUrl = '';

beforeAll(async () => {
  if (KINDS.Redis.isHere) outside.set('Redis', await redis());
  if (KINDS.Kafka.isHere) outside.set('Kafka', await kafka());
  outside.set('EventStoreDB', await eventStoreDb());
  outside.set('mail', await mailServer());
  const env = Object.fromEntries([...outside.values()].map(({ variable, address }) => [variable, address]));
  const main = join(import.meta.dirname, 'main.ts');
  const args = [main, 'start', '--no-traders', '--json-logs', '--ports', 'free', '--data', data];
  const child = spawn(process.execPath, args, {
    env: { PATH, NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  ends.push(() => ended(child, 'SIGTERM'));
  let rest = '';
  child.stderr.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((part) => JSON.parse(part) as Line));
  });
  await vi.waitFor(() => expect(said(/^BrokerX is ready$/)).toHaveLength(1), patiently);
  commandUrl = said(/^BrokerX is ready$/)[0]?.commandUrls?.[0] ?? '';
  // The relay and the market data are there when they say so; from then on all of them speak to their servers.
  if (KINDS.Kafka.isHere) await vi.waitFor(() => expect(said(/^the relay works/)).toHaveLength(1), patiently);
}, MACHINE_IS_BUSY_MS);
afterAll(async () => {
  for (const end of ends.toReversed()) await end();
  rmSync(data, { recursive: true, force: true });
}, MACHINE_IS_BUSY_MS);

const said = (text: RegExp, service?: string) =>
  lines.filter((line) => text.test(line.msg) && (service === undefined || line.service === service));

test.for(kinds)('%s is killed and starts again', { timeout: MACHINE_IS_BUSY_MS }, async (kind) => {
  const { shown, processes } = KINDS[kind];
  const { kill, start } = outside.get(kind) ?? embedded();
  const [away, back] = ['is away: until it answers, ', 'answers again after '].map(
    (text) => new RegExp(`^${shown} \\(${LOOPBACK}:\\d+\\) ${text}`),
  ) as [RegExp, RegExp];
  lines.length = 0;
  await kill();
  if (kind === 'mail') await register();
  // A database is back at once; what is told of it is told by then.
  const silent = () => processes.filter((service) => said(away, service).length === 0);
  await expect.poll(silent, patiently).toEqual([]);
  await start();
  await expect
    .poll(() => processes.filter((service) => said(back, service).length === 0), patiently)
    .toEqual([]);

  const told = lines.filter(({ service = '' }) => ALL.includes(service));
  expect(told.filter(({ err }) => err !== undefined)).toEqual([]);
  for (const service of ALL) {
    const here = processes.includes(service);
    expect(said(back, service), service).toHaveLength(here ? 1 : 0);
    const warnings = told.filter((line) => line.service === service && line.level !== 'info');
    const warning = { level: 'warn', msg: expect.stringMatching(away), reason: expect.stringMatching(/\S/) };
    expect(warnings, service).toEqual(here ? [expect.objectContaining(warning)] : []);
  }
});

const quiet = createLog({ name: 'test', level: 'silent' });

async function redis(): Promise<Outside> {
  const { url, kill, start, stop } = await startTemporaryRedis();
  ends.push(stop);
  return { variable: 'REDIS_URL', address: url, kill, start };
}

async function kafka(): Promise<Outside> {
  const broker = await kafkaBroker({ libs: jars, log: quiet });
  ends.push(broker.remove);
  await broker.start();
  return { variable: 'KAFKA_BROKERS', address: broker.address, kill: broker.kill, start: broker.start };
}

async function eventStoreDb(): Promise<Outside> {
  const port = await freePort();
  const args = [String(port), join(data, 'events.log')];
  const server = await program('infra/test/eventStoreDbServerMain.ts', args, {});
  return { variable: 'EVENTSTORE_URL', address: `esdb://${LOOPBACK}:${port}?tls=false`, ...server };
}

async function mailServer(): Promise<Outside> {
  const [port, pagePort] = [await freePort(), await freePort()];
  const env = { INBOX_SMTP_PORT: String(port), INBOX_PORT: String(pagePort), BROKERX_MODE: 'development' };
  const server = await program('command-api/src/mail/main.ts', [], env);
  return { variable: 'SMTP_URL', address: `smtp://${LOOPBACK}:${port}`, ...server };
}

/** A program of this repository that says one line when it is ready. */
async function program(script: string, args: readonly string[], env: Record<string, string>) {
  let child: ChildProcess | undefined;
  const start = async () => {
    child = spawn(process.execPath, [join(ROOT, script), ...args], {
      env: { PATH, NODE_COMPILE_CACHE, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    if (child.stdout) await once(child.stdout, 'data');
  };
  const kill = async () => {
    if (child) await ended(child, 'SIGKILL');
  };
  await start();
  ends.push(kill);
  return { start, kill };
}

/** The supervisor starts its database again. */
function embedded(): Pick<Outside, 'kill' | 'start'> {
  const postmaster = () =>
    (JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as { pids: { postgres?: number } }).pids
      .postgres;
  const killed = postmaster() ?? 0;
  return {
    kill: async () => void process.kill(killed, 'SIGKILL'),
    start: async () => void (await expect.poll(postmaster, patiently).not.toBe(killed)),
  };
}

/** Registers somebody, so that a mail is sent. */
async function register(): Promise<void> {
  const reply = await fetch(`${commandUrl}/v1/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify({
      name: 'Ann',
      address: '1 Main Street',
      birth_date: '1990-01-31',
      email: 'ann@example.com',
      phone: '+15145550101',
      password: 'a long pass phrase',
    }),
  });
  expect(reply.status).toBe(202);
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
