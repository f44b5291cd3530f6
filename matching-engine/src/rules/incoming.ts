import type { SelfTradeMode } from '@brokerx/contracts';
import type { Side } from '../book/levels.ts';
import type { Band } from './auction/band.ts';
import type { Stopped } from './lookAhead.ts';

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
  /** The shares that it still wants. With a budget: the shares that the rest of it buys at the last price considered. */
  leaves: number;
  /** The band within which it may trade; null: its limit alone counts. */
  readonly band: Band | null;
  /** The money of an order for an amount of money. */
  readonly budget: Budget | null;
  /** Self-trade prevention has ended the order; the outputs say so. */
  ended: boolean;
  /** The order stopped at a price outside the band. */
  outside: boolean;
  /** The order reached the bound on one input's outputs: its rest expires. */
  bounded: boolean;
  /** There are outputs besides its trades before it rests: prevented matches, or reductions of orders of a list. */
  prevented: boolean;
  /** The price of its first trade; 0 before. The last price is `Engine.lastTicks`. */
  firstTicks: number;
};

/** The money that an order for an amount of money may still spend, and the shares that it may still buy. */
export type Budget = {
  cents: number;
  readonly lotShares: number;
  /** Shares bought beyond whole lots; in total it must buy whole lots. Older rules keep this 0 and round down each time. */
  odd: number;
  readonly countsOdd: boolean;
  /** Shares until the largest order that the symbol allows. */
  sharesLeft: number;
  /** Shares until whole lots, if the sweep would end between lots; else infinite. */
  lotsLeft: number;
  /** Why that sweep would end. */
  stopped: Stopped | null;
  /** The last trade says that nothing is left to buy (`leaves` is 0). */
  closed: boolean;
};
