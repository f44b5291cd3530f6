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
  /** Expires with the next uncross. */
  endsWithCall: boolean;
  /** It has no limit of its own. */
  unpriced: boolean;
  /** The trade band does not count for it. */
  exempt: boolean;
  selfTrade: SelfTradeMode;
  quantity: number;
  /** Filled, or taken off by prevention. */
  done: number;
  arrival: number;
  /** Of an iceberg: how much it shows at a time, and what is left of that. */
  peak: number | null;
  shown: number;
};

/** What is left to spend, and to buy, of an order for an amount of money; `most`: of that it takes no more. */
export type Money = {
  cents: number;
  shares: number;
  lot: number;
  bought: number;
  most: number;
  told: boolean;
};
/** Share after share, and then back to where the whole is lots. */
export const buys = (money: Money, price: number): number => {
  const most = money.bought + Math.min(money.shares, Math.floor(money.cents / price));
  const whole = Math.floor(most / money.lot) * money.lot;
  return whole > money.bought ? whole - money.bought : 0;
};

/** No iceberg. */
export const WHOLE = { peak: null, shown: 0 };
export const MODES: SelfTradeMode[] = ['none', 'cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'];
