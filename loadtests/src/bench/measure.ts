import { setTimeout as delay } from 'node:timers/promises';
import type { Api } from '@brokerx/client';
import { parsePosition, type views } from '@brokerx/contracts';
import { progress } from '../cli/report.ts';
import type { Target } from '../own/target.ts';
import { type Person, registerMany } from '../people.ts';
import { seededRandom } from '../random.ts';
import { startBareEndpoint } from './bareEndpoint.ts';
import { generateLoad, type LastReply, type LoadResult } from './loadGenerator.ts';
import { BENCH_SYMBOLS, MID_CENTS, orderBodies } from './orderMix.ts';
import { type Usage, usageOf } from './processUsage.ts';

/** The size and duration of the load. */
export type LoadShape = {
  clients: number;
  seconds: number;
  warmUpSeconds: number;
  /** Orders a second, by all clients together; 0: as fast as replies come. */
  rate: number;
  /** Orders a second of one further account. */
  fastRate: number;
  bareSeconds: number;
  seed: number;
};

export type Measured = {
  load: LoadResult;
  /** Milliseconds from the last reply until every order was answered, settled and shown. */
  drainMs: number;
  cpuSeconds: Record<string, number>;
  memoryBytes: Record<string, number>;
  eventsWritten: number;
};

const CASH_CENTS = 10_000_000_000;
const SHARES = 10_000_000;
const BODIES = 4_096;
const DRAIN_MAX_MS = 120_000;
const DRAIN_POLL_MS = 20;
const FUNDED_AT_ONCE = 16;

/** Measures how a whole BrokerX takes orders from many clients at once, and what its processes spend on them. */
export async function measure(
  target: Target,
  options: LoadShape,
  /** Pids of the servers beside the installation. */
  outside: Record<string, number>,
): Promise<Measured & { people: Person[] }> {
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
      urls: api.commandUrls,
      clients: authorized,
      fast,
      bodies,
      random,
      seconds,
      rate: options.rate,
    });
  const warmUpEntries = options.warmUpSeconds > 0 ? (await run(options.warmUpSeconds)).entries : [];
  const position = await headPosition(api, operator.person);
  const pids = installation
    ? { ...installation.pids(), ...outside, 'load generator': process.pid }
    : { 'load generator': process.pid };
  const before = usageOf(pids);
  progress(`${options.clients} clients for ${options.seconds} s …`);
  const load = await run(options.seconds);
  const drainMs = await drain(api, operator.person, load.lastReplies);
  const after = usageOf(pids);
  load.entries = warmUpEntries.concat(load.entries);
  return {
    load,
    drainMs,
    people,
    cpuSeconds: difference(before, after),
    memoryBytes: Object.fromEntries(Object.entries(after).map(([name, usage]) => [name, usage.memoryBytes])),
    eventsWritten: await eventsAfter(api, operator.person, position),
  };
}

/** How long a start leaves work for afterwards. */
const REST_MS = 10_000;

/** The percentage of one core that an installation uses while nothing happens, with PostgreSQL, without other servers. */
export async function idle({ installation }: Target, seconds: number): Promise<number> {
  if (!installation) throw new Error('--idle-seconds needs an installation of its own');
  progress(`nothing for ${seconds} s …`);
  await delay(REST_MS);
  const pids = installation.pids();
  const before = usageOf(pids);
  await delay(seconds * 1_000);
  const spent = Object.values(difference(before, usageOf(pids))).reduce((sum, cpu) => sum + cpu, 0);
  return Number(((spent / seconds) * 100).toFixed(2));
}

/** Lists the symbols, and registers clients exempt from bands and quotas, with enough cash and shares for any order. */
export async function traders({ api, operator }: Target, count: number): Promise<Person[]> {
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

/** The newest position that the query API reflects completely. */
export async function headPosition(api: Api, operator: Person): Promise<number> {
  const reply = await api.raw('query', {
    path: '/v1/wallet',
    headers: { authorization: `Bearer ${await operator.token()}` },
  });
  return parsePosition(reply.headers['x-brokerx-position'] ?? '')?.position ?? 0;
}

/** Counts the events after a position one by one, because positions may have gaps. */
async function eventsAfter(api: Api, operator: Person, position: number): Promise<number> {
  let events = 0;
  for await (const line of api.lines(`/v1/events?after=${position}`, { token: await operator.token() })) {
    if (line !== '') events += 1;
  }
  return events;
}

/**
 * Waits until the last order of every connection is answered and shown. Books, settlement and projections work in order,
 * so by then all earlier orders are, too. Returns the milliseconds that it took.
 */
async function drain(api: Api, operator: Person, lastReplies: readonly LastReply[]): Promise<number> {
  const begunMs = performance.now();
  const deadlineMs = begunMs + DRAIN_MAX_MS;
  const token = await operator.token();
  for (const { text, position } of lastReplies) {
    const { id } = JSON.parse(text) as views.OrderView;
    for (;;) {
      // The order is another client's, so the operator's queries do not ask for its position by themselves.
      const shown = await api.query<views.OrderView>(`/v1/orders/${id}`, { token, minPosition: position });
      if (shown.status !== 'pending_new') break;
      if (performance.now() > deadlineMs)
        throw new Error(`order ${id} is ${shown.status} after ${DRAIN_MAX_MS} ms`);
      await delay(DRAIN_POLL_MS);
    }
  }
  return performance.now() - begunMs;
}

const difference = (before: Record<string, Usage>, after: Record<string, Usage>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after).map(([name, usage]) => [name, usage.cpuSeconds - (before[name]?.cpuSeconds ?? 0)]),
  );

/** Measures the same load on a web server that only validates. */
export async function bareLimit(options: LoadShape): Promise<{ rate: number; p95Ms: number }> {
  const bare = await startBareEndpoint();
  try {
    const random = seededRandom(options.seed);
    const clients = Array.from({ length: options.clients }, () => ({
      authorization: 'Bearer none',
      accountId: 'none',
    }));
    const bodies = orderBodies(random, BODIES);
    const load = await generateLoad({
      urls: [bare.url],
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
