import { setTimeout as delay } from 'node:timers/promises';
import { parsePosition, type views } from '@brokerx/contracts';
import { Command } from 'commander';
import type { Histogram } from 'hdr-histogram-js';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { startBareEndpoint } from './bench/bareEndpoint.ts';
import { generateLoad, type LoadResult } from './bench/loadGenerator.ts';
import { BENCH_SYMBOLS, MID_CENTS, orderBodies } from './bench/orderMix.ts';
import { type Usage, usageOf } from './bench/processUsage.ts';
import type { Api } from './client.ts';
import type { Installation } from './installation.ts';
import { type Person, registerMany } from './people.ts';
import { seededRandom } from './random.ts';
import { circumstances, EXIT, print, progress, type Row, table } from './report.ts';
import { seedStore } from './seedStore.ts';
import { openTarget, runTool, type Target, type TargetOptions, withTarget } from './target.ts';

/**
 * How many orders a second the whole of BrokerX takes on this machine, load generator included, and how quickly:
 * many clients at once, most of them on one symbol, about half of the orders trading. Beside it, as the limit, a bare
 * web server under the same load. Afterwards everything is audited: an order that is quick and wrong counts nothing.
 */
type Options = {
  clients: number;
  seconds: number;
  warmUpSeconds: number;
  rate: number;
  fastRate: number;
  bareSeconds: number;
  preload: number;
  seed: number;
  minRate: number;
  maxP95Ms: number;
};

const CASH_CENTS = 10_000_000_000;
const SHARES = 10_000_000;
const BODIES = 4_096;
const DRAIN_MAX_MS = 120_000;
const DRAIN_POLL_MS = 20;
const FUNDED_AT_ONCE = 16;
/** Every round of a history takes 20 ms of its time: a million events fit in well. */
const HISTORY_AGE_MS = 6 * 3_600_000;
const CATCH_UP_MAX_MS = 600_000;

type Measured = {
  load: LoadResult;
  /** From the last reply until every order was answered, settled and shown. */
  drainMs: number;
  cpuSeconds: Record<string, number>;
  memoryBytes: Record<string, number>;
  eventsWritten: number;
};

async function measure(target: Target, options: Options): Promise<Measured & { people: Person[] }> {
  const { api, operator, installation } = target;
  const people = await traders(target, options.clients + 1);
  const authorized = await Promise.all(
    people.map(async (person) => ({
      authorization: `Bearer ${await person.token()}`,
      accountId: person.accountId,
    })),
  );
  const fastClient = authorized.pop();
  const random = seededRandom(options.seed);
  const bodies = orderBodies(random, BODIES);
  const fast =
    fastClient && options.fastRate > 0
      ? { client: fastClient, ordersPerSecond: options.fastRate }
      : undefined;
  const run = (seconds: number) =>
    generateLoad({
      url: api.commandUrl,
      clients: authorized,
      fast,
      bodies,
      random,
      seconds,
      rate: options.rate,
    });
  const earlier = options.warmUpSeconds > 0 ? (await run(options.warmUpSeconds)).entries : [];
  const position = await headPosition(api, operator.person);
  const pids = installation
    ? { ...installation.pids(), 'load generator': process.pid }
    : { 'load generator': process.pid };
  const before = usageOf(pids);
  progress(`${options.clients} clients for ${options.seconds} s …`);
  const load = await run(options.seconds);
  const drainMs = await drained(api, operator.person, load.lastReplies);
  const after = usageOf(pids);
  load.entries = earlier.concat(load.entries);
  return {
    load,
    drainMs,
    people,
    cpuSeconds: difference(before, after),
    memoryBytes: Object.fromEntries(Object.entries(after).map(([name, usage]) => [name, usage.memoryBytes])),
    eventsWritten: (await headPosition(api, operator.person)) - position,
  };
}

