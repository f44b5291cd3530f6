import type { TableProjection } from '../run/projection.ts';
import { candles } from './candles.ts';
import { executions } from './executions.ts';
import { holdings } from './holdings.ts';
import { ledger } from './ledger.ts';
import { orders } from './orders.ts';
import { symbols } from './symbols.ts';
import { wallets } from './wallets.ts';

/** Makes every table projection. */
export const allProjections = (): TableProjection[] => [
  wallets(),
  ledger(),
  holdings(),
  orders(),
  executions(),
  candles(),
  symbols(),
];
