import { usageExit } from '@brokerx/infra/runtime/usageExit.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { Command } from 'commander';
import { differs, shrunk } from './shrink.ts';
import { type Outcome, simulate } from './simulate.ts';
import { workload } from './workload.ts';

/**
 * `npm run sim:engine -- --seed 7 --inputs 10000000` compares the engine with the model for as long as you like, in runs with
 * a seed each, because the model is too slow for a large book. A failing run is shrunk to the fewest inputs that still fail,
 * which are printed one a line. `--seed N --inputs M` with the printed figures repeats it.
 */
const INPUTS_PER_RUN = 25_000;

type SimOptions = { seed: number; inputs: number; json: boolean };
type Totals = {
  seeds: number;
  inputs: number;
  outputs: number;
  trades: number;
  kinds: Record<string, number>;
};

const options = new Command('sim:engine')
  .exitOverride(usageExit)
  .description('Compares the engine with the naive model, output by output and state by state.')
  .option('--seed <n>', 'of the first run; each run has the next one', wholeNumber(0), 1)
  .option('--inputs <n>', 'random inputs, over all runs', wholeNumber(1), 1_000_000)
  .option('--json', 'one JSON object with `ok` on the last line', false)
  .parse()
  .opts<SimOptions>();
process.exitCode = main(options) ? 0 : 1;

function main({ seed: firstSeed, inputs, json }: SimOptions): boolean {
  const totals: Totals = { seeds: 0, inputs: 0, outputs: 0, trades: 0, kinds: {} };
  while (totals.inputs < inputs) {
    const seed = firstSeed + totals.seeds;
    const count = Math.min(INPUTS_PER_RUN, inputs - totals.inputs);
    try {
      add(totals, simulate({ seed, inputs: count }));
    } catch (error) {
      reportFailure(error, { seed, inputs: count, json });
      return false;
    }
    process.stderr.write(`seed ${seed}: ${totals.inputs} inputs, ${totals.outputs} outputs, no difference\n`);
  }
  const { kinds, ...figures } = totals;
  print(
    json
      ? JSON.stringify({ ok: true, seed: firstSeed, ...totals })
      : table({ seed: firstSeed, ...figures, ...kinds }),
  );
  return true;
}

function add(totals: Totals, { inputs, outputs, trades, kinds }: Outcome): void {
  totals.seeds += 1;
  totals.inputs += inputs;
  totals.outputs += outputs;
  totals.trades += trades;
  for (const [kind, count] of Object.entries(kinds)) totals.kinds[kind] = (totals.kinds[kind] ?? 0) + count;
}

function reportFailure(error: unknown, { seed, inputs, json }: SimOptions): void {
  process.stderr.write(
    `${String(error)}\n\nseed ${seed} fails (--seed ${seed} --inputs ${inputs}); shrinking\n`,
  );
  const shortest = shrunk([...workload(seed, 'SIM').take(inputs)], differs(seed));
  if (json) print(JSON.stringify({ ok: false, seed, inputs, error: String(error), shortest }));
  else for (const input of shortest) print(JSON.stringify(input));
}

function table(rows: Record<string, number>): string {
  const entries = Object.entries(rows).map(([name, value]) => [name, value.toLocaleString('en-US')] as const);
  const [nameWidth, valueWidth] = [0, 1].map((n) =>
    Math.max(...entries.map((entry) => (entry[n] as string).length)),
  );
  return entries
    .map(([name, value]) => `${name.padEnd(nameWidth ?? 0)}  ${value.padStart(valueWidth ?? 0)}`)
    .join('\n');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
