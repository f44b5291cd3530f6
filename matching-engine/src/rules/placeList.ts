import assert from 'node:assert/strict';
import {
  type BookFact,
  type EventOf,
  type Listed,
  type ListKind,
  placedOrders,
  type RefusalCode,
} from '@brokerx/contracts';
import { behind } from './bound.ts';
import { addList, listRefusal } from './orderList.ts';
import { enter, refusal } from './place.ts';
import type { Dormant, Engine } from './state.ts';

/** A list of orders: all of them are taken, or none. The stop waits before the other one may trade. */
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
  const refused = orders
    .map((order) => orderRefusal(engine, order.data, data.kind))
    .find((code) => code !== undefined);
  const isOld = (engine.listing?.matchingRules ?? 0) < 3;
  const code = refused ?? (isOld ? 'MATCHING_RULES' : listRefusal(data));
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
      outputs = outputs.concat(behind(engine, outputs.length, () => enter(engine, order, revision)));
    return outputs;
  }
  const [first, ...others] = orders;
  if (!first) throw new Error('a bracket has an entry');
  const dormant = others.map(({ data: child }) => child);
  const entry = { orderId: first.data.orderId, filled: 0, isOver: false, revision, dormant, lowTicks: 0 };
  addList(engine, { listId, legs: dormant.map(({ orderId }) => orderId), entry });
  for (const { orderId, expiresAt } of dormant)
    if (expiresAt !== undefined) engine.expiries.set(orderId, expiresAt);
  const asleep = dormant.map((child) => sleeps(child, revision));
  return [...asleep, ...behind(engine, asleep.length, () => enter(engine, first, revision))];
}

/** Why an order of the list is refused. A bracket's stop may be reached already: it waits until the entry has bought. */
function orderRefusal(engine: Engine, order: Dormant & Listed, kind: ListKind): RefusalCode | undefined {
  const code = refusal(engine, order);
  const later = kind === 'bracket' && order.role !== 'entry' && code === 'WOULD_TRIGGER_IMMEDIATELY';
  return later ? undefined : code;
}

function sleeps(child: Dormant, revision: number): BookFact {
  const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, expiresAt } = child;
  const order = { orderId, accountId, revision };
  const terms = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
  const ends = expiresAt === undefined ? {} : { expiresAt };
  return { type: 'OrderAccepted.v1', data: { ...terms, ...ends, held: true, dormant: true } };
}
