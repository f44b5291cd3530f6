import { parseArgs } from 'node:util';
import { eventStoreDb } from '../src/eventStore/eventStore.eventstoredb.ts';
import { circumstances } from '../src/runtime/benchEnvironment.ts';
import { realRuntime } from '../src/runtime/runtime.ts';
import { codec, events } from './orderNotes.ts';
import { appendCalls, pagesBack, readWhole, SHAPES, type Step, timed } from './storeShapes.ts';

const HELP = `
EVENTSTORE_URL=esdb://… npm run bench:eventstoredb -- [--seconds N] [--seed N] [--json] [--help]

Measures the event store on EventStoreDB or KurrentDB: events appended and read each second, and what they cost this
process, for the same shapes of a call as bench:store. It appends to streams of its own and removes nothing: give it
a server to throw away, and an empty one, for it reads everything that is there.

  --seconds N   seconds for each row (default 2)
  --seed N      of the events' texts (default 1)
  --json        the last line is one JSON object

What it does not show: what the server costs, many appenders contending, a network, projections beside it.
`;

const { values: given } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function bench(url: string, seconds: number, seed: number): Promise<void> {
  const store = await eventStoreDb({ url, codec, runtime: realRuntime });
  const about = { ...circumstances(seed), seconds };
  console.log(
    Object.entries(about)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );
  console.log(`\n${line(['commits × events', 'events/s', 'Node µs'])}`);
  const rows: { name: string; eventsPerSecond: number; nodeMicrosPerEvent: number }[] = [];
  const measure = async (name: string, step: Step) => {
    await step();
    const before = process.cpuUsage();
    const done = await timed(seconds * 1_000, step);
    const { user, system } = process.cpuUsage(before);
    const row = {
      name,
      eventsPerSecond: Math.round((done.events / done.ms) * 1_000),
      nodeMicrosPerEvent: Math.round(((user + system) / done.events) * 10) / 10,
    };
    rows.push(row);
    console.log(line(Object.values(row).map((value) => value.toLocaleString('en'))));
  };
  const eventOf = events(seed);
  const before = await readWhole(store);
  let appended = 0;
  for (const shape of SHAPES) {
    // Streams of this run alone.
    const caller = appendCalls(store, { ...shape, name: `${shape.name} ${realRuntime.nowMs()}` }, eventOf);
    await measure(shape.name, caller);
    appended += caller.appended();
  }
  await measure('reading back', pagesBack(store));
  const ok = (await readWhole(store)) === before + appended;
  console.log(ok ? `\n${appended} events appended, and as many read back.` : '\nEVENTS ARE MISSING');
  if (given.json) console.log(JSON.stringify({ ok, ...about, rows }));
  await store.close();
  if (!ok) process.exitCode = 1;
}

const line = (cells: string[]) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(14))).join('');

const url = process.env.EVENTSTORE_URL;
if (given.help || !url) console.log(HELP);
else await bench(url, Number(given.seconds), Number(given.seed));
