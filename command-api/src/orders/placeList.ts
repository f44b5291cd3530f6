import type { AccountFact, PlaceOrder } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { listWorstCase } from '../account/openList.ts';
import { type Refusal, raise } from '../refusal.ts';
import { againstAccount, againstMarket, type PlaceOrderCommand, refusedOrder } from './placeOrder.ts';
import { type Priced, price, quantityOf } from './price.ts';
import { bandExempt } from './rules.ts';

export const isList = ({ order_class }: PlaceOrder): boolean =>
  order_class !== undefined && order_class !== 'simple';

/** Of one list. */
export const LISTED_ORDERS_MAX = 3;

/**
 * The decision about orders that belong together: all of them are taken or none. What is held for the list is the most
 * that it may need, for whichever of them fills. A refusal is recorded as that of the first one.
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
  const refuse = (refusal: Refusal): AccountFact => {
    const refused = refusedOrder({ ...command, order: first.order, orderId: first.orderId }, refusal);
    return { ...refused, data: { ...refused.data, listKind: kind } };
  };
  for (const leg of legs) {
    const refusal = againstMarket(account, { ...command, order: leg.order }, leg.priced);
    // The stop of a bracket has nothing to wait for before its entry has bought.
    const later = kind === 'bracket' && leg.role !== 'entry' && refusal?.code === 'WOULD_TRIGGER_IMMEDIATELY';
    if (refusal && !later) return refuse(refusal);
  }
  const names = legs.flatMap(({ order: { client_order_id } }) => client_order_id ?? []);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    return refuse({
      code: 'DUPLICATE_CLIENT_ORDER_ID',
      detail: `client_order_id ${twice} twice in one list`,
    });
  }
  if (!market) throw new Error('an unknown symbol was refused above');
  if (market.matchingRules < 3) {
    const detail = `${market.symbol} follows version ${market.matchingRules}; lists need version 3`;
    return refuse({ code: 'MATCHING_RULES', detail });
  }
  const { tickCents, feePpm } = market.rules;
  const quantity = quantityOf(order.qty);
  // Of a bracket the entry alone holds: the others sell what it will have bought.
  const holding = kind === 'bracket' ? legs.slice(0, 1) : legs;
  const held = listWorstCase(
    holding.map(({ priced, order: its }) => ({
      side: its.side,
      limitTicks: limitOf(priced),
      tickCents,
      quantity,
      filledQuantity: 0,
      preventedQuantity: 0,
      filledValueCents: 0,
      feesCents: 0,
      feePpm,
      notionalCents: null,
      amendPending: null,
    })),
  );
  const refusal = againstAccount(account, { ...command, market, orders: legs.length, ...held });
  if (refusal) return refuse(refusal);
  return {
    type: 'OrderListPlaced.v1',
    data: {
      listId,
      accountId,
      kind,
      symbol: order.symbol,
      quantity,
      tickCents,
      referenceTicks: market.referenceTicks,
      bandExempt: bandExempt(account, market),
      feePpm,
      ...held,
      orders: legs.map(({ order: its, orderId, role, priced }) => ({
        orderId,
        clientOrderId: its.client_order_id ?? null,
        role,
        side: its.side,
        type: its.type,
        timeInForce: its.time_in_force,
        limitTicks: limitOf(priced),
        ...priced?.terms,
      })),
    },
  };
}

type Leg = { role: 'entry' | 'take_profit' | 'stop_loss'; order: PlaceOrder };

/** The orders of the list, each as if it were asked for by itself. */
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

const limitOf = (priced: Priced | undefined): number =>
  priced?.limitTicks ?? raise('an order without a price was refused above');
