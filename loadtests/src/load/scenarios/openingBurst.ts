import type { ScenarioFile } from './scenario.ts';

export const openingBurst: ScenarioFile = {
  name: 'opening-burst',
  says: 'a quiet market, ten times its rate within two seconds as at the opening, and quiet again',
  drive: {
    by: 'rate',
    rate: 200,
    phases: [
      { share: 0.3, from: 1, to: 1 },
      { share: 0.03, from: 1, to: 10 },
      { share: 0.17, from: 10, to: 10 },
      { share: 0.1, from: 10, to: 1 },
      { share: 0.4, from: 1, to: 1 },
    ],
    mix: { place: 8, cancel: 1, depth: 1 },
  },
  seconds: 60,
  users: 150,
};
