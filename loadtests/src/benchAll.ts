import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { BENCHMARKS, type Benchmark, type Lengths } from './bench/table/benchmarks.ts';
import { type Figures, type Line, rowOf, TABLE_HEAD } from './bench/table/lines.ts';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { REPOSITORY } from './config.ts';
import { runTool } from './own/target.ts';

/** All benchmarks one after the other on one commit, and one table of them: each figure with its limit beside it. */
type Options = Omit<Lengths, 'java'> & { only: readonly string[]; out: string; json?: boolean };

const NAMES = BENCHMARKS.map(({ name }) => name);

async function main(): Promise<void> {
  const program = new Command('bench')
    .exitOverride(usageExit)
    .description(
      'Runs all benchmarks one after the other, and makes one table of them, with the limits beside them.',
    )
    .option('--only <names>', `some of ${NAMES.join(',')}`, these, NAMES)
    .option('--seconds <n>', 'measured time of each run', wholeNumber(1), 30)
    .option('--resting <n>', 'orders of the deep book', wholeNumber(1_000), 1_000_000)
    .option('--history <events>', 'to begin with, in the run with a history', wholeNumber(1), 1_000_000)
    .option('--seed <n>', 'of everything that chance decides', wholeNumber(0), 1)
    .option('--out <folder>', 'where the table goes, as JSON', '.brokerx/reports')
    .option('--json', 'one JSON object with `ok` on the last line')
    .addHelpText(
      'after',
      '\nexchange-core, a book in Java, is measured beside ours where there are `java` and `mvn`. What is not shown: a ' +
        'network, other disks, several machines. Figures of shared machines differ from run to run: compare ratios.',
    )
    .parse();
  const options = program.opts<Options>();
  await runTool(options.json, async () => {
    const about = circumstances(options.seed);
    const lengths: Lengths = { ...options, java: hasJava() };
    const [lines, failed]: [Line[], string[]] = [[], []];
    for (const benchmark of BENCHMARKS.filter(({ name }) => options.only.includes(name))) {
      progress(`\n${benchmark.name} …`);
      try {
        lines.push(...benchmark.lines(await figuresOf(benchmark, lengths)));
      } catch (error) {
        failed.push(benchmark.name);
        progress(`${benchmark.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    print(table(TABLE_HEAD, lines.map(rowOf)));
    for (const [name, value] of Object.entries(about)) print(`${name}: ${value}`);
    const figures = { lines, failed, seconds: options.seconds, ...about };
    print(`figures: ${kept(options.out, figures)}`);
    if (failed.length > 0) print(`WITHOUT A FIGURE: ${failed.join(', ')}`);
    return { exitCode: failed.length > 0 ? EXIT.failed : EXIT.ok, figures };
  });
}

function these(text: string): readonly string[] {
  const asked = text.split(',');
  if (!asked.every((name) => NAMES.includes(name)))
    throw new InvalidArgumentError(`It must be some of ${NAMES.join(', ')}, separated by commas.`);
  return asked;
}

const hasJava = (): boolean =>
  ['java', 'mvn'].every((command) => spawnSync(command, ['-version'], { stdio: 'ignore' }).status === 0);

/** The figures on the last line of the benchmark's output. One that failed has none. */
async function figuresOf({ script, args }: Benchmark, lengths: Lengths): Promise<Figures> {
  const child = spawn(process.execPath, [join(REPOSITORY, script), ...args(lengths), '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const code = await new Promise<number | null>((done, reject) => {
    child.once('error', reject);
    child.once('close', done);
  });
  if (code !== EXIT.ok) throw new Error(`it ended with ${code}:\n${told}`);
  return JSON.parse(told.trimEnd().split('\n').at(-1) ?? '') as Figures;
}

function kept(out: string, figures: Figures): string {
  const folder = resolve(REPOSITORY, out);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `bench-${new Date().toISOString().replace(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
  return file;
}

if (import.meta.main) await main();
