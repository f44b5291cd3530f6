import type { ScenarioFile } from './scenario.ts';

export const signInStorm: ScenarioFile = {
  name: 'sign-in-storm',
  says: 'more people sign in than passwords can be checked, while others trade',
  drive: { by: 'rate', rate: 200, mix: { sign_in: 1, place: 1 } },
  seconds: 60,
  users: 150,
};
