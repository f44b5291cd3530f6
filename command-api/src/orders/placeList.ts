import type { AccountFact, PlaceOrder } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { listWorstCase } from '../account/openList.ts';
import type { Market } from '../market/market.ts';
import { raise } from '../refusal.ts';
import { bandExempt } from './collar.ts';
import { newOrders } from './newOrders.ts';
import { type PlaceOrderCommand, refusedOrder } from './placeOrder.ts';
import { type Priced, price, quantityOf } from './price.ts';
import { firstRefusal, NEW_ORDER_LADDER } from './refusalPrecedence.ts';

export const isList = ({ order_class }: PlaceOrder): boolean =>
  order_class !== undefined && order_class !== 'simple';

/** The most orders that one list has. */
export const LISTED_ORDERS_MAX = 3;

/**
 * Decides about a list of orders: all of them are placed or none. The list holds the most that it may need, whichever
 * of its orders fills. Its refusal is recorded as that of its first order.
 */
export function placeOrderList(
  account: Account,
  command: PlaceOrderCommand & { listId: string; orderIds: readonly string[] },
): AccountFact {
  const { order, market, listId, accountId, orderIds } = command;
  const kind = order.order_class === 'bracket' ? 'bracket' : 'oco';
  const legs = legsOf(order).map((leg, index) => ({
    ...leg,
    orderId: orderIds[index] ?? raise('as many ids as orders'),
    priced: market ? price(market, leg.order) : undefined,
  }));
  const [first] = legs;
  if (!first) throw new Error('a list has orders');
  const isBracket = kind === 'bracket';
  // In a bracket only the entry holds: the other orders sell what the entry will have bought.
  const held = market ? heldBy(isBracket ? legs.slice(0, 1) : legs, market) : { holdCents: 0, holdShares: 0 };
  const questions = legs.map((leg) => ({ ...leg, waitsForEntry: isBracket && leg.role !== 'entry' }));
  const refusal = firstRefusal(
    NEW_ORDER_LADDER,
    newOrders(account, command, questions, { ...held, isList: true }),
  );
  if (refusal) {
    const refused = refusedOrder({ ...command, order: first.order, orderId: first.orderId }, refusal);
    return { ...refused, data: { ...refused.data, listKind: kind } };
  }
  if (!market) throw new Error('an unknown symbol was refused above');
  return {
    type: 'OrderListPlaced.v1',
    data: {
      listId,
      accountId,
      kind,
      symbol: order.symbol,
      quantity: quantityOf(order.qty),
      tickCents: market.rules.tickCents,
      referenceTicks: market.referenceTicks,
      bandExempt: bandExempt(account, market),
      feePpm: market.rules.feePpm,
      ...held,
      orders: legs.map(({ order: leg, orderId, role, priced }) => ({
        orderId,
        clientOrderId: leg.client_order_id ?? null,
        role,
        side: leg.side,
        type: leg.type,
        timeInForce: leg.time_in_force,
        limitTicks: limitOf(priced),
        ...priced?.terms,
      })),
    },
  };
}

type Leg = { role: 'entry' | 'take_profit' | 'stop_loss'; order: PlaceOrder };

/** Makes of the request the orders of the list, each as a request of its own. */
function legsOf({ take_profit, stop_loss, ...entry }: PlaceOrder): Leg[] {
  if (!take_profit || !stop_loss) throw new Error('a list has both');
  const { stop_price, limit_price } = stop_loss;
  const loss = limit_price === undefined ? 'stop' : 'stop_limit';
  const isBracket = entry.order_class === 'bracket';
  const { symbol, qty, time_in_force, expires_at, stp_mode } = entry;
  const side = isBracket ? 'sell' : entry.side;
  const common = { symbol, side, qty, time_in_force, expires_at, stp_mode } as const;
  const others: Leg[] = [
    { role: 'take_profit', order: { ...common, type: 'limit', ...take_profit } },
    {
      role: 'stop_loss',
      order: { ...common, type: loss, stop_price, limit_price, client_order_id: stop_loss.client_order_id },
    },
  ];
  return isBracket ? [{ role: 'entry', order: entry }, ...others] : others;
}

/** The most that these orders need together; nothing where a price is off the tick grid, which is refused. */
function heldBy(legs: readonly (Leg & { priced: Priced | undefined })[], market: Market) {
  const { tickCents, feePpm } = market.rules;
  return listWorstCase(
    legs.map(({ priced, order }) => ({
      side: order.side,
      limitTicks: priced?.limitTicks ?? 0,
      tickCents,
      quantity: quantityOf(order.qty),
      filledQuantity: 0,
      preventedQuantity: 0,
      filledValueCents: 0,
      feesCents: 0,
      feePpm,
      notionalCents: null,
      amendPending: null,
    })),
  );
}

const limitOf = (priced: Priced | undefined): number =>
  priced?.limitTicks ?? raise('an order without a price was refused above');
