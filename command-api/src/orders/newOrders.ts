import type { PlaceOrder } from '@brokerx/contracts';
import { type Account, availableShares } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import { type Priced, quantityOf } from './price.ts';
import type { CheckedOrder } from './termsRefusals.ts';

/** What the guards of new orders are asked about: one order by itself, or all orders of a list. */
export type NewOrders = {
  account: Account;
  symbol: string;
  /** Undefined: there is no such symbol. */
  market: Market | undefined;
  nowMs: number;
  isList: boolean;
  /** Empty where the symbol is unknown. */
  orders: readonly NewOrder[];
  /** What the orders hold together. */
  holdCents: number;
  holdShares: number;
  addsToHold: false;
};

export type NewOrder = CheckedOrder & {
  order: PlaceOrder;
  priced: Priced;
  nowMs: number;
  /** An order of a bracket, which cannot trigger before the entry has bought. */
  waitsForEntry: boolean;
};

type Request = { order: PlaceOrder; market: Market | undefined; nowMs: number };

/** Asks about one order; `priced` is undefined for an unknown symbol. */
export function oneNewOrder(account: Account, request: Request, priced: Priced | undefined): NewOrders {
  const { order } = request;
  return newOrders(account, request, [{ order, priced, waitsForEntry: false }], {
    holdCents: order.side === 'buy' ? (priced?.worstCaseCents ?? 0) : 0,
    holdShares: order.side === 'sell' ? quantityOf(order.qty) : 0,
    isList: false,
  });
}

/** Asks about all orders of a request, and what they hold together. */
export function newOrders(
  account: Account,
  { order: { symbol }, market, nowMs }: Request,
  priced: readonly { order: PlaceOrder; priced: Priced | undefined; waitsForEntry: boolean }[],
  held: { holdCents: number; holdShares: number; isList: boolean },
): NewOrders {
  const orders = priced.flatMap(({ order, priced: prices, waitsForEntry }) =>
    market && prices
      ? [{ ...checked(account, market, order, prices), order, priced: prices, nowMs, waitsForEntry }]
      : [],
  );
  return { account, symbol, market, nowMs, orders, ...held, addsToHold: false };
}

const checked = (account: Account, market: Market, order: PlaceOrder, priced: Priced): CheckedOrder => ({
  account,
  market,
  side: order.side,
  quantity: quantityOf(order.qty),
  limitTicks: priced.limitTicks,
  limitPrice: order.limit_price,
  offGrid: priced.offGrid,
  stopTicks: priced.terms.stopTicks,
  freeShares: availableShares(account, order.symbol),
  displayQuantity: priced.terms.displayQuantity,
  notionalCents: priced.terms.notionalCents,
});

/** For a market order `day` means `ioc`: for an amount of money, and until rules have auctions that it could join. */
export const timeInForceOf = (
  { type, time_in_force: time, notional }: PlaceOrder,
  { matchingRules }: Market,
): PlaceOrder['time_in_force'] =>
  type === 'market' && time === 'day' && (matchingRules < 3 || notional !== undefined) ? 'ioc' : time;
