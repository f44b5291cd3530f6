import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { REPOSITORY } from './config.ts';
import type { JournalEntry } from './journal.ts';
import { comparison, readFigures } from './load/report/compare.ts';
import { figuresOf, type LoadFigures } from './load/report/figures.ts';
import { pageOf } from './load/report/page.ts';
import { type Table, tablesOf } from './load/report/tables.ts';
import { type BareLimits, bareLimits } from './load/run/bare.ts';
import { capacity } from './load/run/capacity.ts';
import { live } from './load/run/live.ts';
import { prepare } from './load/run/prepare.ts';
import { runScenario } from './load/run/runScenario.ts';
import { SCENARIOS, scenarioOf } from './load/scenarios/catalog.ts';
import type { Scenario } from './load/scenarios/scenario.ts';
import { openTarget, runTool, type Target, type TargetOptions, withTarget } from './own/target.ts';

/**
 * The load lab: a scenario against an installation of its own or one that runs, the report, and the audit without which a run
 * has no figure.
 */
type Options = TargetOptions & {
  rate?: number;
  users?: number;
  symbols?: number;
  seconds?: number;
  warmUpSeconds?: number;
  seed: number;
  generators: number;
  connections: number;
  probes: number;
  bareSeconds: number;
  out: string;
  compare?: string;
  of: string;
  maxP95Ms: number;
  maxLagMs: number;
  usersMax: number;
};

const CAPACITY = 'capacity';

/** An audit of a run waits for what is left to do. */
const SETTLE_MS = 300_000;
/** A step of a search for the capacity. */
const [STEP_SECONDS, STEP_WARM_UP] = [10, 3];
/** Tried first, where no rate is given. */
const [FIRST_RATE, FIRST_USERS] = [200, 50];
/** The bound of the original's measure. */
const ORIGINAL_ERRORS = 0.05;

async function main(): Promise<void> {
  const program = command().parse();
  const options = program.opts<Options>();
  let chosen: Chosen;
  try {
    chosen = choose(program.args[0] ?? '', options);
  } catch (error) {
    return program.error(`error: ${(error as Error).message.replaceAll(/\s*\n\s*/g, ' ')}`);
  }
  const { scenario, searches, earlier } = chosen;
  await runTool(options.json, async () => {
    const limits = options.bareSeconds > 0 && !searches ? await besides(scenario, options) : null;
    const target = await openTarget(options, { connections: 32 });
    try {
      return searches
        ? await searched(target, scenario, options)
        : await measured(target, scenario, options, limits, earlier);
    } finally {
      await target.close();
    }
  });
}

function command(): Command {
  return withTarget(
    new Command('load')
      .exitOverride(usageExit)
      .description(
        `Drives a scenario, writes a report, and audits the result. Scenarios:\n${SCENARIOS.map(({ name, says }) => `  ${name.padEnd(18)}${says}`).join('\n')}\n  ${CAPACITY.padEnd(18)}searches the highest rate within --max-p95-ms and --max-lag-ms, and the most users of original-browse at fewer than 5 % errors`,
      )
      .argument('<scenario>', 'one of these, or a JSON file of your own')
      .option('--of <scenario>', 'whose rate the search for the capacity changes', 'steady')
      .option('--max-p95-ms <ms>', 'bound of that search', wholeNumber(1), 100)
      .option(
        '--max-lag-ms <ms>',
        'bound of that search: last reply after the end, all shown after that',
        wholeNumber(1),
        2_000,
      )
      .option(
        '--users-max <n>',
        'users that the search tries at most; 0: leaves them out',
        wholeNumber(0),
        2_000,
      )
      .option(
        '--rate <n>',
        'requests a second; 0: each user as fast as answers come; of a search: what is tried first',
        wholeNumber(0),
      )
      .option('--users <n>', 'people who send', wholeNumber(1))
      .option('--symbols <n>', 'symbols that are traded', wholeNumber(1))
      .option('--seconds <n>', 'measured time', wholeNumber(1))
      .option('--warm-up-seconds <n>', 'unmeasured time before', wholeNumber(0))
      .option('--seed <n>', 'of everything that chance decides', wholeNumber(0), 1)
      .option('--generators <n>', 'processes that send', wholeNumber(1), 1)
      .option('--connections <n>', 'of a generator process to each API, at most', wholeNumber(1), 400)
      .option('--probes <n>', 'orders a second followed through all stages; 0: none', wholeNumber(0), 10)
      .option(
        '--bare-seconds <n>',
        'time for the bare endpoint, each way; 0: leave it out',
        wholeNumber(0),
        5,
      )
      .option('--out <folder>', 'where reports go', '.brokerx/reports')
      .option('--compare <file>', 'an earlier report (its JSON) to compare with'),
  );
}

type Chosen = { scenario: Scenario; searches: boolean; earlier: LoadFigures | undefined };

/** What is to be run; throws where that is not possible. */
function choose(given: string, options: Options): Chosen {
  const searches = given === CAPACITY;
  const name = searches ? options.of : given;
  const wanted = scenarioOf(name);
  if (!wanted) throw new Error(`there is no scenario ${name}; --help names them`);
  const { kills, drive } = wanted;
  if (searches && (kills.length > 0 || drive.by !== 'rate'))
    throw new Error(`${name} has no rate to search with`);
  if (options.commandUrl && kills.length > 0)
    throw new Error(`${name} kills processes, which needs an installation of its own`);
  return {
    scenario: withOptions(wanted, options),
    searches,
    earlier: options.compare ? readFigures(options.compare) : undefined,
  };
}

