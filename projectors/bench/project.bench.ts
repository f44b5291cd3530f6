import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventCodec } from '@brokerx/contracts';
import { createLog, openPool, postgresEventStore, realRuntime as runtime } from '@brokerx/infra';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { startTemporaryPostgres } from '@brokerx/infra/servers/temporaryPostgres.ts';
import { allProjections } from '../src/tables/allProjections.ts';
import { makeHistory } from '../test/history.ts';

/**
 * What projecting costs: all table projections and market data in their own process, PostgreSQL's part included
 * (Linux only: CPU times come from /proc). First live, at a given rate, then from the beginning.
 *
 *   node projectors/bench/project.bench.ts [orders] [orders a second]
 */
const [orders = 20_000, perSecond = 1_500] = process.argv.slice(2).map(wholeNumber(1));
const log = createLog({ name: 'bench', level: 'warn' });
const postgres = await startTemporaryPostgres(log);
const store = await postgresEventStore({ databaseUrl: postgres.url, codec: eventCodec(), runtime, log });
const pool = openPool({ databaseUrl: postgres.url, max: 2, applicationName: 'bench', log });
const history = makeHistory({ seed: 1, orders, accounts: 150, symbols: 5 });
const events = history.commits.reduce((sum, commit) => sum + commit.events.length, 0);
console.log(`${orders} orders, ${history.commits.length} commits, ${events} events`);

const project = () => {
  const env = { ...process.env, DATABASE_URL: postgres.url, BROKERX_INSTANCE: 'bench', LOG_LEVEL: 'warn' };
  const args = [...process.execArgv, fileURLToPath(new URL('../src/main.ts', import.meta.url))];
  return spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
};
const reached = async (position: number) => {
  for (;;) {
    const { rows } = await pool
      .query('select count(*)::int as there from read.projection where position >= $1', [position])
      .catch(() => ({ rows: [{ there: 0 }] }));
    if (rows[0]?.there === allProjections().length) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
/** Seconds of CPU of a process: user and system, in hundredths. */
const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
/** CPU of the server's processes that work for the projectors, by task. */
const serverCpu = async (): Promise<Map<string, number>> => {
  const { rows } = await pool.query<{ pid: number; what: string }>(
    `select pid, coalesce(nullif(application_name, ''), backend_type) as what from pg_stat_activity where pid <> pg_backend_pid()`,
  );
  const sums = new Map<string, number>();
  for (const { pid, what } of rows) sums.set(what, (sums.get(what) ?? 0) + cpuSeconds(pid));
  return sums;
};
const measured = async (title: string, child: ReturnType<typeof project>, work: () => Promise<void>) => {
  const before = await serverCpu();
  const cpuBefore = cpuSeconds(child.pid ?? 0);
  const startedMs = performance.now();
  await work();
  const seconds = (performance.now() - startedMs) / 1000;
  const own = cpuSeconds(child.pid ?? 0) - cpuBefore;
  const micros = (s: number) => Math.round((s * 1e6) / orders);
  console.log(`${title}: ${seconds.toFixed(1)} s, ${Math.round(events / seconds)} events/s`);
  console.log(`  projectors ${micros(own)} µs of CPU an order`);
  for (const [what, total] of [...(await serverCpu())].sort()) {
    const spent = micros(total - (before.get(what) ?? 0));
    if (spent > 0) console.log(`  postgres: ${what} ${spent}`);
  }
};

const setUp = history.commits.findIndex(({ events: [event] }) => event?.type === 'OrderPlaced.v1');
await store.append(history.commits.slice(0, 450));
let child = project();
await reached((await store.head()) - 0);
await measured(`live at ${perSecond} orders/s`, child, async () => {
  const rest = history.commits.slice(450);
  const perTick = (rest.length / orders) * perSecond * 0.01;
  const startedMs = performance.now();
  for (let done = 0; done < rest.length; ) {
    const due = Math.min(rest.length, Math.floor(((performance.now() - startedMs) / 10) * perTick));
    while (done < due) {
      await store.append(rest.slice(done, Math.min(due, done + 500)));
      done = Math.min(due, done + 500);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await reached(await store.head());
});
child.kill();
await once(child, 'exit');

await pool.query('delete from read.projection');
child = project();
await measured('from the beginning, start of the process included', child, async () =>
  reached(await store.head()),
);
child.kill();
await once(child, 'exit');
console.log(`(${setUp} commits before the first order)`);
await Promise.all([pool.end(), store.close()]);
await postgres.stop();
