import type { ScenarioFile } from './scenario.ts';

export const withFaults: ScenarioFile = {
  name: 'with-faults',
  says: 'as `steady`, and the matching engine is killed in the middle',
  drive: { by: 'rate', rate: 600, mix: { place: 1 } },
  seconds: 60,
  users: 150,
  kills: [{ process: 'matching-engine', at: 0.5 }],
};
