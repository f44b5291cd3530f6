import assert from 'node:assert/strict';
import { type BookFact, type EventOf, placedOrders } from '@brokerx/contracts';
import type { Engine } from './engineState.ts';
import { addList, listRefusal } from './orderList.ts';
import { enter, refusal } from './place.ts';

/** A list of orders: all of them are taken, or none. The stop waits before the other one may trade. */
export function placeList(
  engine: Engine,
  event: EventOf<'OrderListPlaced.v1'>,
  revision: number,
): BookFact[] {
  const { data } = event;
  assert.equal(data.symbol, engine.symbol);
  const orders = placedOrders(data).map(
    (order) => ({ ...event, type: 'OrderPlaced.v1', data: order }) as EventOf<'OrderPlaced.v1'>,
  );
  const refused = orders.map((order) => refusal(engine, order.data)).find((code) => code !== undefined);
  const isOld = (engine.listing?.matchingRules ?? 0) < 3;
  const code = refused ?? (isOld ? 'MATCHING_RULES' : listRefusal(data));
  if (code) {
    return orders.map(({ data: { orderId, accountId } }) => ({
      type: 'OrderRejected.v1',
      data: { order: { orderId, accountId, revision }, code },
    }));
  }
  addList(engine, data);
  return orders.toReversed().flatMap((order) => enter(engine, order, revision));
}
