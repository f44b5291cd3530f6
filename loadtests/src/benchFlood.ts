import { setTimeout as delay } from 'node:timers/promises';
import { idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { Command } from 'commander';
import { Client } from 'undici';
import { round } from './bench/figures.ts';
import { type FloodResult, flood } from './bench/flood.ts';
import { traders } from './bench/measure.ts';
import { orderBodies } from './bench/orderMix.ts';
import { circumstances, EXIT, print, progress, type Row, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { openTarget, runTool, type Target, type TargetOptions, withTarget } from './own/target.ts';
import { seededRandom } from './random.ts';

/**
 * Measures BrokerX while somebody sends far more than it can take, on connections that never wait for replies: how many
 * orders it still accepts in each second, how soon it refuses the others, and what a well-behaved client notices.
 */
type Options = {
  connections: number;
  rate: number;
  seconds: number;
  people: number;
  minRate: number;
  seed: number;
};

/** The flood comes from one address, and the well-behaved client from another one. */
const FLOOD_ADDRESS = '127.0.0.2';
const HONEST_ADDRESS = '127.0.0.3';
const HONEST_EVERY_MS = 100;
const BODIES = 4_096;
/** After the flood, the time in which everything accepted is done and the limits recover. */
const REST_MS = 10_000;

async function main(): Promise<void> {
  const program = withTarget(
    new Command('bench:flood')
      .exitOverride(usageExit)
      .description('Measures what is accepted, and how soon, while far too much is sent without waiting.')
      .option('--connections <n>', 'of the flood', wholeNumber(1), 300)
      .option('--rate <n>', 'orders a second of the flood', wholeNumber(1), 5_000)
      .option('--seconds <n>', 'how long it lasts', wholeNumber(1), 60)
      .option('--people <n>', 'accounts that it sends for', wholeNumber(1), 30)
      .option(
        '--min-rate <n>',
        'fail when fewer are accepted in any five seconds, per second',
        wholeNumber(0),
        300,
      )
      .option('--seed <n>', 'of orders', wholeNumber(0), 1),
  ).parse();
  const raw = program.opts<Options & TargetOptions>();
  await runTool(raw.json, async () => {
    const target = await openTarget(raw, { connections: 32 });
    try {
      return await measured(target, raw);
    } finally {
      await target.close();
    }
  });
}

async function measured(target: Target, options: Options) {
  const people = await traders(target, options.people + 1);
  const authorizations = await Promise.all(people.map(async (person) => `Bearer ${await person.token()}`));
  const [honest = '', ...flooding] = authorizations;
  const [commandUrl = ''] = target.api.commandUrls;
  const url = new URL(commandUrl);
  const bodies = orderBodies(seededRandom(options.seed), BODIES);
  progress(`${options.connections} connections send ${options.rate} orders/s for ${options.seconds} s …`);
  const client = honestClient({ url, authorization: honest, bodies });
  const before = await client.during(() => delay(5_000));
  let flooded: FloodResult | undefined;
  const meanwhile = await client.during(async () => {
    flooded = await flood({ ...options, url, localAddress: FLOOD_ADDRESS, authorizations: flooding, bodies });
  });
  await delay(REST_MS);
  const after = await client.during(() => delay(5_000));
  const gauges = await gaugesOf(url);
  await client.close();
  if (!flooded) throw new Error('there was no flood');
  const worst = worstFiveSeconds(flooded);
  print(table(['second', 'sent', 'accepted', 'refused'], rowsOf(flooded)));
  print(
    table(
      ['replies', 'orders', 'p50 ms', 'p95 ms', 'p99 ms'],
      [
        ['accepted', ...latencyCells(flooded.acceptedMs)],
        ['refused', ...latencyCells(flooded.refusedMs)],
        ['honest client before', ...latencyCells(before.acceptedMs)],
        ['honest client meanwhile', ...latencyCells(meanwhile.acceptedMs)],
        ['honest client afterwards', ...latencyCells(after.acceptedMs)],
      ],
    ),
  );
  print(
    `connections that were closed: ${flooded.closed}; honest orders refused: ${meanwhile.refused} meanwhile, ${after.refused} afterwards`,
  );
  print(
    `afterwards: ${Object.entries(gauges)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  );
  const isNormal = after.refused === 0 && after.acceptedMs.length > 0 && gauges.requests_in_flight === 0;
  if (!isNormal) print('it is not as it was before');
  return {
    exitCode: !isNormal ? EXIT.liveness : worst < options.minRate ? EXIT.tooSlow : EXIT.ok,
    figures: {
      accepted: flooded.acceptedMs.length,
      refused: flooded.refusedMs.length,
      worst_five_seconds_per_second: round(worst, 0),
      accepted_p95_ms: round(percentile(flooded.acceptedMs, 95), 1),
      refused_p95_ms: round(percentile(flooded.refusedMs, 95), 1),
      honest_p95_ms: round(percentile(meanwhile.acceptedMs, 95), 1),
      honest_refused: meanwhile.refused,
      ...circumstances(options.seed),
    },
  };
}

/** A well-behaved client: it sends one order after the other, each when the one before has been answered. */
function honestClient({
  url,
  authorization,
  bodies,
}: {
  url: URL;
  authorization: string;
  bodies: readonly Buffer[];
}) {
  const http = new Client(url.origin, { localAddress: HONEST_ADDRESS, pipelining: 1 });
  return {
    /** Sends orders while `work` runs. */
    async during(work: () => Promise<void>) {
      const acceptedMs: number[] = [];
      let refused = 0;
      let isDone = false;
      const working = work().finally(() => {
        isDone = true;
      });
      for (let n = 0; !isDone; n++) {
        const begunMs = performance.now();
        const reply = await http.request({
          method: 'POST',
          path: '/v1/orders',
          headers: { authorization, 'content-type': 'application/json', 'idempotency-key': mintId(idSource) },
          body: bodies[n % bodies.length] as Buffer,
        });
        await reply.body.dump();
        if (reply.statusCode === 202) acceptedMs.push(performance.now() - begunMs);
        else refused += 1;
        await delay(HONEST_EVERY_MS);
      }
      await working;
      return { acceptedMs, refused };
    },
    close: () => http.close(),
  };
}

async function gaugesOf(url: URL): Promise<Record<string, number>> {
  const reply = await fetch(new URL('/metrics', url));
  const matches = (await reply.text()).matchAll(
    /^brokerx_(requests_in_flight|requests_limit|http_connections)\{.*\} (\S+)$/gm,
  );
  return Object.fromEntries(Array.from(matches, ([, name = '', value]) => [name, Number(value)]));
}

const rowsOf = ({ seconds }: FloodResult): Row[] =>
  seconds.slice(0, -1).map(({ sent, accepted, refused }, index) => [index + 1, sent, accepted, refused]);

function worstFiveSeconds({ seconds }: FloodResult): number {
  const accepted = seconds.slice(0, -1).map((second) => second.accepted);
  const windows = accepted
    .map((_, index) => accepted.slice(index, index + 5))
    .filter(({ length }) => length === 5);
  return Math.min(...windows.map((window) => window.reduce((sum, count) => sum + count, 0) / 5));
}

const latencyCells = (ms: readonly number[]): number[] => [
  ms.length,
  ...[50, 95, 99].map((share) => round(percentile(ms, share), 1)),
];

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * share) / 100))] ?? 0;
}

if (import.meta.main) await main();
