import { parseArgs } from 'node:util';
import { shrunk } from './shrink.ts';
import { simulate } from './simulate.ts';
import { workload } from './workload.ts';

/**
 * `npm run sim:engine -- --seed 7 --inputs 10000000`: the engine beside the model for as long as you like, in runs of
 * their own seeds (a run's book is small enough for the model). A seed that fails is shrunk to the fewest inputs that
 * still fail, which are printed one a line; `--seed N --inputs M` with the figures told replays it.
 */
const INPUTS_PER_RUN = 25_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    inputs: { type: 'string', default: '1000000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write('sim:engine [--seed N] [--inputs M]: compares engine and model input by input\n');
  process.exit(0);
}
const first = Number(values.seed);
const inputs = Number(values.inputs);
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
    for (const input of shrunk([...workload(seed, 'SIM').take(count)])) {
      process.stdout.write(`${JSON.stringify(input)}\n`);
    }
    process.exit(1);
  }
}
