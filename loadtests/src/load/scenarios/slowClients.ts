import type { ScenarioFile } from './scenario.ts';

export const slowClients: ScenarioFile = {
  name: 'slow-clients',
  says: 'clients that open streams and read nothing, beside others that do and people who trade',
  drive: { by: 'rate', rate: 800, mix: { place: 1 } },
  seconds: 60,
  users: 150,
  followers: 10,
  slowClients: 40,
};
