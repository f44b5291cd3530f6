import type { Auction, BookFact } from '@brokerx/contracts';
import { type Call, type Engine, type Equilibrium } from '../state.ts';
import { enterWaiting } from './closingOrders.ts';
import { equilibrium, NO_CROSS } from './equilibrium.ts';

/** Begins an auction call. While it runs, orders gather in the book, which may be crossed. */
export function beginCall(engine: Engine, auction: Auction, outputs: BookFact[]): void {
  engine.state = auction;
  engine.call ??= { indicative: NO_CROSS, extended: false };
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: auction } });
  if (auction === 'closing_auction') enterWaiting(engine, outputs);
}

/** Reports the call's indicative result, if it differs from the last one reported. */
export function tellIndicative(engine: Engine, call: Call, outputs: BookFact[]): void {
  const now = equilibriumOf(engine);
  const { priceTicks, quantity, surplus, surplusSide } = call.indicative;
  const same =
    now.priceTicks === priceTicks &&
    now.quantity === quantity &&
    now.surplus === surplus &&
    now.surplusSide === surplusSide;
  if (same) return;
  call.indicative = now;
  outputs.push({ type: 'IndicativePriceChanged.v1', data: { ...now } });
}

export const equilibriumOf = (engine: Engine): Equilibrium =>
  equilibrium(engine, engine.listing?.referenceTicks ?? 0, engine.listing?.matchingRules);
