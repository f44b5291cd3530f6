import type { SelfTradeMode } from '@brokerx/contracts';
import type { Side } from '../book/levels.ts';
import type { Band } from './auction/band.ts';
import type { SweepEnd } from './lookAhead.ts';

/** An order on its way into the book: a new one, or one that an amendment gave a new priority. */
export type Incoming = {
  readonly orderId: string;
  readonly accountId: string;
  /** The revision of its account's stream from which on the account has the order. */
  readonly revision: number;
  readonly side: Side;
  readonly limitTicks: number;
  readonly tickCents: number;
  readonly selfTrade: SelfTradeMode;
  /** The time of the input. */
  readonly time: string;
  /** Its open shares. With a budget: the shares that the money left buys at the last price considered. */
  leaves: number;
  /** The band within which it may trade; null: its limit alone counts. */
  readonly band: Band | null;
  /** The money of an order for an amount of money. */
  readonly budget: Budget | null;
  /** Self-trade prevention has ended the order; the outputs say so. */
  ended: boolean;
  /** The order met a price outside its band and stopped there. */
  outsideBand: boolean;
  /** The order reached the bound on one input's outputs: its rest expires. */
  hitBound: boolean;
  /** There are outputs besides its trades before it rests: prevented matches, or reductions of orders of a list. */
  hasOtherOutputs: boolean;
  /** The price of its first trade; 0 before. The last price is `Engine.lastTicks`. */
  firstTicks: number;
};

/** The money that an order for an amount of money may still spend, and the shares that it may still buy. */
export type Budget = {
  cents: number;
  readonly lotShares: number;
  /**
   * Shares bought beyond whole lots, because the total must be whole lots. Before version 4 of the rules it stays 0, and
   * each match is rounded down to lots.
   */
  oddShares: number;
  readonly countsOddShares: boolean;
  /** Shares that it may still buy, until it is the largest order that the symbol allows. */
  sharesLeft: number;
  /** Shares that it may still buy, if the sweep would else end between lots; infinite if it would not. */
  lotsLeft: number;
  /** Why the sweep would end, if it would end between lots. */
  sweepEnd: SweepEnd | null;
  /** The last trade reports that the money buys no more (its `leaves` is 0). */
  isSpent: boolean;
};
