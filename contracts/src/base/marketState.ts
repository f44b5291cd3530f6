import { z } from 'zod';

/**
 * The state of a market. The phases of a day are `pre_open` (orders are taken, nothing is matched), `opening_auction`,
 * `continuous`, `closing_auction` and `closed`. A `volatility_auction` or a `halt` interrupts them.
 */
export const MarketState = z.enum([
  'pre_open',
  'opening_auction',
  'continuous',
  'volatility_auction',
  'halt',
  'closing_auction',
  'closed',
]);
export type MarketState = z.infer<typeof MarketState>;

export const TradingPhase = MarketState.exclude(['volatility_auction', 'halt']);
export type TradingPhase = z.infer<typeof TradingPhase>;

/** States in which a call runs: orders gather, and are executed at one price when the call ends. */
export const Auction = MarketState.extract(['opening_auction', 'volatility_auction', 'closing_auction']);
export type Auction = z.infer<typeof Auction>;
export const isAuction = (state: MarketState): state is Auction => state.endsWith('_auction');
