import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { benchEnvironment } from '@brokerx/infra/runtime/benchEnvironment.ts';
import { usageExit } from '@brokerx/infra/runtime/usageExit.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CONTENDERS, type ContenderName, type Kept } from './contenders.ts';
import { EXCHANGE_CORE, exchangeCoreArgs, exchangeCoreJars } from './exchangeCore.ts';
import { deepFlow, type Flow, flowFile, recordedFlow } from './flows.ts';
import type { Figures } from './measure.ts';

const WHAT = `Operations a second of the matching engine beside two order books from npm, and with --beside one more, each run
in a process of its own, taken in turns, on two flows: a recorded morning of a real exchange (38,849 messages, again and
again) and a deep book made from the seed (a million resting orders on 1,000 levels; then 60 % adds, 30 % cancels, 10 %
aggressors). All do the same work, which is compared: trades, shares traded and orders left.`;

const SHOWS = `
Contenders:
  book                  our book: price-time priority alone, ids and accounts as numbers, nothing told
  engine                our engine: events as they are stored, all checks of the market's rules, outputs built
  nodejs-order-book     from npm, ids as strings, its answers built
  hft-limit-order-book  from npm, the same
  exchange-core         with --beside: version 0.5.3 from Maven, OrderBookDirectImpl in one thread of a Java process, ids as
                        numbers in a row, its trades counted; Java 17 and, for the first time, Maven are needed

Commands are made before the clock starts; timing each operation costs some 30 ns of what is told for one. Collections
of garbage are left out of the times of single operations, and told beside them.

What it does not show: reading, parsing and storing events, which cost many times this; several symbols in one process;
a processor that other work heats the caches of. The recorded morning is small and repeated, so that all of it stays in
the caches: the deep book beside it does not, and there the memory decides. Both packages walk a whole level for a cancel.
`;

type BenchOptions = {
  rounds: number;
  seconds: number;
  seed: number;
  resting: number;
  flowFile?: string;
  only: readonly ContenderName[];
  beside?: typeof EXCHANGE_CORE;
  json: boolean;
};

function theseContenders(text: string): readonly ContenderName[] {
  const asked = text.split(',');
  const names = CONTENDERS.filter((name) => asked.includes(name));
  if (names.length !== asked.length) throw new InvalidArgumentError(`It knows ${CONTENDERS.join(', ')}.`);
  return names;
}

const run = promisify(execFile);

type Summary = Omit<Figures, 'told'>;

async function main(): Promise<boolean> {
  const program = new Command('bench:engine')
    .exitOverride(usageExit)
    .description(WHAT)
    .option('--rounds <n>', 'runs of each on each flow; medians are told', wholeNumber(1), 3)
    .option(
      '--seconds <n>',
      'measured in a run on the recorded morning; four times that on the deep book',
      wholeNumber(1),
      3,
    )
    .option('--seed <n>', 'of the deep flow and of all ids', wholeNumber(0), 1)
    .option('--resting <n>', 'orders of the deep book', wholeNumber(1_000), 1_000_000)
    .addOption(
      new Option(
        '--flow-file <path>',
        'the recorded morning, a file as replay takes it; where there is none, the deep book alone is measured',
      ).env('BROKERX_FLOW_FILE'),
    )
    .option('--only <names>', 'of the contenders, separated by commas', theseContenders, CONTENDERS)
    .addOption(
      new Option('--beside <name>', 'one more contender, from outside of npm').choices([EXCHANGE_CORE]),
    )
    .option('--json', 'one JSON object with `ok` on the last line', false)
    .addHelpText('after', SHOWS)
    .parse();
  const options = program.opts<BenchOptions>();
  const { rounds, seconds, seed, resting, only, json, beside } = options;
  const names = beside ? [...only, beside] : only;
  const path = flowFile(options.flowFile);
  const recorded = recordedFlow(path);
  if (!recorded && options.flowFile) program.error(`error: --flow-file: ${path} is not there`);
  const jars =
    beside && (await exchangeCoreJars().catch((error: Error) => program.error(`error: ${error.message}`)));
  const surroundings = { ...benchEnvironment(seed), rounds };
  print(
    Object.entries(surroundings)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  );
  if (!recorded) print(`THE RECORDED MORNING IS NOT THERE (${path}): only the deep book is measured.`);
  const flows = [...(recorded ? [recorded] : []), deepFlow(seed, resting, resting)];
  const folder = mkdtempSync(join(tmpdir(), 'bench-engine-'));
  try {
    const told: Record<string, Summary[]> = {};
    let same = true;
    for (const flow of flows) {
      const runs = await contest(flow, names, { folder, rounds, seconds, seed, jars });
      if (!agree(runs)) {
        print(`\n${TITLES[flow.name]}\nTHE CONTENDERS DID NOT TRADE THE SAME: there are no figures.`);
        same = false;
        continue;
      }
      told[flow.name] = names.map((name) => summary(runs.filter((one) => one.name === name)));
      print(`\n${TITLES[flow.name]}\n${table(told[flow.name] ?? [])}`);
      for (const { kept } of told[flow.name] ?? []) if (kept) print(snapshotTold(kept));
      for (const line of ratios(told[flow.name] ?? [])) print(line);
    }
    if (same) print('\nall contenders traded the same');
    if (json) print(JSON.stringify({ ok: same, ...surroundings, ...told }));
    return same;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const TITLES = {
  recorded: 'a recorded morning, again and again',
  deep: 'a deep book',
};

/** The supervisor starts engines with them. */
const LARGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

type Contest = { folder: string; rounds: number; seconds: number; seed: number; jars: string | undefined };

/** Contenders take turns within a round, so that what else the machine does meets all of them. */
async function contest(
  { name: flow, rows, build }: Flow,
  names: readonly Figures['name'][],
  { folder, rounds, seconds, seed, jars = '' }: Contest,
): Promise<Figures[]> {
  const file = join(folder, flow);
  writeFileSync(file, rows);
  const script = join(import.meta.dirname, 'engine.run.ts');
  const ms = seconds * 1_000;
  const runs: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      process.stderr.write(`${flow}, round ${round + 1}: ${name}\n`);
      const [program, args] =
        name === EXCHANGE_CORE
          ? ['java', exchangeCoreArgs(jars, flow, file, build, ms)]
          : [
              process.execPath,
              ['--expose-gc', script, name, flow, file, String(build), String(seed), String(ms)],
            ];
      const { stdout } = await run(program, args, {
        maxBuffer: 1 << 26,
        env: { ...LARGE_PAGES, ...process.env },
      });
      runs.push(JSON.parse(stdout) as Figures);
    }
  }
  return runs;
}

