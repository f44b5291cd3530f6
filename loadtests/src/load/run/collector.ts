import type { Histogram } from 'hdr-histogram-js';
import { addEncoded, histogram, type Percentiles, percentiles } from '../generator/histograms.ts';
import { type Interval, type ProbeInterval, STAGES, type Stage, type Told } from '../generator/protocol.ts';
import { type Action, PLACING } from '../scenarios/scenario.ts';

/** Adds up what the generator processes tell: a point for each interval, and the totals of the measured time. */
export type Collector = {
  interval(from: number, interval: Interval): void;
  probeInterval(interval: ProbeInterval): void;
  /** Closes the intervals that not every process told of. */
  finish(): void;
  points(): readonly Point[];
  totals(): Totals;
};

/** One moment of a run. Rates are a second; times are milliseconds. */
export type Point = {
  /** From the beginning of the run, its warm-up included, to the end of the interval. */
  second: number;
  actions: Partial<Record<Action, PointOfAction>>;
  /** Latency of orders that were acknowledged within the interval; of all requests where none places. */
  latency: Percentiles;
  refusedPerSecond: number;
  errorsPerSecond: number;
  inFlight: number;
  waiting: number;
  users: number;
  slowOpen: number;
  streamedBytesPerSecond: number;
  generatorCores: number;
  lateP99Ms: number;
};
export type PointOfAction = { okPerSecond: number; p50: number; p95: number; p99: number };
export type StagePoint = { second: number; stages: Record<Stage, Percentiles> };

export type ActionTotals = Omit<Told, 'latency' | 'refusedLatency'> & {
  latency: Percentiles;
  refusedLatency: Percentiles;
};
export type Totals = {
  actions: Partial<Record<Action, ActionTotals>>;
  /** Latency of all acknowledged orders. */
  orders: Percentiles;
  /** Latency of all requests that were answered with a 2xx. */
  requests: Percentiles;
  latenessMs: Percentiles;
  stages: Record<Stage, Percentiles>;
  stagePoints: readonly StagePoint[];
  probes: { sent: number; refused: number; unseen: number };
  streamedMessages: number;
};

type Sums = Omit<Told, 'latency' | 'refusedLatency'> & { latency: Histogram; refusedLatency: Histogram };
type Pending = Omit<Interval, 'actions' | 'early' | 'lateness'> & {
  heard: number;
  actions: Map<Action, Sums>;
  lateness: Histogram;
};

export function collector(options: {
  generators: number;
  intervalMs: number;
  onPoint(point: Point): void;
}): Collector {
  const { generators, intervalMs, onPoint } = options;
  const pending = new Map<number, Pending>();
  const points: Point[] = [];
  const totals = { actions: new Map<Action, Sums>(), lateness: histogram(), streamedMessages: 0 };
  const stages = stageHistograms();
  const stagePoints: StagePoint[] = [];
  const probes = { sent: 0, refused: 0, unseen: 0 };

  const close = (index: number, of: Pending) => {
    pending.delete(index);
    const point = pointOf(index, of, intervalMs);
    points.push(point);
    totals.lateness.add(of.lateness);
    totals.streamedMessages += of.streamed.messages;
    onPoint(point);
  };
  return {
    interval(_from, interval) {
      const { index } = interval;
      const of = pending.get(index) ?? nothing(index);
      pending.set(index, of);
      of.heard += 1;
      for (const [action, told] of entries(interval.actions)) {
        add(sumsOf(of.actions, action), told);
        add(sumsOf(totals.actions, action), told);
      }
      for (const [action, told] of entries(interval.early)) add(sumsOf(of.actions, action), told);
      addEncoded(of.lateness, interval.lateness);
      for (const name of ['inFlight', 'waiting', 'users', 'slowOpen', 'cpuUs', 'memoryBytes'] as const)
        of[name] += interval[name];
      of.streamed.messages += interval.streamed.messages;
      of.streamed.bytes += interval.streamed.bytes;
      if (of.heard === generators) close(index, of);
    },
    probeInterval({ index, sent, refused, unseen, stages: told }) {
      const second = ((index + 1) * intervalMs) / 1_000;
      const own = stageHistograms();
      for (const stage of STAGES) addEncoded(own[stage], told[stage]);
      stagePoints.push({ second, stages: mapStages(own, percentiles) });
      for (const stage of STAGES) stages[stage].add(own[stage]);
      probes.sent += sent;
      probes.refused += refused;
      probes.unseen += unseen;
    },
    finish() {
      for (const [index, of] of [...pending].toSorted(([a], [b]) => a - b)) close(index, of);
    },
    points: () => points,
    totals() {
      const all = [...totals.actions];
      return {
        actions: Object.fromEntries(all.map(([action, sums]) => [action, shown(sums)])),
        orders: percentiles(together(all.filter(([action]) => PLACING.includes(action)))),
        requests: percentiles(together(all)),
        latenessMs: percentiles(totals.lateness),
        stages: mapStages(stages, percentiles),
        stagePoints,
        probes,
        streamedMessages: totals.streamedMessages,
      };
    },
  };
}

