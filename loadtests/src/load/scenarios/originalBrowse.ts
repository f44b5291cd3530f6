import type { ScenarioFile } from './scenario.ts';

/**
 * The browsing load of the original BrokerX: 150 users, ramp 15 s, hold 60 s, ramp down 30 s. Its order is
 * `{direction: 'buy', quantity: 10, symbol: 'AAPL', limit: 1.00}`; a limit of 1.00 must lie within AAPL's collar, so an
 * installation of its own lists AAPL at 1.05, and elsewhere the limit is 5 % below AAPL's reference price. The original
 * reads the user's own client record, which no route of ours shows: holdings are read in its place.
 */
export const originalBrowse = {
  name: 'original-browse',
  says: 'the original’s users: three reads, a deposit of 1.00, an order, the three reads again, one second of rest',
  drive: {
    by: 'users',
    rampUpSeconds: 15,
    rampDownSeconds: 30,
    journey: ['holdings', 'wallet', 'orders', 'deposit', 'place', 'holdings', 'wallet', 'orders'],
    restMs: 1_000,
  },
  seconds: 105,
  warmUpSeconds: 0,
  users: 150,
  symbols: 1,
  orders: { kind: 'fixed', symbol: 'AAPL', qty: '10', limitPrice: '1.00' },
  // Below the 10,000.00 up to which a wallet takes deposits.
  cashCents: 900_000,
} satisfies ScenarioFile;
