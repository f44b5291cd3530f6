import type { ScenarioFile } from './scenario.ts';

export const batch: ScenarioFile = {
  name: 'batch',
  says: 'as `steady`, twenty orders in each request',
  drive: { by: 'rate', rate: 50, mix: { batch: 1 } },
  seconds: 60,
  users: 150,
};