/** Clients with accounts of their own and enough of everything, on symbols without bands and quotas. */
async function traders({ api, operator }: Target, count: number): Promise<Person[]> {
  for (const symbol of BENCH_SYMBOLS) {
    await operator.list({ symbol, name: 'Benchmark', listingCents: MID_CENTS });
  }
  progress(`registering ${count} clients …`);
  const people = await registerMany(api, 'bench', count);
  let next = 0;
  const worker = async () => {
    for (let person = people[next++]; person; person = people[next++]) {
      const { accountId } = person;
      await operator.exemptAccount(accountId);
      await operator.giveCash(accountId, CASH_CENTS);
      for (const symbol of BENCH_SYMBOLS) await operator.giveShares(accountId, symbol, SHARES);
    }
  };
  await Promise.all(Array.from({ length: FUNDED_AT_ONCE }, worker));
  return people;
}

/** Newest position that the query API has seen whole. */
async function headPosition(api: Api, operator: Person): Promise<number> {
  const reply = await api.raw('query', {
    path: '/v1/wallet',
    headers: { authorization: `Bearer ${await operator.token()}` },
  });
  return parsePosition(reply.headers['x-brokerx-position'] ?? '')?.position ?? 0;
}

/**
 * Waits until the last order of every connection is answered and shown. Books, settlement and projections work in
 * order, so by then everything before them is done, too.
 */
async function drained(api: Api, operator: Person, lastReplies: readonly string[]): Promise<number> {
  const begun = performance.now();
  const deadline = begun + DRAIN_MAX_MS;
  const token = await operator.token();
  for (const text of lastReplies) {
    const { id } = JSON.parse(text) as views.OrderView;
    for (;;) {
      const shown = await api.query<views.OrderView>(`/v1/orders/${id}`, { token }).catch(() => undefined);
      if (shown && shown.status !== 'pending_new') break;
      if (performance.now() > deadline)
        throw new Error(`order ${id} is ${shown?.status ?? 'not shown'} after ${DRAIN_MAX_MS} ms`);
      await delay(DRAIN_POLL_MS);
    }
  }
  return performance.now() - begun;
}

const difference = (before: Record<string, Usage>, after: Record<string, Usage>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after).map(([name, usage]) => [name, usage.cpuSeconds - (before[name]?.cpuSeconds ?? 0)]),
  );

function tradedShare({ history }: AuditResult, people: readonly Person[]): number {
  const orders = people.flatMap(({ accountId }) => history.accounts.get(accountId)?.orders ?? []);
  return orders.filter(({ filled }) => filled > 0).length / Math.max(1, orders.length);
}

/** The same load on a web server that does nothing but validate. */
async function bareLimit(options: Options): Promise<{ rate: number; p95Ms: number }> {
  const bare = await startBareEndpoint();
  try {
    const random = seededRandom(options.seed);
    const clients = Array.from({ length: options.clients }, () => ({
      authorization: 'Bearer none',
      accountId: 'none',
    }));
    const bodies = orderBodies(random, BODIES);
    const load = await generateLoad({
      url: bare.url,
      clients,
      bodies,
      random,
      seconds: options.bareSeconds,
      rate: 0,
    });
    return { rate: load.ok / load.seconds, p95Ms: load.latencyUs.getValueAtPercentile(95) / 1000 };
  } finally {
    await bare.stop();
  }
}

type History = { events: number; startMs: number };

/** Gives an installation a past before it is used. */
async function preload(installation: Installation, { preload: wanted, seed }: Options): Promise<History> {
  progress(`writing ${wanted.toLocaleString('en-US')} events of history …`);
  let events = 0;
  const { startMs } = await installation.withDatabaseAlone(async () => {
    const { databaseUrl } = installation.status;
    ({ events } = await seedStore(databaseUrl, {
      seed,
      events: wanted,
      startMs: Date.now() - HISTORY_AGE_MS,
    }));
  });
  progress(`started on ${events.toLocaleString('en-US')} events in ${Math.round(startMs)} ms`);
  return { events, startMs };
}

