import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '@brokerx/client';
import { headPosition } from '../../bench/measure.ts';
import type { JournalEntry } from '../../journal.ts';
import type { Target } from '../../own/target.ts';
import { type Generators, startGenerators } from '../generator/generators.ts';
import type { LoadPlan, ProbePlan } from '../generator/protocol.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { type Collector, collector, type Point } from './collector.ts';
import { drained } from './drain.ts';
import { type Fault, inflict } from './faults.ts';
import { entriesIn } from './journals.ts';
import { loadUser, type Prepared } from './prepare.ts';
import { type Sample, type Watching, watching } from './watching.ts';

/** One run of a scenario on a prepared installation: the load, what is seen beside it, and until all of it is done. */
export type RunOptions = {
  seed: number;
  generators: number;
  connectionsMax: number;
  /** Single orders a second that are followed through all stages; 0: none. */
  probesPerSecond: number;
  onPoint(point: Point): void;
  onSample(sample: Sample): void;
};

export type Run = {
  scenario: Scenario;
  begunAt: string;
  totals: ReturnType<Collector['totals']>;
  points: readonly Point[];
  samples: readonly Sample[];
  faults: readonly Fault[];
  /** From the end of the measured time to the last reply, and from there until everything was settled and shown. */
  overrunMs: number;
  drainMs: number;
  /** While it was measured and until it was drained. */
  cpuSeconds: Record<string, number>;
  renewals: number;
  renewalsFailed: number;
  /** The journals of the generator processes, until `remove`. */
  journals(): Iterable<JournalEntry>;
  remove(): void;
};

/** Points and samples of a run at most: longer runs have longer intervals. */
const POINTS_MAX = 600;
/** Processes hear of the beginning before it comes. */
const LEAD_MS = 300;
const OPERATOR_TOKEN_MS = 60_000;

export async function runScenario(target: Target, prepared: Prepared, options: RunOptions): Promise<Run> {
  const { scenario } = prepared;
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-journals-'));
  const seconds = scenario.warmUpSeconds + scenario.seconds;
  const intervalMs = Math.max(1, Math.ceil(seconds / POINTS_MAX)) * 1_000;
  const plans = await plansOf(target, prepared, { ...options, folder, intervalMs, seconds });
  const collected = collector({
    generators: options.generators,
    intervalMs,
    onPoint: options.onPoint,
  });
  const generators = await startGenerators(plans, collected);
  const over = new AbortController();
  try {
    const begunAt = new Date(Date.now() + LEAD_MS);
    const beginMs = begunAt.getTime() - performance.timeOrigin;
    const secondNow = () => (performance.now() - beginMs) / 1_000;
    const watched = watching(target, () => generators.pids);
    generators.begin(begunAt.getTime());
    const sampling = sampleUntil(over.signal, watched, { beginMs, intervalMs, secondNow, ...options });
    const measuring = pause(
      Math.max(0, beginMs + scenario.warmUpSeconds * 1_000 - performance.now()),
      over.signal,
    ).then(() => watched.mark());
    const renewing = renewUntil(over.signal, target, generators);
    const faults = target.installation
      ? inflict(target.installation, scenario, beginMs, over.signal)
      : Promise.resolve([]);
    const [ended, inflicted] = await Promise.all([generators.ended, faults]);
    const overrunMs = Math.max(0, (secondNow() - seconds) * 1_000);
    over.abort();
    await Promise.all([sampling, measuring, renewing]);
    collected.finish();
    const drainMs = await drained(target, ended.last, watched, secondNow);
    return {
      scenario,
      begunAt: begunAt.toISOString(),
      totals: collected.totals(),
      points: collected.points(),
      samples: watched.samples(),
      faults: inflicted,
      overrunMs,
      drainMs,
      cpuSeconds: watched.cpuSeconds(),
      renewals: ended.renewals,
      renewalsFailed: ended.renewalsFailed,
      journals: () => entriesIn(plans.map(({ journalFile }) => journalFile)),
      remove: () => rmSync(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  } finally {
    over.abort();
    generators.close();
  }
}

type PlanOptions = RunOptions & { folder: string; intervalMs: number; seconds: number };

async function plansOf(
  { api, operator }: Target,
  { scenario, symbols, people, probe }: Prepared,
  { seed, generators, connectionsMax, probesPerSecond, folder, intervalMs, seconds }: PlanOptions,
): Promise<(LoadPlan | ProbePlan)[]> {
  const users = [];
  for (const person of people) users.push(await loadUser(person));
  const shared = { scenario, seed, symbols, users, connectionsMax, intervalMs, of: generators };
  const loads = Array.from({ length: generators }, (_, index): LoadPlan => {
    const journalFile = join(folder, `journal-${index}.jsonl`);
    return {
      kind: 'load',
      ...shared,
      commandUrls: api.commandUrls,
      queryUrls: api.queryUrls,
      index,
      journalFile,
    };
  });
  if (probesPerSecond === 0) return loads;
  const { person, symbol, limitPrice } = probe;
  return [
    ...loads,
    {
      kind: 'probe',
      commandUrl: api.commandUrl,
      queryUrl: api.queryUrl,
      symbol,
      limitPrice,
      user: await loadUser(person),
      after: await headPosition(api, operator.person),
      operatorToken: await operator.person.token(),
      ordersPerSecond: probesPerSecond,
      seconds,
      warmUpSeconds: scenario.warmUpSeconds,
      intervalMs,
      journalFile: join(folder, 'journal-probe.jsonl'),
    },
  ];
}

async function sampleUntil(
  over: AbortSignal,
  watched: Watching,
  options: Pick<RunOptions, 'onSample'> & { beginMs: number; intervalMs: number; secondNow: () => number },
): Promise<void> {
  const { beginMs, intervalMs, secondNow, onSample } = options;
  for (let dueMs = beginMs + intervalMs; !over.aborted; dueMs += intervalMs) {
    await pause(Math.max(0, dueMs - performance.now()), over);
    if (!over.aborted) onSample(await watched.sample(secondNow()));
  }
}

/** The probe reads raw events as the operator, whose token expires, too. */
async function renewUntil(over: AbortSignal, { operator }: Target, generators: Generators): Promise<void> {
  while (!over.aborted) {
    await pause(OPERATOR_TOKEN_MS, over);
    if (!over.aborted) generators.operatorToken(await operator.person.token());
  }
}
