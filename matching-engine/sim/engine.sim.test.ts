import { expect, test } from 'vitest';
import { shrunk } from './shrink.ts';
import { simulate } from './simulate.ts';
import { workload } from './workload.ts';

// Every step is compared inside; a failure names its seed and input: `npm run sim:engine -- --seed N`.
// 200,000 in all; 10 million: `npm run sim:engine -- --inputs 10000000 --seed N`.
const INPUTS = 25_000;
/** Some seven seconds each on a quiet machine. */
const TIMEOUT_MS = 400_000;

/** What a run must have met, to have tested it. */
const RARE = [
  'TradePrevented.v1',
  'OrderReplaced.v1',
  'OrderTriggered.v1',
  'TimeApplied.v1',
  'OrderExpired.v1',
  'OrderReduced.v1',
  'AuctionUncrossed.v1',
  'IndicativePriceChanged.v1',
  'OrderEntered.v1',
  'ENTRY_NOT_FILLED',
  'ICEBERG_PEAKS',
  'ORDER_LIST',
];

test.for([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: the engine and the model agree on every output and every state',
  { timeout: TIMEOUT_MS },
  (seed) => {
    const outcome = simulate({ seed, inputs: INPUTS });
    expect(outcome.inputs).toBe(INPUTS);
    expect(outcome.trades).toBeGreaterThan(INPUTS / 20);
    for (const kind of RARE) expect(outcome.kinds[kind], kind).toBeGreaterThan(20);
    if (seed % 3 === 0) expect(outcome.kinds['EXECUTION_BOUND']).toBeGreaterThan(20);
  },
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
