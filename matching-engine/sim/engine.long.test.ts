import { test } from 'vitest';
import { AGREEMENT_TIMEOUT_MS, expectAgreement } from './agreement.ts';

test.for([2, 4, 5, 6, 8, 9, 14, 21])(
  'seed %i: the engine and the model agree on every output and every state',
  { timeout: AGREEMENT_TIMEOUT_MS },
  expectAgreement,
);
