import { Command } from 'commander';
import { eventStoreDb } from '../src/eventStore/eventStore.eventstoredb.ts';
import { benchEnvironment } from '../src/runtime/benchEnvironment.ts';
import { realRuntime } from '../src/runtime/runtime.ts';
import { usageExit } from '../src/runtime/usageExit.ts';
import { wholeNumber } from '../src/runtime/wholeNumber.ts';
import { codec, events } from './orderNotes.ts';
import { appendCalls, pagesBack, readWhole, SHAPES, type Step, timed } from './storeShapes.ts';

const WHAT = `Measures the event store on EventStoreDB or KurrentDB: events appended and read each second, and what they cost this
process, for the same shapes of a call as bench:store. It appends to streams of its own and removes nothing: give it
a server to throw away, and an empty one, for it reads everything that is there. EVENTSTORE_URL names the server.`;
const SHOWS = `
What it does not show: what the server costs, many appenders contending, a network, projections beside it.`;

async function bench(url: string, { seconds, seed, json }: BenchOptions): Promise<void> {
  const store = await eventStoreDb({ url, codec, runtime: realRuntime });
  const about = { ...benchEnvironment(seed), seconds };
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
  if (json) console.log(JSON.stringify({ ok, ...about, rows }));
  await store.close();
  if (!ok) process.exitCode = 1;
}

const line = (cells: string[]) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(14))).join('');

type BenchOptions = { seconds: number; seed: number; json: boolean };

const program: Command = new Command('bench:eventstoredb')
  .exitOverride(usageExit)
  .description(WHAT)
  .option('--seconds <n>', 'seconds for each row', wholeNumber(1), 2)
  .option('--seed <n>', 'of the events’ texts', wholeNumber(0), 1)
  .option('--json', 'the last line is one JSON object', false)
  .addHelpText('after', SHOWS)
  .parse();
const url = process.env.EVENTSTORE_URL;
if (!url) {
  program.error(
    'error: EVENTSTORE_URL is not set. Set it to a server to throw away, such as esdb://127.0.0.1:2113?tls=false',
  );
}
await bench(url, program.opts<BenchOptions>());
