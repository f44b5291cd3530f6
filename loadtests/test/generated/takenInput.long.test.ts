import { afterAll, beforeAll, test } from 'vitest';
import { type Installation, startInstallation } from '../../src/own/installation.ts';
import { whatIsTakenIsShown } from './takenRun.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await startInstallation();
}, 240_000);
afterAll(() => installation?.stop(), 60_000);

test(
  'many bodies: whatever the schemas take is stored, folded by every projection, and shown',
  () => whatIsTakenIsShown(installation, { ofEachField: 30, ofSeveral: 100, seed: 20_261_129 }),
  1_200_000,
);
