import { type AmendOrder, decimalFromCents, hasLimit } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { OpenOrder } from '../account/openOrder.ts';
import type { Market } from '../market/market.ts';
import type { CheckedOrder } from './termsRefusals.ts';

/** The guards of a change that are not those of a new order: what the open order lets be changed. */
export type Change = {
  account: Account;
  symbol: string;
  market: Market;
  order: OpenOrder;
  change: AmendOrder;
  /** The quantity and the limit after the change; undefined: the limit is off the tick grid. */
  quantity: number;
  limitTicks: number | undefined;
  /** The order after the change; empty if the change ends it. */
  orders: readonly CheckedOrder[];
  /** What the hold goes up by; 0 if the change ends the order. */
  holdCents: number;
  holdShares: number;
  addsToHold: true;
};

export function pendingRefusal({ order }: Change): string | undefined {
  if (order.amendPending === null) return undefined;
  const { quantity, limitTicks } = order.amendPending;
  const price = hasLimit(order.type) ? ` at ${decimalFromCents(limitTicks * order.tickCents)}` : '';
  return `a change to ${quantity}${price} is not answered yet`;
}

export function listRefusal({ order, change }: Change): string | undefined {
  if (order.dormant) return 'an order of a bracket can be changed once its entry has ended';
  return order.listId !== null && change.qty !== undefined
    ? 'the quantity belongs to the list; its limit_price can be changed'
    : undefined;
}

/** Refuses any limit for an order without one, lest the answer tell the protection price. */
export function changeTypeRefusal({ order, change }: Change): string | undefined {
  if (!hasLimit(order.type) && change.limit_price !== undefined) {
    return `a ${order.type} order has no limit_price`;
  }
  return order.notionalCents === null ? undefined : 'an order for an amount of money trades at once or ends';
}

export const noChangeRefusal = ({ order, quantity, limitTicks }: Change) =>
  limitTicks === order.limitTicks && quantity === order.quantity
    ? `the quantity is ${quantity} already`
    : undefined;

export const reductionRefusal = ({ market, order, quantity, limitTicks }: Change) =>
  market.matchingRules < 2 && (limitTicks !== order.limitTicks || quantity > order.quantity)
    ? `the quantity is ${order.quantity} now`
    : undefined;
