import { readFileSync } from 'node:fs';
import { batch } from './batch.ts';
import { cancelStorm } from './cancelStorm.ts';
import { hotAccount } from './hotAccount.ts';
import { hotSymbol } from './hotSymbol.ts';
import { openingBurst } from './openingBurst.ts';
import { originalBrowse } from './originalBrowse.ts';
import { originalLatency } from './originalLatency.ts';
import { readsOnly } from './readsOnly.ts';
import { Scenario, type ScenarioFile } from './scenario.ts';
import { signInStorm } from './signInStorm.ts';
import { slowClients } from './slowClients.ts';
import { steady } from './steady.ts';
import { webSocket } from './webSocket.ts';
import { withFaults } from './withFaults.ts';

/** All scenarios, in the order in which they are listed. */
const FILES: readonly ScenarioFile[] = [
  steady,
  openingBurst,
  cancelStorm,
  hotSymbol,
  hotAccount,
  readsOnly,
  signInStorm,
  slowClients,
  webSocket,
  batch,
  withFaults,
  originalBrowse,
  originalLatency,
];

export const SCENARIOS: readonly Scenario[] = FILES.map((file) => Scenario.parse(file));

/** The scenario of this name, or that of a JSON file of one's own. */
export function scenarioOf(nameOrFile: string): Scenario | undefined {
  if (nameOrFile.endsWith('.json')) return Scenario.parse(JSON.parse(readFileSync(nameOrFile, 'utf8')));
  return SCENARIOS.find(({ name }) => name === nameOrFile);
}
