import { type Figures, type Line, numberAt } from './lines.ts';

/**
 * The benchmarks of the table: what each runs, and which of its figures stand there beside which limit. The script is a file of
 * this repository, called as anybody calls it.
 */
export type Benchmark = {
  name: string;
  script: string;
  args(options: Lengths): readonly string[];
  lines(figures: Figures): Line[];
};
/** `seconds` is what each measurement takes; `resting` the orders of the deep book, `history` the events before a start. */
export type Lengths = { seconds: number; resting: number; history: number; seed: number; java: boolean };

const LOAD = 'loadtests/src/load.ts';
const BARE_SECONDS = 5;
/** Kills of each kind; the median is told. */
const RECOVERY_ROUNDS = 3;
/** Runs of each contender; the engine's benchmark tells the one in the middle. */
const ENGINE_ROUNDS = 3;
/** An eighth of a run, and no less than a second, is spent on what is not measured. */
const warmUp = (seconds: number) => Math.max(1, Math.round(seconds / 8));

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'engine',
    script: 'matching-engine/bench/engine.bench.ts',
    args: ({ resting, seed, java }) => [
      `--rounds=${ENGINE_ROUNDS}`,
      '--seconds=2',
      `--resting=${resting}`,
      `--seed=${seed}`,
      ...(java ? ['--beside=exchange-core', '--only=book,engine'] : []),
    ],
    lines: (figures) => ['recorded', 'deep'].flatMap((flow) => engineLines(figures, flow)),
  },
  {
    name: 'store',
    script: 'infra/bench/store.bench.ts',
    args: ({ seconds, seed }) => [`--seconds=${warmUp(seconds)}`, `--seed=${seed}`],
    lines: ({ rows }) =>
      (rows as Figures[]).map((row) => ({
        what: `event store, ${String(row.name)}`,
        figure: numberAt(row, 'eventsPerSecond'),
        unit: 'events/s',
        limit: { what: 'a plain insert or page', figure: numberAt(row, 'rawEventsPerSecond') },
      })),
  },
  {
    ...load('fastest', 'steady', ['--rate=0']),
    lines: (figures) => [
      acknowledged(figures, 'orders over HTTP, as fast as answers come'),
      {
        what: 'the same until all are matched, settled and shown',
        figure: numberAt(figures, 'headline.end_to_end_per_second'),
        unit: 'orders/s',
        limit: bare(figures),
      },
      coreMicros(figures, 'the same, generator included'),
      ...Object.keys(figures.processes as Figures).map((name) => ({
        what: `of that ${name}`,
        figure: numberAt(figures, `processes.${name}.core_us_per_order`),
        unit: 'core-µs an order',
        limit: null,
      })),
    ],
  },
  {
    ...load('paced', 'steady', ['--rate=1000']),
    lines: (figures) => [
      {
        what: 'P95 of an order at 1,000/s',
        figure: numberAt(figures, 'headline.latency.p95'),
        unit: 'ms',
        limit: {
          what: 'P95 of the bare endpoint, and a flush of the disk',
          figure: numberAt(figures, 'bare.atRate.p95') + numberAt(figures, 'bare.flushMs'),
        },
      },
      ...['p50', 'p99'].map((percentile) => ({
        what: `${percentile.toUpperCase()} from an order to its fill on the client’s stream, at 1,000/s`,
        figure: numberAt(figures, `stages.stream.${percentile}`),
        unit: 'ms',
        limit: {
          what: `${percentile.toUpperCase()} of the bare endpoint`,
          figure: numberAt(figures, `bare.atRate.${percentile}`),
        },
      })),
    ],
  },
  {
    ...load('websocket', 'websocket', ['--rate=0']),
    lines: (figures) => [acknowledged(figures, 'orders over WebSockets'), coreMicros(figures, 'the same')],
  },
  {
    ...load('batch', 'batch', ['--rate=0']),
    lines: (figures) => [acknowledged(figures, 'orders in batches'), coreMicros(figures, 'the same')],
  },
  {
    ...load('reads', 'reads-only', ['--rate=0']),
    lines: (figures) => [
      {
        what: 'wallets, holdings, orders, depth and tickers',
        figure: numberAt(figures, 'headline.acknowledged_per_second'),
        unit: 'reads/s',
        limit: bare(figures),
      },
    ],
  },
  orders('fresh', 'with no history', () => 0),
  orders('history', 'with a history', ({ history }) => history),
  {
    name: 'recovery',
    script: 'loadtests/src/benchRecovery.ts',
    args: () => [`--rounds=${RECOVERY_ROUNDS}`],
    lines: ({ recoveries }) =>
      Object.entries(recoveries as Record<string, Figures[]>).map(([fault, rounds]) => ({
        what: `from a kill of ${fault} to the first order seen end to end`,
        figure: Math.round(median(rounds.map((round) => numberAt(round, 'open')))),
        unit: 'ms',
        limit: {
          what: 'to the process being there again',
          figure: Math.round(median(rounds.map((round) => numberAt(round, 'restarted')))),
        },
      })),
  },
  {
    name: 'flood',
    script: 'loadtests/src/benchFlood.ts',
    args: ({ seconds, seed }) => [`--seconds=${seconds}`, `--seed=${seed}`, '--min-rate=0'],
    lines: (figures) => [
      {
        what: 'accepted in the worst five seconds of 5,000 orders/s over 300 connections',
        figure: numberAt(figures, 'worst_five_seconds_per_second'),
        unit: 'orders/s',
        limit: null,
      },
      {
        what: 'P95 of an honest client meanwhile',
        figure: numberAt(figures, 'honest_p95_ms'),
        unit: 'ms',
        limit: null,
      },
    ],
  },
];

