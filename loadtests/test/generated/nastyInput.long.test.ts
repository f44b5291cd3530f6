import { afterAll, beforeAll, test } from 'vitest';
import type { Installation } from '../../src/own/installation.ts';
import { nastyInstallation, noInputGives500 } from './nastyRun.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await nastyInstallation();
}, 240_000);
afterAll(() => installation?.stop(), 60_000);

test(
  'every value at every place: no input gives 500, and whatever was taken can be shown',
  () => noInputGives500(installation, { every: 1, seed: 0 }),
  1_200_000,
);
