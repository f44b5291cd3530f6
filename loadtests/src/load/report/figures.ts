import type { circumstances } from '../../cli/report.ts';
import type { Percentiles } from '../generator/histograms.ts';
import type { Stage } from '../generator/protocol.ts';
import type { BareLimits } from '../run/bare.ts';
import type { ActionTotals, Point, StagePoint } from '../run/collector.ts';
import type { Fault } from '../run/faults.ts';
import type { Run } from '../run/runScenario.ts';
import type { Sample } from '../run/watching.ts';
import type { Action, Scenario } from '../scenarios/scenario.ts';

/** What a run tells, as the JSON file beside the page has it. Times are milliseconds. */
export type LoadFigures = {
  /** The form of the file; a comparison takes no other. */
  format: typeof FORMAT;
  scenario: Scenario;
  begun_at: string;
  where: 'an installation of its own' | string;
  circumstances: ReturnType<typeof circumstances>;
  generators: number;
  headline: Headline;
  actions: Partial<Record<Action, ActionTotals & { ok_per_second: number }>>;
  /** Latency from the due time of single orders until each stage was over. */
  stages: Record<Stage, Percentiles>;
  probes: { sent: number; refused: number; unseen: number };
  bare: BareLimits | null;
  processes: Record<string, { cpu_seconds: number; core_us_per_order: number; memory_mib: number | null }>;
  generator: { late: Percentiles; renewals: number; renewals_failed: number };
  faults: readonly Fault[];
  audit: Record<string, unknown>;
  series: { points: readonly Point[]; stages: readonly StagePoint[]; samples: readonly Sample[] };
};

export type Headline = {
  /** Requests that the scenario asked for, or orders where it places any. */
  of: 'orders' | 'requests';
  /** Answered with a 2xx, over the time until the last reply. */
  acknowledged_per_second: number;
  /** The same, over the time until all of them were matched, settled and shown. */
  end_to_end_per_second: number;
  count: number;
  refused: number;
  errors: number;
  latency: Percentiles;
  core_us_each: number;
  /** What the acknowledged rate is of that which the bare endpoint answers as fast as it can. */
  share_of_bare: number | null;
  overrun_ms: number;
  drain_ms: number;
};

export const FORMAT = 'brokerx-load-1';

export function figuresOf(
  run: Run,
  about: Pick<LoadFigures, 'where' | 'circumstances' | 'generators' | 'bare' | 'audit'>,
): LoadFigures {
  const { scenario, totals, overrunMs, drainMs, cpuSeconds, samples } = run;
  const all = Object.values(totals.actions);
  const places = totals.orders.count > 0;
  const latency = places ? totals.orders : totals.requests;
  const untilReplied = scenario.seconds + overrunMs / 1_000;
  const untilShown = untilReplied + drainMs / 1_000;
  const acknowledged = latency.count / untilReplied;
  const cpu = Object.values(cpuSeconds).reduce((sum, seconds) => sum + seconds, 0);
  const each = (seconds: number) => Math.round((seconds * 1e6) / Math.max(1, latency.count));
  // Processes of the generator are gone when the last samples are taken.
  const memory: Record<string, number> = {};
  for (const { memoryMib = {} } of samples) {
    for (const [name, mib] of Object.entries(memoryMib)) if (mib > 0) memory[name] = mib;
  }
  const { bare } = about;
  return {
    format: FORMAT,
    scenario,
    begun_at: run.begunAt,
    ...about,
    headline: {
      of: places ? 'orders' : 'requests',
      acknowledged_per_second: tenth(acknowledged),
      end_to_end_per_second: tenth(latency.count / untilShown),
      count: latency.count,
      refused: all.reduce((sum, { refused }) => sum + total(refused), 0),
      errors: all.reduce((sum, { unknown, unsent }) => sum + unknown + unsent, 0),
      latency,
      core_us_each: each(cpu),
      share_of_bare: bare ? Number((acknowledged / bare.requestsPerSecond).toFixed(3)) : null,
      overrun_ms: Math.round(overrunMs),
      drain_ms: Math.round(drainMs),
    },
    actions: Object.fromEntries(
      Object.entries(totals.actions).map(([action, own]) => [
        action,
        { ...own, ok_per_second: tenth(own.ok / untilReplied) },
      ]),
    ),
    stages: totals.stages,
    probes: totals.probes,
    processes: Object.fromEntries(
      Object.entries(cpuSeconds).map(([name, seconds]) => [
        name,
        {
          cpu_seconds: Number(seconds.toFixed(2)),
          core_us_per_order: each(seconds),
          memory_mib: memory[name] ?? null,
        },
      ]),
    ),
    generator: {
      late: totals.latenessMs,
      renewals: run.renewals,
      renewals_failed: run.renewalsFailed,
    },
    faults: run.faults,
    series: { points: run.points, stages: totals.stagePoints, samples },
  };
}

const total = (refused: Readonly<Record<string, number>>) =>
  Object.values(refused).reduce((sum, count) => sum + count, 0);
const tenth = (value: number) => Math.round(value * 10) / 10;