/** Waits until the read models show all of the history. */
async function caughtUp({ api, operator }: Target): Promise<number> {
  const begun = performance.now();
  const reply = await api.raw('query', {
    path: '/v1/events?limit=1',
    headers: { authorization: `Bearer ${await operator.person.token()}` },
  });
  const head = parsePosition(reply.headers['x-brokerx-position'] ?? '')?.position ?? 0;
  while ((await headPosition(api, operator.person)) < head) {
    if (performance.now() - begun > CATCH_UP_MAX_MS)
      throw new Error('the read models do not catch up with the history');
    await delay(DRAIN_POLL_MS);
  }
  return performance.now() - begun;
}

function report(options: Options, measured: Measured, bare: { rate: number; p95Ms: number } | undefined) {
  const { load, drainMs, cpuSeconds, memoryBytes, eventsWritten } = measured;
  const ordersPerSecond = load.ok / load.seconds;
  const all = load.latencyUs;
  const cpuTotal = Object.values(cpuSeconds).reduce((sum, seconds) => sum + seconds, 0);
  const figures = {
    clients: options.clients,
    seconds: round(load.seconds, 1),
    orders: load.ok,
    orders_per_second: round(ordersPerSecond, 1),
    ...latencies('', all),
    fast_account_orders: load.fastOk,
    ...latencies('fast_account_', load.fastLatencyUs),
    refused: Object.fromEntries(load.refused),
    unknown: load.unknown,
    events_per_second: round(eventsWritten / (load.seconds + drainMs / 1000), 1),
    events_per_order: round(eventsWritten / load.ok, 2),
    drain_ms: Math.round(drainMs),
    cpu_us_per_order: Math.round((cpuTotal * 1e6) / load.ok),
    cpu_seconds: mapValues(cpuSeconds, (seconds) => round(seconds, 2)),
    memory_mib: mapValues(memoryBytes, (bytes) => Math.round(bytes / 2 ** 20)),
    ...(bare
      ? {
          bare_requests_per_second: round(bare.rate, 1),
          bare_p95_ms: round(bare.p95Ms, 2),
          share_of_bare: round(ordersPerSecond / bare.rate, 3),
        }
      : {}),
  };
  const rows: Row[] = [
    ['orders/s acknowledged', figures.orders_per_second],
    ['latency p50 ms', figures.p50_ms],
    ['latency p95 ms', figures.p95_ms],
    ['latency p99 ms', figures.p99_ms],
    [`one account alone: orders/s (of ${options.fastRate})`, figures.fast_account_orders / load.seconds],
    ['one account alone: p95 ms', figures.fast_account_p95_ms],
    ['events/s', figures.events_per_second],
    ['events an order', figures.events_per_order],
    ['all answered, settled, shown after ms', figures.drain_ms],
    ['core-µs an order, all processes', figures.cpu_us_per_order],
    ['unknown outcomes', load.unknown],
    ...[...load.refused].map(([code, count]): Row => [`replies ${code}`, count]),
    ...(bare
      ? ([
          ['a bare endpoint, requests/s', figures.bare_requests_per_second ?? 0],
          ['orders as a share of that', figures.share_of_bare ?? 0],
        ] satisfies Row[])
      : []),
  ];
  print(table(['benchmark', 'value'], rows));
  print(
    table(
      ['process', 'CPU s', 'core-µs an order', 'memory MiB'],
      Object.keys(cpuSeconds).map((name) => [
        name,
        cpuSeconds[name] ?? 0,
        ((cpuSeconds[name] ?? 0) * 1e6) / load.ok,
        Math.round((memoryBytes[name] ?? 0) / 2 ** 20),
      ]),
    ),
  );
  return figures;
}

function latencies<P extends string>(prefix: P, of: Histogram) {
  const at = (percent: number) => round(of.totalCount > 0 ? of.getValueAtPercentile(percent) / 1000 : 0, 2);
  return {
    [`${prefix}p50_ms`]: at(50),
    [`${prefix}p95_ms`]: at(95),
    [`${prefix}p99_ms`]: at(99),
  } as Record<`${P}p50_ms` | `${P}p95_ms` | `${P}p99_ms`, number>;
}

