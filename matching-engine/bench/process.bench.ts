import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { bookStream, type Event, eventCodec, mintId } from '@brokerx/contracts';
import { createLog, NO_STREAM, postgresEventStore, realRuntime } from '@brokerx/infra';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { startTemporaryPostgres } from '@brokerx/infra/servers/temporaryPostgres.ts';
import { workload } from '../sim/workload.ts';

/**
 * The whole engine process on a PostgreSQL of its own: inputs arrive at a steady rate, and the processor time that the
 * engine takes for each is told, start-up left out: `node matching-engine/bench/process.bench.ts [inputs a second]`.
 */
const RATE = wholeNumber(1)(process.argv[2] ?? '1500');
const SECONDS = 8;
const TICK_MS = 10;

const runtime = realRuntime;
const postgres = await startTemporaryPostgres(createLog({ name: 'bench', level: 'warn' }));
const store = await postgresEventStore<Event>({ databaseUrl: postgres.url, codec: eventCodec(), runtime });
const port = await freePort();
const env = { DATABASE_URL: postgres.url, HEALTH_PORT: String(port), LOG_LEVEL: 'warn' };
const main = new URL('../src/main.ts', import.meta.url).pathname;
const child = spawn(process.execPath, [...process.execArgv, main], { env, stdio: 'inherit' });

const revisions = new Map<string, number>();
const inputs = workload(1, 'BENCH');
await send(2_000);
await settled();
const begin = await cpuSeconds();
const beginMs = performance.now();
for (let sent = 0; sent < RATE * SECONDS; ) {
  const due = Math.min(RATE * SECONDS, Math.floor(((performance.now() - beginMs) * RATE) / 1_000));
  if (due > sent) await send(due - sent);
  sent = due;
  await delay(TICK_MS);
}
await settled();
const elapsedSeconds = (performance.now() - beginMs) / 1_000;
const micros = Math.round((((await cpuSeconds()) - begin) / (RATE * SECONDS)) * 1_000_000);
const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const appends = Number(/^brokerx_engine_append_seconds_count\{.*\} (\S+)$/m.exec(text)?.[1]);
process.stdout.write(
  `${JSON.stringify({ rate: RATE, elapsedSeconds, cpuMicrosPerInput: micros, commits: appends })}\n`,
);
child.kill('SIGTERM');
await once(child, 'exit');
await store.close();
await postgres.stop();

/** Appends inputs as command-api would: one commit each, many in a call. */
async function send(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 500) {
    const commits = [...inputsOf(Math.min(left, 500))].map((event) => {
      const stream = `${event.type.startsWith('Order') ? 'account' : 'market'}-bench`;
      const expectedRevision = revisions.get(stream) ?? NO_STREAM;
      revisions.set(stream, expectedRevision + 1);
      return {
        id: mintId(runtime),
        stream,
        expectedRevision,
        chained: true,
        symbol: 'BENCH',
        events: [event],
      };
    });
    await store.append(commits);
  }
}

function* inputsOf(count: number): Generator<Event> {
  for (let i = 0; i < count; i++) yield inputs.next().value.event;
}

/** Waits until the book has been quiet for a while. */
async function settled(): Promise<void> {
  for (let before = -2; ; ) {
    const revision = await store.streamRevision(bookStream('BENCH'));
    if (revision === before && revision > 0) return;
    before = revision;
    await delay(400);
  }
}

async function cpuSeconds(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^process_cpu_seconds_total\{.*\} (\S+)$/m.exec(text)?.[1]);
}
