import type { ScenarioFile } from './scenario.ts';

export const steady: ScenarioFile = {
  name: 'steady',
  says: 'orders of many users at an even rate, about half of them trading',
  drive: { by: 'rate', rate: 1_000, mix: { place: 1 } },
  seconds: 60,
  users: 150,
};
