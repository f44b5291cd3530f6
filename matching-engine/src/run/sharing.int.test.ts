import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Event, eventCodec, SHARDS, shardOf } from '@brokerx/contracts';
import { type EventStore, mayFail, postgresEventStore, realRuntime } from '@brokerx/infra';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { workload } from '../../sim/workload.ts';
import { bookOf, expectedOutputs, outputsOf, plant } from '../../test/process.ts';

/** Several real engine processes on one real PostgreSQL: they come, go, die and sleep, and the books stay whole. */
vi.setConfig({ testTimeout: 180_000 });
const WAIT = { timeout: 100_000, interval: 20 };

let database: Awaited<ReturnType<typeof freshDatabase>>;
let store: EventStore<Event>;
const engines = new Map<string, { child: ChildProcess; port: number }>();

beforeEach(async () => {
  database = await freshDatabase();
  store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime: realRuntime });
});
afterEach(async () => {
  await Promise.all([...engines.keys()].map((name) => end(name, 'SIGKILL')));
  await store.close();
  await database.drop();
});

test('killed, asleep, joined by a third, and with a symbol listed meanwhile: every input is answered once', async () => {
  // Two in each half of the shards.
  const symbols = ['ACME', 'BOLT', 'CORE'];
  expect(symbols.map(shardOf)).toEqual(['15', '6', '14']);
  const inputs = new Map([...symbols, 'DUNE'].map((symbol, i) => [symbol, workload(i, symbol)]));
  const plantSome = async (of: readonly string[]) => {
    for (const symbol of of) await plant(store, inputs.get(symbol)?.take(25) ?? []);
  };

  await start('engine-1');
  await start('engine-2');
  await plantSome(symbols);
  await shares(8, 8);
  await plantSome(symbols);
  await answered(symbols);

  await plantSome(symbols);
  await end('engine-2', 'SIGKILL');
  await plantSome(symbols);
  await answered(symbols);
  await shares(16);

  await start('engine-2');
  await start('engine-3');
  await shares(5, 5, 6);
  symbols.push('DUNE');
  await plantSome(symbols);
  await answered(symbols);

  const sleeper = engines.get('engine-1');
  sleeper?.child.kill('SIGSTOP');
  await plantSome(symbols);
  await answered(symbols);
  sleeper?.child.kill('SIGCONT');
  await plantSome(symbols);
  await shares(5, 5, 6);
  await plantSome(symbols);
  await answered(symbols);
  expect(sleeper?.child.exitCode).toBeNull();

  for (const symbol of symbols) {
    const epochs = (await bookOf(store, symbol)).flatMap(({ event }) =>
      event.type === 'EngineStarted.v1' ? [event.data.epoch] : [],
    );
    expect(epochs, `${symbol} was never taken over twice in one tenure`).toEqual(
      [...new Set(epochs)].sort((a, b) => a - b),
    );
  }
  for (const name of engines.keys()) expect(await end(name, 'SIGTERM')).toBe(0);
});

async function start(name: string): Promise<void> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], {
    env: {
      DATABASE_URL: database.url,
      LOG_LEVEL: 'fatal',
      BROKERX_INSTANCE: name,
      HEALTH_PORT: String(port),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  engines.set(name, { child, port });
  await vi.waitUntil(async () => (await shardsOf(port)) !== null, WAIT);
}

/** Waits until the engines that run have so many shards each, the fewest first, and all of them together. */
async function shares(...expected: number[]): Promise<void> {
  await vi.waitFor(async () => {
    const counts = await Promise.all(Array.from(engines.values(), ({ port }) => shardsOf(port)));
    expect(counts.toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(expected);
  }, WAIT);
  expect(expected.reduce((sum, count) => sum + count, 0)).toBe(SHARDS.length);
}

async function shardsOf(port: number): Promise<number | null> {
  const asked = fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(1_000) });
  const reply = await mayFail(asked, 'it may have been killed or put to sleep');
  const shown = /^brokerx_engine_shards\{.*\} (\d+)$/m.exec((await reply?.text()) ?? '')?.[1];
  return shown === undefined ? null : Number(shown);
}

/** Waits until every book says what its inputs give, nothing more and nothing less. */
async function answered(symbols: readonly string[]): Promise<void> {
  for (const symbol of symbols) {
    const expected = await expectedOutputs(store, symbol);
    await vi.waitUntil(async () => (await outputsOf(store, symbol)).length >= expected.length, WAIT);
    expect(await outputsOf(store, symbol)).toEqual(expected);
  }
}

/** Its exit code, or null when a signal ended it. */
async function end(name: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  const child = engines.get(name)?.child;
  engines.delete(name);
  if (child && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child?.exitCode ?? null;
}