function pointOf(index: number, of: Pending, intervalMs: number): Point {
  const perSecond = (count: number) => (count * 1_000) / intervalMs;
  const all = [...of.actions];
  const placing = all.filter(([action]) => PLACING.includes(action));
  const errors = all.reduce((sum, [, { unknown, unsent }]) => sum + unknown + unsent, 0);
  const refused = all.reduce((sum, [, sums]) => sum + count(sums.refused), 0);
  return {
    second: ((index + 1) * intervalMs) / 1_000,
    actions: Object.fromEntries(
      all.map(([action, { ok, latency }]) => {
        const { p50, p95, p99 } = percentiles(latency);
        return [action, { okPerSecond: perSecond(ok), p50, p95, p99 }];
      }),
    ),
    latency: percentiles(together(placing.length > 0 ? placing : all)),
    refusedPerSecond: perSecond(refused),
    errorsPerSecond: perSecond(errors),
    inFlight: of.inFlight,
    waiting: of.waiting,
    users: of.users,
    slowOpen: of.slowOpen,
    streamedBytesPerSecond: perSecond(of.streamed.bytes),
    generatorCores: of.cpuUs / (intervalMs * 1_000),
    lateP99Ms: percentiles(of.lateness).p99,
  };
}

const nothing = (index: number): Pending => ({
  index,
  heard: 0,
  actions: new Map(),
  lateness: histogram(),
  inFlight: 0,
  waiting: 0,
  users: 0,
  slowOpen: 0,
  streamed: { messages: 0, bytes: 0 },
  cpuUs: 0,
  memoryBytes: 0,
});

function sumsOf(of: Map<Action, Sums>, action: Action): Sums {
  const known = of.get(action) ?? {
    sent: 0,
    ok: 0,
    unknown: 0,
    unsent: 0,
    refused: {},
    latency: histogram(),
    refusedLatency: histogram(),
  };
  of.set(action, known);
  return known;
}

const entries = (of: Interval['actions']) => Object.entries(of) as [Action, Told][];

function add(to: Sums, from: Told): void {
  for (const name of ['sent', 'ok', 'unknown', 'unsent'] as const) to[name] += from[name];
  for (const [code, n] of Object.entries(from.refused)) to.refused[code] = (to.refused[code] ?? 0) + n;
  addEncoded(to.latency, from.latency);
  addEncoded(to.refusedLatency, from.refusedLatency);
}

const shown = ({ latency, refusedLatency, ...counts }: Sums): ActionTotals => ({
  ...counts,
  latency: percentiles(latency),
  refusedLatency: percentiles(refusedLatency),
});

function together(all: readonly (readonly [Action, Sums])[]): Histogram {
  const sum = histogram();
  for (const [, { latency }] of all) sum.add(latency);
  return sum;
}

const count = (refused: Readonly<Record<string, number>>): number =>
  Object.values(refused).reduce((sum, n) => sum + n, 0);

const stageHistograms = () =>
  Object.fromEntries(STAGES.map((stage) => [stage, histogram()])) as Record<Stage, Histogram>;

const mapStages = <T>(of: Record<Stage, Histogram>, change: (value: Histogram) => T) =>
  Object.fromEntries(STAGES.map((stage) => [stage, change(of[stage])])) as Record<Stage, T>;
