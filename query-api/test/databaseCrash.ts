import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Event,
  eventCodec,
  formatPosition,
  marketStream,
  mintId,
  parsePosition,
  seal,
} from '@brokerx/contracts';
import { symbolListed, symbolRules } from '@brokerx/contracts/testing/facts.ts';
import {
  type Appender,
  type EventStore,
  groupCommit,
  mayFail,
  NO_STREAM,
  openPool,
  postgresEventStore,
  realRuntime as runtime,
} from '@brokerx/infra';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@brokerx/infra/servers/embeddedPostgres.ts';
import { expect } from 'vitest';
import { CAUSE } from './queryApi.ts';

/**
 * Projectors and query-api as processes over a PostgreSQL of which a backend, or the whole server, is killed again and
 * again while some write and read at once what they have written.
 */
const script = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const WRITERS = 4;
/** What was told a moment ago is asked for again: that is what a crash takes back. */
const LATEST = 20;

let folder: string;
let server: EmbeddedPostgres;
let store: EventStore<Event>;
let appender: Appender<Event>;
let url: string;
const processes: ChildProcess[] = [];

const startServer = () =>
  startEmbeddedPostgres({
    dataRoot: folder,
    log: createLog({ name: 'crash-test', level: 'silent' }),
    syncNewData: false,
    settings: { shared_buffers: '32MB' },
  });

export async function startAll(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-crash-'));
  server = await startServer();
  store = await postgresEventStore({ databaseUrl: server.url, codec: eventCodec(), runtime });
  appender = groupCommit(store, { runtime });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    DATABASE_URL: server.url,
    QUERY_API_PORT: String(port),
    LOG_LEVEL: 'fatal',
  };
  for (const main of ['projectors/src/main.ts', 'query-api/src/main.ts']) {
    processes.push(spawn(process.execPath, [script(main)], { env, stdio: ['ignore', 'ignore', 'inherit'] }));
  }
}
export async function stopAll(): Promise<void> {
  for (const running of processes) {
    running.kill('SIGKILL');
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
  }
  await appender.close();
  await store.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** What was told once is never answered by something older, whatever of PostgreSQL is killed, and however often. */
export async function expectNothingOlder(kills: { backend: number; server: number }): Promise<void> {
  /** Symbols that a 200 has shown, the newest last. */
  const told: string[] = [];
  let toldPosition = 0;
  let answers = 0;
  const wrong: string[] = [];
  let stopping = false;

  /** One question; true when it was answered with 200. An answer may be late or refused, but never old. */
  const ask = async (symbol: string, min: number | null): Promise<boolean> => {
    const floor = toldPosition;
    const query = min === null ? '' : `?min_position=${formatPosition({ storeId: store.id, position: min })}`;
    const reply = await mayFail(fetch(`${url}/v1/symbols/${symbol}${query}`), 'no answer is no old answer');
    if (!reply) return false;
    await reply.arrayBuffer();
    if (reply.status === 503) return false;
    const position = parsePosition(reply.headers.get('x-brokerx-position') ?? '')?.position ?? -1;
    answers += 1;
    if (reply.status !== 200)
      wrong.push(`${symbol} was written at ${min} and is ${reply.status} at ${position}`);
    if (position < floor) wrong.push(`${symbol}: ${position} was told after ${floor}`);
    toldPosition = Math.max(toldPosition, position);
    return reply.status === 200;
  };
  const write = async (writer: number) => {
    for (let i = 0; !stopping; i++) {
      const symbol = `W${writer}N${i}`;
      const position = await list(symbol);
      while (!stopping && !(await ask(symbol, position)));
      told.push(symbol);
      for (const earlier of told.slice(-LATEST)) if (!stopping) await ask(earlier, null);
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));

  const goesOn = async () => {
    const before = told.length;
    await expect.poll(() => told.length, { interval: 20 }).toBeGreaterThan(before + WRITERS);
  };
  try {
    await goesOn();
    for (let count = 0; count < kills.backend; count++) {
      await killBackend(server.url);
      await goesOn();
    }
    for (let count = 0; count < kills.server; count++) {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      server = await startServer();
      await goesOn();
    }
  } finally {
    stopping = true;
    await writing;
  }

  expect(wrong).toEqual([]);
  expect(answers).toBeGreaterThan(kills.backend * WRITERS);
  expect(processes.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
    [null, null],
    [null, null],
  ]);
}

/** Ends one of the server's own processes as a fault would: the server throws out everybody and recovers. */
async function killBackend(databaseUrl: string): Promise<void> {
  const pool = openPool({ databaseUrl, max: 1, applicationName: 'killer' });
  try {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`,
    );
    expect(rows).toHaveLength(1);
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    // The killer's own connection goes with all others.
    await expect
      .poll(() =>
        pool.query('select 1').then(
          () => 'stands',
          () => 'gone',
        ),
      )
      .toBe('gone');
  } finally {
    await pool.end();
  }
}

/** Lists a symbol, once, however often the server goes meanwhile; gives the position. */
async function list(symbol: string): Promise<number> {
  const id = mintId(runtime);
  const events = seal(id, CAUSE, [
    symbolListed({ symbol, name: symbol, rules: symbolRules({ listingTicks: 3_000, feePpm: 500 }) }),
  ]) as Event[];
  const commit = {
    id,
    stream: marketStream(symbol),
    expectedRevision: NO_STREAM,
    chained: false,
    symbol: null,
    events,
  };
  const verdict = await appender.append(commit);
  if (!('position' in verdict)) throw new Error(`the append was answered ${verdict.verdict}`);
  return verdict.position;
}
