import type { SelfTradeMode } from '@brokerx/contracts';

/** An order of the model. */
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
  /** It has no limit of its own. */
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

/** The money and the shares left to an order for an amount of money. It buys no more than `most` shares. */
export type Money = {
  cents: number;
  shares: number;
  lot: number;
  bought: number;
  most: number;
  told: boolean;
};
/** The shares that the money buys at this price, rounded down so that all bought shares are whole lots. */
export const buys = (money: Money, price: number): number => {
  const most = money.bought + Math.min(money.shares, Math.floor(money.cents / price));
  const whole = Math.floor(most / money.lot) * money.lot;
  return whole > money.bought ? whole - money.bought : 0;
};

/** No iceberg. */
export const WHOLE = { peak: null, shown: 0 };
export const MODES: SelfTradeMode[] = ['none', 'cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'];
