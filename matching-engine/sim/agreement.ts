import { expect } from 'vitest';
import { simulate } from './simulate.ts';

/** The inputs of one seed: some seven seconds on a quiet machine. */
const INPUTS = 25_000;
export const AGREEMENT_TIMEOUT_MS = 400_000;

/** Outputs and reasons that every run must meet more than a few times, because a run tests only what it meets. */
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

/** Runs one seed: `simulate` throws unless the engine and the model agree on every output and every state. */
export function expectAgreement(seed: number): void {
  const outcome = simulate({ seed, inputs: INPUTS });
  expect(outcome.inputs).toBe(INPUTS);
  expect(outcome.trades).toBeGreaterThan(INPUTS / 20);
  for (const kind of RARE_KINDS) expect(outcome.kinds[kind], kind).toBeGreaterThan(20);
  if (seed % 3 === 0) expect(outcome.kinds['EXECUTION_BOUND']).toBeGreaterThan(20);
}
