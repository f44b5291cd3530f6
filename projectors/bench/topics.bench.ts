import { readFileSync } from 'node:fs';
import { type Event, eventCodec, type Topic } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  memoryEventStore,
  memoryLeases,
  memorySnapshots,
  noTelemetry,
  realRuntime as runtime,
  storeFeed,
} from '@brokerx/infra';
import { openKafka } from '@brokerx/infra/kafka/kafka.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { kafkaBroker } from '@brokerx/infra/servers/kafkaBroker.ts';
import { kafkaJars } from '@brokerx/infra/servers/kafkaJars.ts';
import { relayMetrics } from '../src/relay/metrics.ts';
import { topicLayout } from '../src/relay/topicLayout.ts';
import { startRelay } from '../src/relay/topics.ts';
import { makeHistory } from '../test/history.ts';

/**
 * What relaying costs, the broker's part included (Linux only: its CPU time comes from /proc): a whole history from the
 * beginning, then the same live at a given rate. The store is in memory, so reading it is hardly counted.
 *
 *   node projectors/bench/topics.bench.ts [orders] [orders a second]
 */
const [orders = 20_000, perSecond = 1_500] = process.argv.slice(2).map(wholeNumber(1));
const log = createLog({ name: 'bench', level: 'error' });
const broker = await kafkaBroker({ libs: await kafkaJars(log), log });
await broker.start();
const history = makeHistory({ seed: 1, orders, accounts: 150, symbols: 5 });
const events = history.commits.reduce((sum, commit) => sum + commit.events.length, 0);
console.log(`${orders} orders, ${history.commits.length} commits, ${events} events`);

const brokerCpuMs = (): number => {
  const fields = readFileSync(`/proc/${broker.pid()}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

/** `there`: commits that are in the store when the relay starts; `append` adds the next ones. */
async function measured(
  title: string,
  there: number,
  live: (append: (to: number) => Promise<void>) => Promise<void>,
) {
  const id = crypto.randomUUID();
  const store = memoryEventStore<Event>({ id, codec: eventCodec() });
  let done = 0;
  const append = async (to: number) => {
    for (; done < to; done = Math.min(done + 500, to)) {
      await store.append(history.commits.slice(done, Math.min(done + 500, to)));
    }
  };
  const kafka = openKafka(
    { brokers: [broker.address], ssl: false, replication: 1 },
    { clientId: 'bench', log, runtime },
  );
  const feed = storeFeed({ store, runtime, log });
  const metrics = createMetrics('bench', '0');
  const names = (topic: Topic) => `${title.replaceAll(/\W/g, '-')}.${topic}`;
  await kafka.prepareTopics(topicLayout(names).topics);
  const leases = memoryLeases({ rows: new Map(), owner: 'bench', runtime });
  await append(there);
  const before = { cpu: process.cpuUsage(), broker: brokerCpuMs(), ms: performance.now() };
  const relay = startRelay({
    kafka,
    store,
    feed,
    leases,
    runtime,
    log,
    names,
    snapshots: memorySnapshots({ store }),
    metrics: relayMetrics(metrics, runtime, feed.head),
    telemetry: noTelemetry(runtime),
  });
  await live(append);
  while (relay.position() !== events) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - before.ms) / 1000;
  const { user, system } = process.cpuUsage(before.cpu);
  const text = (await metrics.scrape()).text;
  const messages = Number(/brokerx_relay_messages_total\{[^}]*\} (\d+)/.exec(text)?.[1]);
  const sends = Number(/brokerx_relay_send_seconds_count\{[^}]*\} (\d+)/.exec(text)?.[1]);
  const micros = (us: number) =>
    `${(us / messages).toFixed(1)} µs a message, ${Math.round(us / orders)} µs an order`;
  console.log(
    [
      `${title}: ${seconds.toFixed(1)} s, ${messages} messages in ${sends} requests, ${Math.round(messages / seconds)} messages/s`,
      `  relay  ${micros(user + system)}`,
      `  broker ${micros((brokerCpuMs() - before.broker) * 1000)}`,
    ].join('\n'),
  );
  await relay.stop();
  await feed.close();
  await leases.close();
}

const all = history.commits.length;
const nothing = () => Promise.resolve();
await measured('warm-up', all, nothing);
await measured('from the beginning', all, nothing);
await measured(`live at ${perSecond} orders a second`, 450, async (append) => {
  const startedMs = performance.now();
  for (let due = 450; due < all; ) {
    due = Math.min(
      all,
      450 + Math.floor(((performance.now() - startedMs) / 1000) * perSecond * (all / orders)),
    );
    await append(due);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
await broker.remove();
