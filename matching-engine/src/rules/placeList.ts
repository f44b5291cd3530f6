import assert from 'node:assert/strict';
import {
  type BookFact,
  type EventOf,
  type Listed,
  type ListKind,
  placedOrders,
  type RefusalCode,
} from '@brokerx/contracts';
import { withOutputsBefore } from './bound.ts';
import { addList, listRefusal } from './orderList.ts';
import { enter, refusal } from './place.ts';
import type { DormantOrder, Engine } from './state.ts';

/** Places a list of orders: accepts all of them, or none. The stop is put aside before the limit order may trade. */
export function placeList(
  engine: Engine,
  event: EventOf<'OrderListPlaced.v1'>,
  revision: number,
): BookFact[] {
  const { data } = event;
  assert.equal(data.symbol, engine.symbol);
  const orders = placedOrders(data).map(
    (order) =>
      ({ ...event, type: 'OrderPlaced.v1', data: order }) as EventOf<'OrderPlaced.v1'> & { data: Listed },
  );
  const orderCode = orders
    .map((order) => orderRefusal(engine, order.data, data.kind))
    .find((code) => code !== undefined);
  const rulesLackLists = (engine.listing?.matchingRules ?? 0) < 3;
  const code = orderCode ?? (rulesLackLists ? 'MATCHING_RULES' : listRefusal(data));
  if (code) {
    return orders.map(({ data: { orderId, accountId } }) => ({
      type: 'OrderRejected.v1',
      data: { order: { orderId, accountId, revision }, code },
    }));
  }
  const { listId } = data;
  if (data.kind === 'oco') {
    addList(engine, { listId, legs: data.orders.map(({ orderId }) => orderId), entry: null });
    let outputs: BookFact[] = [];
    for (const order of orders.toReversed())
      outputs = outputs.concat(
        withOutputsBefore(engine, outputs.length, () => enter(engine, order, revision)),
      );
    return outputs;
  }
  const [entryOrder, ...legOrders] = orders;
  if (!entryOrder) throw new Error('a bracket has an entry');
  const dormant = legOrders.map(({ data: child }) => child);
  const entry = {
    orderId: entryOrder.data.orderId,
    filled: 0,
    isOver: false,
    revision,
    dormant,
    lowTicks: 0,
  };
  addList(engine, { listId, legs: dormant.map(({ orderId }) => orderId), entry });
  for (const { orderId, expiresAt } of dormant)
    if (expiresAt !== undefined) engine.expiries.set(orderId, expiresAt);
  const accepted = dormant.map((child) => dormantAccepted(child, revision));
  return [
    ...accepted,
    ...withOutputsBefore(engine, accepted.length, () => enter(engine, entryOrder, revision)),
  ];
}

/** Why an order of the list is refused. The stop of a bracket may be reached already, because it is dormant at first. */
function orderRefusal(engine: Engine, order: DormantOrder & Listed, kind: ListKind): RefusalCode | undefined {
  const code = refusal(engine, order);
  const mayTriggerLater =
    kind === 'bracket' && order.role !== 'entry' && code === 'WOULD_TRIGGER_IMMEDIATELY';
  return mayTriggerLater ? undefined : code;
}

/** The output for a leg of a bracket: it is accepted, and dormant. */
function dormantAccepted(child: DormantOrder, revision: number): BookFact {
  const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, expiresAt } = child;
  const order = { orderId, accountId, revision };
  const terms = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
  const expiry = expiresAt === undefined ? {} : { expiresAt };
  return { type: 'OrderAccepted.v1', data: { ...terms, ...expiry, held: true, dormant: true } };
}
