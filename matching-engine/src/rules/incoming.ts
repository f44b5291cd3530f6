import type { SelfTradeMode } from '@brokerx/contracts';
import type { Side } from '../book/levels.ts';
import type { Band } from './auction/band.ts';
import type { Stopped } from './lookAhead.ts';

/** An order on its way into the book: one that arrives, or one whose change gave it a new priority. */
export type Incoming = {
  readonly orderId: string;
  readonly accountId: string;
  /** A revision at or after which its account knows it. */
  readonly revision: number;
  readonly side: Side;
  readonly limitTicks: number;
  readonly tickCents: number;
  readonly selfTrade: SelfTradeMode;
  /** The time of its input. */
  readonly time: string;
  /** What it still wants; of a budget, what that buys at the price looked at last. */
  leaves: number;
  /** Within which it trades; null: wherever its limit reaches. */
  readonly band: Band | null;
  /** It is for an amount of money. */
  readonly budget: Budget | null;
  /** Self-trade prevention has ended it, and its end is told. */
  ended: boolean;
  /** It met somebody outside the band, and stopped there. */
  outside: boolean;
  /** There was more to match than one input may bring about: its rest expires. */
  bounded: boolean;
  /** More than its trades is told before it rests: matches were prevented, or other orders have less by its trades. */
  prevented: boolean;
  /** Price of its first trade; 0 before. The last one's is the engine's. */
  firstTicks: number;
};

/** What an order for an amount of money may still spend. */
export type Budget = {
  cents: number;
  readonly lotShares: number;
  /** Shares bought beyond whole lots: the whole is to be lots. Older rules leave it 0, and floor what is still to buy. */
  odd: number;
  readonly countsOdd: boolean;
  /** What an order of the symbol may still buy. */
  sharesLeft: number;
  /** What it may still buy for the whole to be lots, where its sweep would end beyond them; else without end. */
  lotsLeft: number;
  /** Why that sweep would end. */
  stopped: Stopped | null;
  /** A trade has said that nothing is left to want. */
  closed: boolean;
};
