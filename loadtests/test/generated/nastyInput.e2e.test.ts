import { afterAll, beforeAll, test } from 'vitest';
import type { Installation } from '../../src/own/installation.ts';
import { nastyInstallation, noInputGives500 } from './nastyRun.ts';

/** Some 3,500 of the 53,000 requests that `nastyInput.long.test.ts` sends. */
const SAMPLING = { every: 16, seed: 20_261_130 };

let installation: Installation;
beforeAll(async () => {
  installation = await nastyInstallation();
}, 240_000);
afterAll(() => installation?.stop(), 60_000);

test(
  'no input gives 500, and whatever was taken can be shown',
  () => noInputGives500(installation, SAMPLING),
  300_000,
);
