import type { ScenarioFile } from './scenario.ts';

/** The latency test of the original BrokerX; its order as in `originalBrowse.ts`. */
export const originalLatency: ScenarioFile = {
  name: 'original-latency',
  says: 'the original’s latency test: four orders one after the other, one second of rest',
  drive: {
    by: 'users',
    rampUpSeconds: 15,
    rampDownSeconds: 30,
    journey: ['place', 'place', 'place', 'place'],
    restMs: 1_000,
  },
  seconds: 105,
  warmUpSeconds: 0,
  users: 150,
  symbols: 1,
  orders: { kind: 'fixed', symbol: 'AAPL', qty: '10', limitPrice: '1.00' },
  cashCents: 900_000,
};
