import type { ScenarioFile } from './scenario.ts';

export const hotAccount: ScenarioFile = {
  name: 'hot-account',
  says: 'one account that sends half of all orders',
  drive: { by: 'rate', rate: 800, mix: { place: 1 } },
  seconds: 60,
  users: 150,
  hotUserShare: 0.5,
};
