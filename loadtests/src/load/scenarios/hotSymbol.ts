import type { ScenarioFile } from './scenario.ts';

export const hotSymbol: ScenarioFile = {
  name: 'hot-symbol',
  says: 'every order for one symbol, whose book many follow',
  drive: { by: 'rate', rate: 800, mix: { place: 9, depth: 1 } },
  seconds: 60,
  users: 150,
  symbols: 1,
  hotSymbolShare: 1,
  followers: 20,
};
