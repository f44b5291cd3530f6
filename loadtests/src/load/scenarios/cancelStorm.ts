import type { ScenarioFile } from './scenario.ts';

export const cancelStorm: ScenarioFile = {
  name: 'cancel-storm',
  says: 'orders that rest, and as many cancels of them',
  drive: { by: 'rate', rate: 1_000, mix: { place: 1, cancel: 1 } },
  seconds: 60,
  users: 150,
  orders: { kind: 'resting' },
};
