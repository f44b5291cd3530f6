import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';

/** The inputs of one seed: some seven seconds on a quiet machine. */
const INPUTS = 25_000;
const TIMEOUT_MS = 400_000;

/** Outputs and reasons that runs must meet more than a few times, because a run tests only what it meets. */
const RARE_KINDS = [
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

/**
 * A test for each seed: `simulate` throws unless the engine and the model agree on every output and every state. What is rare
 * need not come often under each seed, but it does under all of them together.
 */
export function testAgreement(seeds: readonly number[]): void {
  const met = new Map<string, number>();
  test.for(seeds)(
    'seed %i: the engine and the model agree on every output and every state',
    { timeout: TIMEOUT_MS },
    (seed) => {
      const { inputs, trades, kinds } = simulate({ seed, inputs: INPUTS });
      for (const [kind, times] of Object.entries(kinds)) met.set(kind, (met.get(kind) ?? 0) + times);
      expect(inputs).toBe(INPUTS);
      expect(trades).toBeGreaterThan(INPUTS / 20);
    },
  );
  test('those runs have met what is rare', () => {
    for (const kind of RARE_KINDS) expect(met.get(kind), kind).toBeGreaterThan(20 * seeds.length);
    // Only every third seed has room for few outputs.
    expect(met.get('EXECUTION_BOUND')).toBeGreaterThan(20);
  });
}
