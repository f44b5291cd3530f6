import { usageExit } from '@brokerx/infra/runtime/usageExit.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { Command } from 'commander';
import { differs, shrunk } from './shrink.ts';
import { simulate } from './simulate.ts';
import { workload } from './workload.ts';

/**
 * `npm run sim:engine -- --seed 7 --inputs 10000000`: the engine beside the model for as long as you like, in runs of
 * their own seeds (a run's book is small enough for the model). A seed that fails is shrunk to the fewest inputs that
 * still fail, which are printed one a line; `--seed N --inputs M` with the figures told replays it.
 */
const INPUTS_PER_RUN = 25_000;

const { seed: first, inputs } = new Command('sim:engine')
  .exitOverride(usageExit)
  .description('Compares the engine with the naive model, output by output and state by state.')
  .option('--seed <n>', 'of the first run; each run has the next one', wholeNumber(0), 1)
  .option('--inputs <n>', 'random inputs, over all runs', wholeNumber(1), 1_000_000)
  .parse()
  .opts<{ seed: number; inputs: number }>();
let done = 0;
for (let seed = first; done < inputs; seed++) {
  const count = Math.min(INPUTS_PER_RUN, inputs - done);
  try {
    const outcome = simulate({ seed, inputs: count });
    done += outcome.inputs;
    process.stdout.write(`${JSON.stringify({ seed, done, ...outcome })}\n`);
  } catch (error) {
    process.stderr.write(
      `${String(error)}\n\nseed ${seed} fails (--seed ${seed} --inputs ${count}); shrinking\n`,
    );
    for (const input of shrunk([...workload(seed, 'SIM').take(count)], differs(seed))) {
      process.stdout.write(`${JSON.stringify(input)}\n`);
    }
    process.exit(1);
  }
}
