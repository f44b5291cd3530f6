import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';

// Every step is compared inside; a failure names its seed and input: `node sim/simulate.ts --seed N`.
const INPUTS = 12_000;

test.for([1, 2, 3, 4, 5])(
  'seed %i: the engine and the model agree on every output and every state',
  (seed) => {
    const outcome = simulate({ seed, inputs: INPUTS });
    expect(outcome.inputs).toBe(INPUTS);
    expect(outcome.trades).toBeGreaterThan(INPUTS / 20);
  },
);

test('a run depends on its seed alone', () => {
  const [first, again, other] = [11, 11, 12].map((seed) => simulate({ seed, inputs: 1_000 }));
  expect(again).toEqual(first);
  expect(other?.hash).not.toBe(first?.hash);
});
