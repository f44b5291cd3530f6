import { expect, test } from 'vitest';
import { AGREEMENT_TIMEOUT_MS, expectAgreement } from './agreement.ts';
import { shrunk } from './shrink.ts';
import { simulate } from './simulate.ts';
import { workload } from './workload.ts';

// A failure names its seed and input: `npm run sim:engine -- --seed N`. An ordinary market, one whose inputs are bounded
// closely, and one whose band is narrower than a tick; more seeds in `engine.long.test.ts`, and ten million inputs each night.
test.for([1, 3, 7])(
  'seed %i: the engine and the model agree on every output and every state',
  { timeout: AGREEMENT_TIMEOUT_MS },
  expectAgreement,
);

test('a run depends on its seed alone', () => {
  const [first, again, other] = [11, 11, 12].map((seed) => simulate({ seed, inputs: 1_000 }));
  expect(again).toEqual(first);
  expect(other?.hash).not.toBe(first?.hash);
});

test('a failing run is shrunk to the inputs that matter', () => {
  const inputs = [...workload(5, 'SIM').take(300)];
  const culprits = [inputs[40], inputs[200]];
  const left = shrunk(inputs, (some) => culprits.every((one) => one && some.includes(one)));
  expect(left).toEqual([inputs[0], ...culprits]);
});
