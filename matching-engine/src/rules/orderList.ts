import { type BookFact, type EventOf, isStop, type OrderRef, type RefusalCode } from '@brokerx/contracts';
import { reduce } from '../book/book.ts';
import type { RestingOrder } from '../book/levels.ts';
import { openOf, withdraw } from './iceberg.ts';
import { type Engine, type Entry, follows, type KeptList, lastPrice, type OrderList } from './state.ts';
import { removeStop } from './stops/stops.ts';

/** Why the orders of a list do not fit together; undefined when they do. */
export function listRefusal(list: EventOf<'OrderListPlaced.v1'>['data']): RefusalCode | undefined {
  const of = (wanted: string) => list.orders.find(({ role }) => role === wanted);
  const [entry, profit, loss] = [of('entry'), of('take_profit'), of('stop_loss')];
  if (!profit || !loss || profit.side !== loss.side) return 'ORDER_LIST';
  if (list.orders.some(({ timeInForce: time }) => time !== 'day' && time !== 'gtc' && time !== 'gtd'))
    return 'TIME_IN_FORCE';
  if (profit.type !== 'limit' || (loss.type !== 'stop' && loss.type !== 'stop_limit')) return 'ORDER_LIST';
  if ((entry !== undefined) !== (list.kind === 'bracket')) return 'ORDER_LIST';
  if (entry && (entry.side !== 'buy' || profit.side !== 'sell' || isStop(entry.type))) return 'ORDER_LIST';
  const above = profit.limitTicks - (loss.stopTicks ?? 0);
  return (profit.side === 'sell' ? above > 0 : above < 0) ? undefined : 'ORDER_LIST';
}

export function addList(engine: Engine, kept: KeptList): void {
  const { lists } = engine;
  engine.listsPlaced += 1;
  const list = { ...kept, number: engine.listsPlaced };
  for (const id of list.legs) lists.set(id, list);
  if (list.entry) lists.set(list.entry.orderId, list);
}

/** Takes the shares that an order filled off the other order of its list. True if that has outputs. */
export function fillsListed(engine: Engine, orderId: string, shares: number, outputs: BookFact[]): boolean {
  const list = engine.lists.get(orderId);
  if (!list) return false;
  if (list.entry?.orderId === orderId) {
    list.entry.filled += shares;
    if (follows(engine, 4)) engine.watched.add(list);
    return false;
  }
  const told = outputs.length;
  for (const id of list.legs) if (id !== orderId) lessen(engine, id, shares, outputs);
  return outputs.length > told;
}

/** Notes for each watched bracket that trades went down to this price, unless they were trades of its own entry. */
export function printed({ watched }: Engine, priceTicks: number, isOwn: (entryId: string) => boolean): void {
  for (const { entry } of watched) if (entry && !isOwn(entry.orderId)) hear(entry, priceTicks);
}

/** Notes this sweep's trades so far for an entry that is about to trade in it again: until now they were others'. */
export function printedBefore({ lists, watched }: Engine, entryId: string, priceTicks: number): void {
  const list = lists.get(entryId);
  if (list?.entry?.orderId === entryId && watched.has(list)) hear(list.entry, priceTicks);
}

function hear(entry: Entry, priceTicks: number): void {
  if (entry.lowTicks === 0 || priceTicks < entry.lowTicks) entry.lowTicks = priceTicks;
}

/** Queues a bracket whose entry has ended and bought something, in the order of placement. */
export function becomeDue({ due }: Engine, list: OrderList): void {
  let place = due.length;
  while (place > 0 && (due[place - 1] as OrderList).number > list.number) place -= 1;
  due.splice(place, 0, list);
}

/** Begins to watch brackets when version 4 of the rules begins. Earlier trades were not noted; the last one counts. */
export function watchFromHere(engine: Engine): void {
  if (!follows(engine, 4)) return;
  for (const { entry } of new Set(engine.lists.values()))
    if (entry && entry.filled > 0 && entry.lowTicks === 0) entry.lowTicks = lastPrice(engine);
  watchLists(engine);
}

/** Rebuilds `watched` and `due` from the lists, after a restart. */
export function watchLists(engine: Engine): void {
  if (!follows(engine, 4)) return;
  for (const list of new Set(engine.lists.values())) {
    const { entry } = list;
    if (!entry || entry.filled === 0) continue;
    engine.watched.add(list);
    if (entry.isOver) becomeDue(engine, list);
  }
}

/** Takes shares off an open order, wherever it is. The order ends when none are left. */
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

/** Whether the order is a leg of a list, which the entry of a bracket is not. */
export const isLeg = ({ lists }: Engine, orderId: string): boolean =>
  lists.get(orderId)?.legs.includes(orderId) ?? false;

/** The other open orders of a list. */
export const siblingsOf = ({ lists }: Engine, orderId: string): readonly string[] =>
  lists.get(orderId)?.entry?.orderId === orderId
    ? []
    : (lists.get(orderId)?.legs.filter((id) => id !== orderId) ?? []);

const refOf = ({ id, accountId, revision }: RestingOrder): OrderRef => ({ orderId: id, accountId, revision });