function besides(scenario: Scenario, { bareSeconds, seed, generators }: Options): Promise<BareLimits> {
  progress('the bare endpoint, as the limit beside it …');
  return bareLimits(scenario, { seconds: bareSeconds, seed, generators });
}

/** The scenario with what the options say instead. */
function withOptions(scenario: Scenario, options: Options): Scenario {
  const { rate, users, symbols, seconds, warmUpSeconds } = options;
  const given = Object.entries({ users, symbols, seconds, warmUpSeconds }).filter(
    ([, value]) => value !== undefined,
  );
  const changed: Scenario = { ...scenario, ...Object.fromEntries(given) };
  if (rate === undefined) return changed;
  if (changed.drive.by !== 'rate')
    throw new Error(`${scenario.name} is driven by its users: --users says how many`);
  return { ...changed, drive: { ...changed.drive, rate } };
}

async function measured(
  target: Target,
  wanted: Scenario,
  options: Options,
  bare: BareLimits | null,
  earlier: LoadFigures | undefined,
): Promise<{ exitCode: number; figures: Record<string, unknown> }> {
  const prepared = await prepare(target, wanted);
  const { scenario } = prepared;
  const { seed, generators } = options;
  progress(`${scenario.name}: ${scenario.says}`);
  const view = live(process.stderr, {
    title: scenario.name,
    seconds: scenario.warmUpSeconds + scenario.seconds,
  });
  const run = await runScenario(target, prepared, {
    ...runOptions(options),
    onPoint: view.point,
    onSample: view.sample,
  });
  try {
    const audit = await audited(target, run.journals());
    if (!audit.ok) return withoutFigures(audit);
    const figures = figuresOf(run, {
      where: options.commandUrl ?? 'an installation of its own',
      circumstances: circumstances(seed),
      generators,
      bare,
      audit: auditFigures(audit),
    });
    report(figures, options, earlier);
    const { series: _, ...told } = figures;
    return { exitCode: EXIT.ok, figures: told };
  } finally {
    run.remove();
  }
}

const runOptions = ({ seed, generators, connections, probes }: Options) => ({
  seed,
  generators,
  connectionsMax: connections,
  probesPerSecond: probes,
});

function audited({ api, operator }: Target, journals: Iterable<JournalEntry>): Promise<AuditResult> {
  progress('auditing …');
  return auditInstallation({ api, operator: operator.person, journals, settleMs: SETTLE_MS });
}

/** What is quick and wrong counts nothing. */
export function withoutFigures(audit: AuditResult): { exitCode: number; figures: Record<string, unknown> } {
  print(auditTable(audit));
  print('the audit found something: this run has no figure');
  return { exitCode: audit.exitCode, figures: { audit: auditFigures(audit) } };
}

/** Both searches on one installation, and one audit over all their runs. */
async function searched(
  target: Target,
  wanted: Scenario,
  options: Options,
): Promise<{ exitCode: number; figures: Record<string, unknown> }> {
  const { maxP95Ms, maxLagMs, seed } = options;
  const bounds = { p95Ms: maxP95Ms, lagMs: maxLagMs, errors: ORIGINAL_ERRORS };
  const found = await capacity(target, {
    scenario: {
      ...wanted,
      seconds: options.seconds ?? STEP_SECONDS,
      warmUpSeconds: options.warmUpSeconds ?? STEP_WARM_UP,
    },
    journey: scenarioOf('original-browse') as Scenario,
    usersMax: options.usersMax,
    first: { rate: options.rate || FIRST_RATE, users: FIRST_USERS },
    bounds,
    options: { ...runOptions(options), onPoint: () => undefined, onSample: () => undefined },
  });
  try {
    const audit = await audited(target, found.journals());
    if (!audit.ok) return withoutFigures(audit);
    for (const { title, says, head, rows } of found.tables)
      print(`\n${title} (${says})\n${table(head, rows)}`);
    const figures = { ...found.figures, bounds, ...circumstances(seed), audit: auditFigures(audit) };
    return { exitCode: EXIT.ok, figures };
  } finally {
    found.remove();
  }
}

/** On the terminal, as a page, and as JSON beside it. */
function report(figures: LoadFigures, { out }: Options, earlier: LoadFigures | undefined): void {
  const shown: Table[] = [...tablesOf(figures), ...(earlier ? [comparison(earlier, figures)] : [])];
  for (const { title, says, head, rows } of shown)
    print(`\n${title}${says ? ` (${says})` : ''}\n${table(head, rows)}`);
  const folder = resolve(REPOSITORY, out);
  mkdirSync(folder, { recursive: true });
  const name = `${figures.scenario.name}-${figures.begun_at.replace(/[:.]/g, '-')}`;
  const [page, json] = [join(folder, `${name}.html`), join(folder, `${name}.json`)];
  writeFileSync(page, pageOf(figures, earlier));
  writeFileSync(json, `${JSON.stringify(figures)}\n`);
  print(`\nreport: ${page}\nfigures: ${json}`);
}

if (import.meta.main) await main();
