import type { SelfTradeMode } from '@brokerx/contracts';

/** An order in the model's book. */
export type Order = {
  id: string;
  accountId: string;
  revision: number;
  side: 'buy' | 'sell';
  price: number;
  day: boolean;
  postOnly: boolean;
  /** The order expires with the next uncross. */
  endsWithCall: boolean;
  /** The order has no limit of its own. */
  unpriced: boolean;
  /** The trade band does not apply to the order. */
  exempt: boolean;
  selfTrade: SelfTradeMode;
  quantity: number;
  /** Shares filled, or taken off by self-trade prevention. */
  done: number;
  arrival: number;
  /** The size of an iceberg's peak, and what is left of the present one; null and 0 for other orders. */
  peak: number | null;
  shown: number;
};

/** The money and the shares left to an order for an amount of money. It buys no more than `sharesMax` shares. */
export type Money = {
  cents: number;
  sharesLeft: number;
  lotShares: number;
  bought: number;
  sharesMax: number;
  isSpent: boolean;
};
/** The shares that the money buys at this price, rounded down so that all bought shares are whole lots. */
export const affordable = (money: Money, priceCents: number): number => {
  const boughtMax = money.bought + Math.min(money.sharesLeft, Math.floor(money.cents / priceCents));
  const wholeLots = Math.floor(boughtMax / money.lotShares) * money.lotShares;
  return wholeLots > money.bought ? wholeLots - money.bought : 0;
};

/** The fields of an order that is no iceberg. */
export const NO_ICEBERG = { peak: null, shown: 0 };
export const MODES: SelfTradeMode[] = ['none', 'cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'];
