import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { reduce } from './book.ts';
import type { Engine } from './engineState.ts';
import { openOf, withdraw } from './iceberg.ts';
import type { RestingOrder } from './levels.ts';
import { removeStop } from './triggers.ts';

/**
 * Orders that belong together. A fill of one takes the same shares off the other at once, before any trigger is looked
 * at, wherever it is: in the book, waiting for its trigger, or triggered and waiting for its turn. To cancel one is to
 * cancel both; what ends otherwise leaves the other as it is.
 */
export type OrderList = {
  readonly listId: string;
  /** Those that are open. */
  readonly legs: string[];
};

/** The list of each open order that has one. */
export type Lists = Map<string, OrderList>;

/** Why the orders of a list do not fit together. */
export function listRefusal(list: EventOf<'OrderListPlaced.v1'>['data']): RefusalCode | undefined {
  const profit = list.orders.find(({ role }) => role === 'take_profit');
  const loss = list.orders.find(({ role }) => role === 'stop_loss');
  if (!profit || !loss || profit.side !== loss.side) return 'ORDER_LIST';
  if (profit.type !== 'limit' || (loss.type !== 'stop' && loss.type !== 'stop_limit')) return 'ORDER_LIST';
  const above = profit.limitTicks - (loss.stopTicks ?? 0);
  return (profit.side === 'sell' ? above > 0 : above < 0) ? undefined : 'ORDER_LIST';
}

export function addList({ lists }: Engine, { listId, orders }: EventOf<'OrderListPlaced.v1'>['data']): void {
  const list: OrderList = { listId, legs: orders.map(({ orderId }) => orderId) };
  for (const id of list.legs) lists.set(id, list);
}

/** An order filled so much: the other one of its list has less. True where that was told. */
export function fillsListed(engine: Engine, orderId: string, shares: number, outputs: BookFact[]): boolean {
  const list = engine.lists.get(orderId);
  if (!list) return false;
  const told = outputs.length;
  for (const id of list.legs) if (id !== orderId) lessen(engine, id, shares, outputs);
  return outputs.length > told;
}

/** Takes shares off an open order, wherever it is; with its last one it ends. */
function lessen(engine: Engine, id: string, shares: number, outputs: BookFact[]): void {
  const { book, stops } = engine;
  const resting = book.orders.get(id);
  if (resting) return lessenResting(engine, resting, shares, outputs);
  const waiting = stops.book.orders.get(id);
  const triggered = waiting ? undefined : stops.queue.find(({ order }) => order.id === id);
  const found = waiting ?? triggered?.order;
  if (!found || found.leaves === 0) return;
  const { side, leaves, priceTicks } = found;
  const order = refOf(found);
  const quantity = Math.min(shares, leaves);
  if (triggered) {
    const { order: before } = triggered;
    triggered.order = { ...before, quantity: before.quantity - quantity, leaves: leaves - quantity };
  }
  if (quantity < leaves) {
    if (waiting) reduce(stops.book, waiting, waiting.quantity - quantity);
    const rest = { order, side, priceTicks, quantity, leaves: leaves - quantity, held: true } as const;
    outputs.push({ type: 'OrderReduced.v1', data: rest });
    return;
  }
  const terms = waiting ? removeStop(stops, waiting) : triggered?.terms;
  const end = { order, side, priceTicks: terms?.limitTicks ?? priceTicks, quantity, resting: false };
  outputs.push({ type: 'OrderExpired.v1', data: { ...end, reason: 'OCO_TRIGGER' } });
}

function lessenResting(engine: Engine, resting: RestingOrder, shares: number, outputs: BookFact[]): void {
  const { side, priceTicks } = resting;
  const order = refOf(resting);
  const open = openOf(engine, resting);
  if (shares < open) {
    reduce(engine.book, resting, resting.quantity - shares);
    const rest = { order, side, priceTicks, quantity: shares, leaves: resting.leaves };
    outputs.push({ type: 'OrderReduced.v1', data: rest });
    return;
  }
  const { quantity } = withdraw(engine, resting);
  const end = { order, side, priceTicks, quantity, resting: true };
  outputs.push({ type: 'OrderExpired.v1', data: { ...end, reason: 'OCO_TRIGGER' } });
}

/** The other open orders of a list. */
export const siblingsOf = ({ lists }: Engine, orderId: string): readonly string[] =>
  lists.get(orderId)?.legs.filter((id) => id !== orderId) ?? [];

/** After an input: orders that ended have left their lists. */
export function followLists(engine: Engine, outputs: readonly BookFact[]): void {
  for (const { data } of outputs) {
    if ('order' in data) follow(engine, data.order.orderId);
    else if ('maker' in data) {
      follow(engine, data.maker.orderId);
      follow(engine, data.taker.orderId);
    }
  }
}

function follow({ book, stops, lists }: Engine, id: string): void {
  const list = lists.get(id);
  if (!list || book.orders.has(id) || stops.book.orders.has(id)) return;
  lists.delete(id);
  list.legs.splice(list.legs.indexOf(id), 1);
}

const refOf = ({ id, accountId, revision }: RestingOrder): OrderRef => ({ orderId: id, accountId, revision });