const round = (value: number, decimals: number): number => Number(value.toFixed(decimals));
const mapValues = (values: Record<string, number>, change: (value: number) => number) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));

async function main(): Promise<void> {
  const program = withTarget(
    new Command('bench:orders')
      .description('Measures orders a second, latency and CPU of a whole BrokerX, and audits the result.')
      .option('--clients <n>', 'clients with one order in flight each', '150')
      .option('--seconds <n>', 'measured time', '60')
      .option('--warm-up-seconds <n>', 'unmeasured time before', '5')
      .option('--rate <n>', 'orders a second of all clients; 0: as fast as answers come', '0')
      .option('--fast-rate <n>', 'orders a second of one account beside them', '100')
      .option('--bare-seconds <n>', 'time for the bare endpoint; 0: leave it out', '10')
      .option('--preload <events>', 'history to begin with (installation of its own only)', '0')
      .option('--seed <n>', 'of orders and history', '1')
      .option('--min-rate <n>', 'fail below so many orders a second', '0')
      .option('--max-p95-ms <ms>', 'fail above this latency; 0: any', '0')
      .option('--no-audit', 'leave out the audit at the end'),
  ).parse();
  const raw = program.opts<Record<keyof Options, string> & TargetOptions & { audit: boolean }>();
  const options: Options = {
    clients: Number(raw.clients),
    seconds: Number(raw.seconds),
    warmUpSeconds: Number(raw.warmUpSeconds),
    rate: Number(raw.rate),
    fastRate: Number(raw.fastRate),
    bareSeconds: Number(raw.bareSeconds),
    preload: Number(raw.preload),
    seed: Number(raw.seed),
    minRate: Number(raw.minRate),
    maxP95Ms: Number(raw.maxP95Ms),
  };
  await runTool(raw.json, async () => {
    const bare = options.bareSeconds > 0 ? await bareLimit(options) : undefined;
    let history: History | undefined;
    const prepare = async (installation: Installation) => {
      history = await preload(installation, options);
    };
    if (options.preload > 0 && raw.commandUrl) throw new Error('--preload needs an installation of its own');
    const target = await openTarget(raw, {
      connections: 32,
      prepare: options.preload > 0 ? prepare : undefined,
    });
    try {
      const catchUpMs = await caughtUp(target);
      if (history) progress(`read models caught up after another ${Math.round(catchUpMs)} ms`);
      const measured = await measure(target, options);
      const figures = report(options, measured, bare);
      const audit: AuditResult | undefined = raw.audit
        ? await auditInstallation({
            api: target.api,
            operator: target.operator.person,
            journals: measured.load.entries,
            settleMs: 300_000,
          })
        : undefined;
      if (audit) print(auditTable(audit));
      const traded = audit && tradedShare(audit, measured.people);
      if (traded !== undefined)
        print(`${Math.round(traded * 100)} % of the orders were filled, wholly or in part`);
      const fastEnough =
        figures.orders_per_second >= options.minRate &&
        (options.maxP95Ms === 0 || figures.p95_ms <= options.maxP95Ms);
      if (!fastEnough)
        print(
          `too slow: at least ${options.minRate} orders/s with p95 of at most ${options.maxP95Ms} ms are asked for`,
        );
      return {
        exitCode: audit?.exitCode || (fastEnough ? EXIT.ok : EXIT.tooSlow),
        figures: {
          ...figures,
          ...(history
            ? {
                preloaded_events: history.events,
                start_ms: Math.round(history.startMs),
                catch_up_ms: Math.round(catchUpMs),
              }
            : {}),
          ...(audit ? { traded_share: round(traded ?? 0, 3), audit: auditFigures(audit) } : {}),
          ...circumstances(options.seed),
        },
      };
    } finally {
      await target.close();
    }
  });
}

if (import.meta.main) await main();
