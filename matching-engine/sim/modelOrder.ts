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

/** What is left to spend, and to buy, of an order for an amount of money. */
export type Money = { cents: number; shares: number; lot: number; told: boolean };
export const buys = (money: Money, price: number): number => {
  let lots = Math.floor(Math.floor(money.cents / price) / money.lot);
  while (lots * money.lot > money.shares) lots -= 1;
  return lots * money.lot;
};

/** No iceberg. */
export const WHOLE = { peak: null, shown: 0 };
export const MODES: SelfTradeMode[] = ['none', 'cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'];
