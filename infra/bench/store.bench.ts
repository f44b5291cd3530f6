import { Command } from 'commander';
import type pg from 'pg';
import { postgresEventStore } from '../src/eventStore/eventStore.postgres.ts';
import { openPool } from '../src/postgres/postgres.ts';
import { benchEnvironment } from '../src/runtime/benchEnvironment.ts';
import { createLog } from '../src/runtime/log.ts';
import { realRuntime } from '../src/runtime/runtime.ts';
import { usageExit } from '../src/runtime/usageExit.ts';
import { wholeNumber } from '../src/runtime/wholeNumber.ts';
import { startTemporaryPostgres } from '../src/servers/temporaryPostgres.ts';
import { codec, events, type OrderNote } from './orderNotes.ts';
import {
  appendCalls,
  pagesBack,
  READ_PAGE_EVENTS,
  readWhole,
  SHAPES,
  type Shape,
  type Step,
  timed,
} from './storeShapes.ts';
import { freshDatabaseIn, postgresCpuMicros, version } from './surroundings.ts';

const WHAT = `Measures the PostgreSQL event store: events appended and read each second, for several shapes of a call, each
beside a raw limit taken in turns with it: one INSERT of the same text into a table with a primary key and nothing
else. Runs against the database of DATABASE_URL (a fresh database in it), or else a temporary PostgreSQL.`;
const SHOWS = `
What it does not show: many appenders contending, a network between client and server, readers and projections
beside it, checkpoints and vacuum of a large store, power loss. Disks differ; compare ratios, not figures.`;

/** Store and raw limit take turns, so that what else the machine does meets both. */
const TURNS = 4;

type BenchOptions = { seconds: number; seed: number; json: boolean };

type Row = {
  name: string;
  eventsPerSecond: number;
  rawEventsPerSecond: number;
  ratio: number;
  nodeMicrosPerEvent: number;
  postgresMicrosPerEvent: number | null;
};

async function bench({ seconds, seed, json }: BenchOptions): Promise<void> {
  const server = process.env.DATABASE_URL
    ? await freshDatabaseIn(process.env.DATABASE_URL)
    : await startTemporaryPostgres(createLog({ name: 'bench', level: 'warn' }));
  try {
    const pool = openPool({ databaseUrl: server.url, max: 1, applicationName: 'brokerx raw limit' });
    const store = await postgresEventStore({ databaseUrl: server.url, codec, runtime: realRuntime });
    const about = { ...benchEnvironment(seed), postgres: await version(pool), seconds };
    console.log(
      Object.entries(about)
        .map(([name, value]) => `${name}: ${value}`)
        .join('\n'),
    );
    console.log(
      `\n${line(['commits × events', 'events/s', 'raw limit', 'ratio', 'Node µs', 'PostgreSQL µs'])}`,
    );
    await pool.query(
      `create table raw_limit (place bigint generated always as identity primary key, body text);
       alter table raw_limit alter column body set storage external`,
    );
    const eventOf = events(seed);
    const rows: Row[] = [];
    let appended = 0;
    for (const shape of SHAPES) {
      const caller = appendCalls(store, shape, eventOf);
      rows.push(
        report(shape.name, await inTurns(seconds, caller, rawInserts(pool, shape, eventOf), server.pid)),
      );
      appended += caller.appended();
    }
    const reader = pagesBack(store);
    rows.push(report('reading back', await inTurns(seconds, reader, rawPages(pool), server.pid)));
    const ok = (await store.head()) === appended && (await readWhole(store)) === appended;
    console.log(ok ? `\n${appended} events appended, and as many read back.` : '\nEVENTS ARE MISSING');
    console.log('One appender at a time, no network, an otherwise idle store; see --help.');
    await Promise.all([store.close(), pool.end()]);
    if (json) console.log(JSON.stringify({ ok, ...about, rows }));
    if (!ok) process.exitCode = 1;
  } finally {
    await server.stop();
  }
}

/** Runs both, in turns, for `seconds` each; every step tells how many events it did. */
async function inTurns(seconds: number, step: Step, raw: Step, postmaster: number | null) {
  const total = { events: 0, ms: 0, nodeMicros: 0, postgresMicros: 0 };
  const rawTotal = { events: 0, ms: 0 };
  await step();
  await raw();
  for (let turn = 0; turn < TURNS; turn++) {
    const before = { node: process.cpuUsage(), postgres: postgresCpuMicros(postmaster) };
    const own = await timed((seconds * 1_000) / TURNS, step);
    const node = process.cpuUsage(before.node);
    total.events += own.events;
    total.ms += own.ms;
    total.nodeMicros += node.user + node.system;
    total.postgresMicros += (postgresCpuMicros(postmaster) ?? 0) - (before.postgres ?? 0);
    const limit = await timed((seconds * 1_000) / TURNS, raw);
    rawTotal.events += limit.events;
    rawTotal.ms += limit.ms;
  }
  return { total, rawTotal, knowsPostgres: postgresCpuMicros(postmaster) !== null };
}

function report(name: string, { total, rawTotal, knowsPostgres }: Awaited<ReturnType<typeof inTurns>>): Row {
  const perSecond = ({ events, ms }: { events: number; ms: number }) => Math.round((events / ms) * 1_000);
  const perEvent = (micros: number) => Math.round((micros / total.events) * 10) / 10;
  const row = {
    name,
    eventsPerSecond: perSecond(total),
    rawEventsPerSecond: perSecond(rawTotal),
    ratio: Math.round((perSecond(total) / perSecond(rawTotal)) * 100) / 100,
    nodeMicrosPerEvent: perEvent(total.nodeMicros),
    postgresMicrosPerEvent: knowsPostgres ? perEvent(total.postgresMicros) : null,
  };
  console.log(line(Object.values(row).map((value) => (value === null ? '–' : value.toLocaleString('en')))));
  return row;
}

const line = (cells: string[]) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(14))).join('');

function rawInserts(pool: pg.Pool, { commits, events }: Shape, eventOf: () => OrderNote): Step {
  return async () => {
    const bodies = Array.from({ length: commits }, () =>
      codec.encode(Array.from({ length: events }, eventOf)),
    );
    await pool.query({
      name: 'raw_insert',
      text: 'insert into raw_limit (body) select b from unnest(string_to_array($1, chr(30))) as b',
      values: [bodies.join('\x1e')],
    });
    return commits * events;
  };
}

/** The same rows as text, neither parsed nor placed. */
function rawPages(pool: pg.Pool): Step {
  let after = 0;
  return async () => {
    const { rows } = await pool.query<{ last_position: string; events: number }>({
      name: 'raw_pages',
      text: `select last_position, events, body from store.commit
              where last_position > $1 and last_position <= $1 + ${READ_PAGE_EVENTS} order by last_position`,
      values: [after],
    });
    after = Number(rows.at(-1)?.last_position ?? 0);
    return rows.reduce((sum, { events }) => sum + events, 0);
  };
}

const program = new Command('bench:store')
  .exitOverride(usageExit)
  .description(WHAT)
  .option('--seconds <n>', 'seconds for each row', wholeNumber(1), 2)
  .option('--seed <n>', 'of the events’ texts', wholeNumber(0), 1)
  .option('--json', 'the last line is one JSON object', false)
  .addHelpText('after', SHOWS)
  .parse();
await bench(program.opts<BenchOptions>());
