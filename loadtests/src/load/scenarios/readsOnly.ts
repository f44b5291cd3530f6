import type { ScenarioFile } from './scenario.ts';

export const readsOnly: ScenarioFile = {
  name: 'reads-only',
  says: 'wallets, holdings, orders, depth and tickers; nothing is changed',
  drive: { by: 'rate', rate: 1_500, mix: { wallet: 3, holdings: 1, orders: 1, depth: 3, ticker: 2 } },
  seconds: 60,
  users: 150,
};
