import { progress, type Row } from '../../cli/report.ts';
import type { JournalEntry } from '../../journal.ts';
import type { Target } from '../../own/target.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { highest } from './highest.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type Run, type RunOptions, runScenario } from './runScenario.ts';

/** One run of a search, and whether it was within the bounds. */
type Step = {
  /** Requests a second, or users. */
  asked: number;
  run: Run;
  holds: boolean;
  /** Why it does not hold. */
  why: string;
};
type Bounds = {
  p95Ms: number;
  /** The last reply comes so long after the end at most, and everything is settled and shown so long after that. */
  lagMs: number;
  /** Share of requests that may fail; the original's 5 %. */
  errors: number;
};
type Search = { from: number; max: number; bounds: Bounds; options: RunOptions; took(step: Step): void };

const WITHIN = 0.1;
/** No machine that this is for comes near. */
const RATE_MAX = 100_000;

type Capacity = {
  figures: Record<string, unknown>;
  tables: readonly { title: string; says: string; head: readonly string[]; rows: readonly Row[] }[];
  journals(): Iterable<JournalEntry>;
  remove(): void;
};

/** Searches both; every run's journal is kept for the audit at the end. */
export async function capacity(
  target: Target,
  {
    scenario,
    journey,
    usersMax,
    first,
    rateMax = RATE_MAX,
    bounds,
    options,
  }: {
    scenario: Scenario;
    journey: Scenario;
    usersMax: number;
    /** What is tried first. */
    first: { rate: number; users: number };
    rateMax?: number;
    bounds: Bounds;
    options: RunOptions;
  },
): Promise<Capacity> {
  const [byRate, byUsers]: [Step[], Step[]] = [[], []];
  progress(`rates of ${scenario.name}, ${scenario.seconds} s each:`);
  const rate = await mostRequests(target, await prepare(target, scenario), {
    from: first.rate,
    max: rateMax,
    bounds,
    options,
    took: (step) => byRate.push(step),
  });
  let users = 0;
  if (usersMax > 0) {
    const { seconds, warmUpSeconds } = scenario;
    const drive = { ...journey.drive, rampUpSeconds: warmUpSeconds, rampDownSeconds: 0 };
    const held = { ...journey, drive, seconds, warmUpSeconds, users: usersMax } as Scenario;
    progress(`users of ${journey.name}, ${seconds} s each:`);
    users = await mostUsers(target, await prepare(target, held), {
      from: first.users,
      max: usersMax,
      bounds,
      options,
      took: (step) => byUsers.push(step),
    });
  }
  const all = [...byRate, ...byUsers];
  return {
    figures: { rate, users, steps: byRate.map(stepFigures), steps_of_users: byUsers.map(stepFigures) },
    tables: [
      rateTable(scenario, rate, byRate, bounds),
      ...(usersMax > 0 ? [usersTable(journey, users, byUsers, bounds)] : []),
    ],
    *journals() {
      for (const { run } of all) yield* run.journals();
    },
    remove() {
      for (const { run } of all) run.remove();
    },
  };
}

const rateTable = ({ name }: Scenario, rate: number, steps: readonly Step[], { p95Ms, lagMs }: Bounds) => ({
  title: `Highest rate of ${name}: ${rate}/s`,
  says: `p95 at most ${p95Ms} ms, nothing fails, nothing is behind by more than ${lagMs} ms`,
  ...stepTable('requests/s', steps),
});

const usersTable = ({ name }: Scenario, users: number, steps: readonly Step[], { errors }: Bounds) => ({
  title: `Most users of ${name}: ${users}`,
  says: `fewer than ${errors * 100} % errors`,
  ...stepTable('users', steps),
});

const stepTable = (what: string, steps: readonly Step[]) => ({
  head: [what, 'answered/s', 'p50 ms', 'p95 ms', 'p99 ms', 'shown after ms', 'holds'],
  rows: steps
    .toSorted((a, b) => a.asked - b.asked)
    .map((step): Row => {
      const { answered_per_second, p50_ms, p95_ms, p99_ms, drain_ms } = stepFigures(step);
      return [step.asked, answered_per_second, p50_ms, p95_ms, p99_ms, drain_ms, step.why || 'yes'];
    }),
});

function stepFigures({ asked, run, holds, why }: Step) {
  const { totals, scenario, overrunMs, drainMs } = run;
  const { p50, p95, p99 } = totals.orders.count > 0 ? totals.orders : totals.requests;
  return {
    asked,
    answered_per_second: Math.round(totals.requests.count / (scenario.seconds + overrunMs / 1_000)),
    p50_ms: p50,
    p95_ms: p95,
    p99_ms: p99,
    drain_ms: Math.round(drainMs),
    holds,
    why,
  };
}

/** The highest rate of the scenario at which P95 stays below the bound, nothing fails and nothing lags. */
function mostRequests(target: Target, prepared: Prepared, search: Search): Promise<number> {
  const { scenario } = prepared;
  const { bounds } = search;
  return climb(target, search, (asked) => {
    if (scenario.drive.by !== 'rate') throw new Error(`${scenario.name} has no rate to search for`);
    const drive = { ...scenario.drive, rate: asked };
    return [
      { ...prepared, scenario: { ...scenario, drive } },
      ({ totals, drainMs, overrunMs }) => {
        const { p95 } = totals.orders.count > 0 ? totals.orders : totals.requests;
        const failed = errorShare(totals);
        if (failed > 0) return `${percent(failed)} failed`;
        if (p95 > bounds.p95Ms) return `p95 is ${p95} ms`;
        if (overrunMs > bounds.lagMs) return `the last reply came ${Math.round(overrunMs)} ms after the end`;
        return drainMs > bounds.lagMs ? `shown ${Math.round(drainMs)} ms after the last reply` : '';
      },
    ];
  });
}

/** The most users of a journey at fewer errors than the bound: the original's measure. */
function mostUsers(target: Target, prepared: Prepared, search: Search): Promise<number> {
  const { scenario, people } = prepared;
  return climb(target, { ...search, max: Math.min(search.max, people.length) }, (users) => [
    { ...prepared, people: people.slice(0, users), scenario: { ...scenario, users } },
    ({ totals }) => {
      const failed = errorShare(totals);
      return failed < search.bounds.errors ? '' : `${percent(failed)} failed`;
    },
  ]);
}

function climb(
  target: Target,
  { from, max, options, took }: Search,
  at: (asked: number) => [Prepared, (run: Run) => string],
): Promise<number> {
  const holds = async (asked: number) => {
    const [prepared, complaint] = at(asked);
    const run = await runScenario(target, prepared, options);
    const why = complaint(run);
    progress(`  ${asked}: ${why === '' ? 'holds' : why}`);
    took({ asked, run, holds: why === '', why });
    return why === '';
  };
  return highest(holds, { from, least: 1, max, within: WITHIN });
}

/** Requests without a reply, that were not sent, or that were refused for too much. */
function errorShare({ actions }: Run['totals']): number {
  let [failed, all] = [0, 0];
  for (const { ok, unknown, unsent, refused } of Object.values(actions)) {
    const codes = Object.entries(refused);
    failed += unknown + unsent + sum(codes.filter(([code]) => /^(429|5\d\d)/.test(code)));
    all += ok + unknown + unsent + sum(codes);
  }
  return failed / Math.max(1, all);
}

const sum = (codes: readonly (readonly [string, number])[]) => codes.reduce((total, [, n]) => total + n, 0);
const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
