import { originalBrowse } from './originalBrowse.ts';
import type { ScenarioFile } from './scenario.ts';

/** The latency test of the original BrokerX: the same users with the same order. */
export const originalLatency: ScenarioFile = {
  ...originalBrowse,
  name: 'original-latency',
  says: 'the original’s latency test: four orders one after the other, one second of rest',
  drive: { ...originalBrowse.drive, journey: ['place', 'place', 'place', 'place'] },
};
