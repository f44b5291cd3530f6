import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { bookStream, type Event, eventCodec, mintId, seal } from '@brokerx/contracts';
import { type EventStore, mayFail, postgresEventStore, realRuntime } from '@brokerx/infra';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { mulberry32 } from '../sim/random.ts';
import { workload } from '../sim/workload.ts';
import { desk, SYMBOL } from '../test/desk.ts';
import { bookOf, expectedOutputs, outputsOf, plant } from '../test/process.ts';

/** Several starts of a process, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000 });

/** The real process against a real PostgreSQL: orders arrive through the store alone. */
let database: Awaited<ReturnType<typeof freshDatabase>>;
let store: EventStore<Event>;
const processes = new Set<ChildProcess>();

beforeEach(async () => {
  database = await freshDatabase();
  store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime: realRuntime });
});
afterEach(async () => {
  await Promise.all(Array.from(processes, (child) => end(child, 'SIGKILL')));
  processes.clear();
  await store.close();
  await database.drop();
});

test('killed at any moment, again and again, it answers every input once', async () => {
  const random = mulberry32(1);
  const inputs = [...workload(1, SYMBOL).take(900)];
  for (let life = 0; life < 3; life++) {
    const child = startProcess({});
    const begun = await answered();
    await plant(store, inputs.splice(0, 100));
    await vi.waitUntil(async () => (await answered()) > begun + 40, WAIT);
    await plant(store, inputs.splice(0, random(100)));
    await end(child, 'SIGKILL');
    await plant(store, inputs.splice(0, random(50)));
  }
  startProcess({});
  await plant(store, inputs);
  const expected = await expectedOutputs(store, SYMBOL);
  await vi.waitUntil(async () => (await answered()) >= expected.length, WAIT);
  expect(await outputsOf(store, SYMBOL)).toEqual(expected);
  const starts = (await bookOf(store, SYMBOL)).filter(({ event }) => event.type === 'EngineStarted.v1');
  expect(starts.map(({ event }) => event.type === 'EngineStarted.v1' && event.data.epoch)).toEqual([
    1, 2, 3, 4,
  ]);
});

test('it says that it is ready and what it does, ends when asked to, and goes on from its snapshot', async () => {
  const port = await freePort();
  const child = startProcess({ HEALTH_PORT: String(port) });
  const get = (path: string) => mayFail(fetch(`http://127.0.0.1:${port}${path}`), 'it has not started yet');
  await plant(store, workload(2, SYMBOL).take(100));
  await vi.waitUntil(async () => (await get('/readyz'))?.ok, WAIT);
  const expected = await expectedOutputs(store, SYMBOL);
  await vi.waitUntil(async () => (await answered()) >= expected.length, WAIT);
  expect(await (await get('/readyz'))?.json()).toEqual({
    status: 'ok',
    dependencies: { disk: 'ok', shards: 'ok', [SYMBOL]: 'ok' },
  });
  const metrics = await (await get('/metrics'))?.text();
  expect(metrics).toMatch(/^brokerx_engine_markets\{service="matching-engine"\} 1$/m);
  expect(metrics).toMatch(/^brokerx_engine_broken_markets\{.*\} 0$/m);
  expect(await end(child, 'SIGTERM')).toBe(0);

  const next = startProcess({});
  await plant(store, [desk().resume()]);
  await vi.waitUntil(async () => (await answered()) >= expected.length + 1, WAIT);
  expect(await outputsOf(store, SYMBOL)).toEqual(await expectedOutputs(store, SYMBOL));
  expect(await end(next, 'SIGTERM')).toBe(0);
});

test('a market whose book was tampered with is named, and does not keep the process from being ready', async () => {
  const listing = desk().list();
  await plant(store, [listing]);
  const id = mintId(realRuntime);
  const cause = { ...listing.event, key: undefined, causationId: listing.event.id, actor: 'system:engine' };
  const events = seal(id, cause, [{ type: 'InputNoted.v1', data: {} } as const]);
  await store.append([
    { id, stream: bookStream(SYMBOL), expectedRevision: -1, chained: false, symbol: null, events },
  ]);
  await plant(store, [desk('OTHER').list()]);
  const port = await freePort();
  startProcess({ HEALTH_PORT: String(port), LOG_LEVEL: 'silent' });
  const get = () => mayFail(fetch(`http://127.0.0.1:${port}/readyz`), 'it has not started yet');
  await vi.waitUntil(async () => (await get())?.ok, WAIT);
  expect(await (await get())?.json()).toEqual({
    status: 'ok',
    dependencies: {
      disk: 'ok',
      shards: 'ok',
      [`${SYMBOL} is stopped (see the log); the process`]: 'ok',
      OTHER: 'ok',
    },
  });
});

test('a second one of another name waits for the lease', async () => {
  await plant(store, [desk().list()]);
  const first = startProcess({ BROKERX_INSTANCE: 'matching-engine-1' });
  await vi.waitUntil(async () => (await answered()) === 1, WAIT);
  startProcess({ BROKERX_INSTANCE: 'matching-engine-2' });
  expect(await end(first, 'SIGTERM')).toBe(0);
  await plant(store, [desk().halt()]);
  await vi.waitUntil(async () => (await answered()) === 2, WAIT);
  expect(await outputsOf(store, SYMBOL)).toEqual(await expectedOutputs(store, SYMBOL));
});

test('started without a database it says what is missing and exits with 2', async () => {
  const child = startProcess({ DATABASE_URL: '' }, 'pipe');
  const text = child.stderr?.setEncoding('utf8').toArray();
  expect(await once(child, 'exit')).toEqual([2, null]);
  expect((await text)?.join('')).toContain('DATABASE_URL: is not set');
});

const WAIT = { timeout: 100_000, interval: 20 };
const answered = async () => (await outputsOf(store, SYMBOL)).length;

function startProcess(env: Record<string, string>, stderr: 'inherit' | 'pipe' = 'inherit'): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { DATABASE_URL: database.url, LOG_LEVEL: 'fatal', ...env },
    stdio: ['ignore', 'ignore', stderr],
  });
  processes.add(child);
  return child;
}

/** Its exit code, or null when a signal ended it. */
async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}