function load(name: string, scenario: string, more: readonly string[]): Omit<Benchmark, 'lines'> {
  return {
    name,
    script: LOAD,
    args: ({ seconds, seed }) => [
      scenario,
      ...more,
      `--seconds=${seconds}`,
      `--warm-up-seconds=${warmUp(seconds)}`,
      `--bare-seconds=${Math.min(seconds, BARE_SECONDS)}`,
      `--seed=${seed}`,
    ],
  };
}

function orders(name: string, on: string, events: (lengths: Lengths) => number): Benchmark {
  return {
    name,
    script: 'loadtests/src/benchOrders.ts',
    args: (lengths) => [
      '--rate=0',
      '--fast-rate=0',
      '--min-rate=0',
      '--max-p95-ms=0',
      `--seconds=${lengths.seconds}`,
      `--preload=${events(lengths)}`,
      `--seed=${lengths.seed}`,
      `--bare-seconds=${Math.min(lengths.seconds, BARE_SECONDS)}`,
    ],
    lines: (figures) => [
      {
        what: `orders ${on}, as fast as answers come`,
        figure: numberAt(figures, 'orders_per_second'),
        unit: 'orders/s',
        limit: { what: BARE, figure: numberAt(figures, 'bare_requests_per_second') },
      },
    ],
  };
}

/** The engine's and the book's speed on a flow, beside the book that is not ours. */
function engineLines(figures: Figures, flow: string): Line[] {
  const told = (figures[flow] ?? []) as Figures[];
  const other = told.find(({ name }) => name === 'exchange-core' || name === 'nodejs-order-book');
  if (!other) return [];
  return told
    .filter(({ name }) => name === 'book' || name === 'engine')
    .map((own) => ({
      what: `our ${own.name === 'book' ? 'book' : 'whole engine'} on a ${flow === 'deep' ? 'deep book' : 'recorded morning'}`,
      figure: Math.round(numberAt(own, 'perSecond')),
      unit: 'operations/s',
      limit: { what: `the book of ${String(other.name)}`, figure: Math.round(numberAt(other, 'perSecond')) },
    }));
}

const BARE = 'a bare endpoint that validates the same';
const bare = (figures: Figures) => ({ what: BARE, figure: numberAt(figures, 'bare.requestsPerSecond') });

const acknowledged = (figures: Figures, what: string): Line => ({
  what,
  figure: numberAt(figures, 'headline.acknowledged_per_second'),
  unit: 'orders/s',
  limit: bare(figures),
});

const coreMicros = (figures: Figures, what: string): Line => ({
  what,
  figure: numberAt(figures, 'headline.core_us_each'),
  unit: 'core-µs an order',
  limit: null,
});

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
