import { expect, test } from 'vitest';
import { testAgreement } from './agreement.ts';
import { shrunk } from './shrink.ts';
import { simulate } from './simulate.ts';
import { workload } from './workload.ts';

// A failure names its seed and input; `npm run sim:engine -- --seed N` repeats it. Seed 1 is an ordinary market, in 3 inputs have
// room for few outputs, and in 7 the band is narrower than a tick. `engine.long.test.ts` has more seeds, and `.ci/nightly` runs
// ten million inputs.
testAgreement([1, 3, 7]);

test('a run depends on its seed alone', () => {
  const [first, again, other] = [11, 11, 12].map((seed) => simulate({ seed, inputs: 1_000 }));
  expect(again).toEqual(first);
  expect(other?.hash).not.toBe(first?.hash);
});

test('a failing run is shrunk to the inputs that matter', () => {
  const inputs = [...workload(5, 'SIM').take(300)];
  const culprits = [inputs[40], inputs[200]];
  const shortest = shrunk(inputs, (some) => culprits.every((one) => one && some.includes(one)));
  expect(shortest).toEqual([inputs[0], ...culprits]);
});