/** As far as two of them came, they must have traded the same; those from npm do not tell their trades. */
function agree(runs: readonly Figures[]): boolean {
  const longest = Math.max(...runs.map(({ told }) => told.length));
  for (let i = 0; i < longest; i++) {
    const told = runs.flatMap((one) => one.told[i] ?? []);
    const trades = told.map((one) => one.trades).filter((count) => count !== null);
    for (const values of [trades, told.map(({ shares }) => shares), told.map(({ resting }) => resting)])
      if (new Set(values).size > 1) return false;
  }
  return true;
}

/** The run in the middle by operations a second; the longest pauses and stops are those of all runs. */
function summary(runs: readonly Figures[]): Summary {
  const sorted = runs.toSorted((a, b) => a.perSecond - b.perSecond);
  const { told: _, ...middle } = sorted[sorted.length >> 1] as Figures;
  const longest = (of: (one: Figures) => number) => Math.max(...runs.map(of));
  const kept = runs.flatMap((one) => one.kept ?? []);
  return {
    ...middle,
    kept: middle.kept && {
      ...middle.kept,
      longestStepMs: Math.max(...kept.map(({ longestStepMs }) => longestStepMs)),
    },
    gc: {
      ...middle.gc,
      longestMinorMs: longest(({ gc }) => gc.longestMinorMs),
      longestMajorMs: longest(({ gc }) => gc.longestMajorMs),
    },
  };
}

const snapshotTold = ({
  steps,
  longestStepMs,
  allStepsMs,
  megabytes,
  restoreMs,
  restoreCpuMs,
}: Kept): string =>
  `a snapshot of the engine: ${steps} steps, the longest ${longestStepMs.toFixed(1)} ms, all ${allStepsMs.toFixed(0)} ms; ` +
  `${megabytes.toFixed(1)} MB; restored in ${restoreMs.toFixed(0)} ms (${restoreCpuMs.toFixed(0)} ms of this thread)`;

const COMPARED = [
  ['book', 'nodejs-order-book'],
  ['book', EXCHANGE_CORE],
  ['engine', EXCHANGE_CORE],
] as const;

/** By processor time, which other work on the machine changes least, and by the clock. */
function ratios(rows: readonly Summary[]): string[] {
  return COMPARED.flatMap(([ours, theirs]) => {
    const [our, other] = [ours, theirs].map((name) => rows.find((row) => row.name === name));
    if (!our || !other) return [];
    const cpu = other.cpuNanosPerOperation / our.cpuNanosPerOperation;
    const wall = our.perSecond / other.perSecond;
    return `our ${ours} is ${cpu.toFixed(2)} times ${theirs} by processor time, ${wall.toFixed(2)} times by the clock`;
  });
}

function table(rows: readonly Summary[]): string {
  const figure = (value: number, decimals = 0) =>
    value.toLocaleString('en-US', { maximumFractionDigits: decimals });
  const lines = [
    [
      '',
      'operations/s',
      'CPU ns',
      'p50 ns',
      'p99',
      'p99.9',
      'GC median ms',
      'minor',
      'major',
      'GC %',
      'bytes/order',
    ],
    ...rows.map(({ name, perSecond, cpuNanosPerOperation, nanos, gc, bytesPerRestingOrder: bytes }) => [
      name,
      figure(perSecond),
      figure(cpuNanosPerOperation),
      figure(nanos.p50),
      figure(nanos.p99),
      figure(nanos.p999),
      figure(gc.medianMs, 1),
      figure(gc.longestMinorMs, 1),
      figure(gc.longestMajorMs, 1),
      figure(gc.shareOfTime * 100, 1),
      bytes === null ? '' : figure(bytes),
    ]),
  ];
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

process.exitCode = (await main()) ? 0 : 1;
