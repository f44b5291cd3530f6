import type { AccountFact, PlaceOrder } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';
import type { Refusal } from '../refusal.ts';
import { bandExempt } from './collar.ts';
import { oneNewOrder, timeInForceOf } from './newOrders.ts';
import { centsOf, price, quantityOf, termsOf } from './price.ts';
import { firstRefusal, NEW_ORDER_LADDER } from './refusalPrecedence.ts';

/**
 * Decides about a new order: the guards of `refusalPrecedence.ts` first, then what the order holds. The state and the reference
 * price of the market come with the command; the engine's own check binds.
 */

export type PlaceOrderCommand = {
  orderId: string;
  accountId: string;
  nowMs: number;
  order: PlaceOrder;
  /** Undefined: there is no such symbol. */
  market: Market | undefined;
};

/** `OrderPlaced`, or `OrderRefused`: a refused order is recorded and can be asked for (`momentary.ts` has the exceptions). */
export function placeOrder(account: Account, command: PlaceOrderCommand): AccountFact {
  const { order, market } = command;
  const priced = market && price(market, order);
  const question = oneNewOrder(account, command, priced);
  const refusal = firstRefusal(NEW_ORDER_LADDER, question);
  if (refusal) return refusedOrder(command, refusal);
  if (!market || !priced?.limitTicks) throw new Error('an order without a price was refused above');
  return {
    type: 'OrderPlaced.v1',
    data: {
      ...requestOf(command),
      timeInForce: timeInForceOf(order, market),
      limitTicks: priced.limitTicks,
      tickCents: market.rules.tickCents,
      referenceTicks: market.referenceTicks,
      bandExempt: bandExempt(account, market),
      feePpm: market.rules.feePpm,
      holdCents: question.holdCents,
      holdShares: question.holdShares,
      ...priced.terms,
    },
  };
}

/** Records a refused order with the terms of its request. */
export function refusedOrder(
  command: PlaceOrderCommand,
  { code, detail }: Refusal,
): Extract<AccountFact, { type: 'OrderRefused.v1' }> {
  const { order } = command;
  return {
    type: 'OrderRefused.v1',
    data: {
      ...requestOf(command),
      limitCents: centsOf(order.limit_price),
      code,
      detail,
      ...termsOf(order),
      ...(order.stop_price === undefined ? {} : { stopCents: centsOf(order.stop_price) ?? 0 }),
      ...(order.trail_price === undefined ? {} : { trailCents: centsOf(order.trail_price) ?? 0 }),
    },
  };
}

/** What the fact repeats of the request, whether the order is placed or refused. */
const requestOf = ({ orderId, accountId, order }: PlaceOrderCommand) => ({
  orderId,
  accountId,
  clientOrderId: order.client_order_id ?? null,
  symbol: order.symbol,
  side: order.side,
  type: order.type,
  timeInForce: order.time_in_force,
  quantity: quantityOf(order.qty),
});
