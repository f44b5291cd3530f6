import type { Auction, BookFact } from '@brokerx/contracts';
import { type Call, type Engine, type Equilibrium } from '../state.ts';
import { enterClosingOrders } from './closingOrders.ts';
import { equilibrium, NO_CROSS } from './equilibrium.ts';

/** Begins an auction call. While it runs, orders gather in the book, which may be crossed. */
export function beginCall(engine: Engine, auction: Auction, outputs: BookFact[]): void {
  engine.state = auction;
  engine.call ??= { indicative: NO_CROSS, extended: false };
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: auction } });
  if (auction === 'closing_auction') enterClosingOrders(engine, outputs);
}

/** Reports the call's indicative result, if it differs from the last one reported. */
export function reportIndicative(engine: Engine, call: Call, outputs: BookFact[]): void {
  const indicative = equilibriumOf(engine);
  const { priceTicks, quantity, surplus, surplusSide } = call.indicative;
  const isUnchanged =
    indicative.priceTicks === priceTicks &&
    indicative.quantity === quantity &&
    indicative.surplus === surplus &&
    indicative.surplusSide === surplusSide;
  if (isUnchanged) return;
  call.indicative = indicative;
  outputs.push({ type: 'IndicativePriceChanged.v1', data: { ...indicative } });
}

export const equilibriumOf = (engine: Engine): Equilibrium =>
  equilibrium(engine, engine.listing?.referenceTicks ?? 0, engine.listing?.matchingRules);
