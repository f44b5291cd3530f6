import { afterAll, beforeAll, test } from 'vitest';
import { type Installation, startInstallation } from '../../src/own/installation.ts';
import { whatIsTakenIsShown } from './takenRun.ts';

/** A tenth of what `takenInput.long.test.ts` sends. */
const AMOUNTS = { ofEachField: 3, ofSeveral: 10, seed: 20_261_129 };

let installation: Installation;
beforeAll(async () => {
  installation = await startInstallation();
}, 240_000);
afterAll(() => installation?.stop(), 60_000);

test(
  'whatever the schemas take is stored, folded by every projection, and shown',
  () => whatIsTakenIsShown(installation, AMOUNTS),
  300_000,
);
