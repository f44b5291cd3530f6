import { type BookFact, type EventOf, isStop, type OrderRef, type RefusalCode } from '@brokerx/contracts';
import { reduce } from '../book/book.ts';
import type { RestingOrder } from '../book/levels.ts';
import { openQuantityOf, withdraw } from './iceberg.ts';
import { type Engine, type Entry, follows, lastPrice, type OrderList, type StoredList } from './state.ts';
import { removeStop } from './stops/stops.ts';

/** Why the orders of a list do not fit together; undefined when they do. */
export function listRefusal(list: EventOf<'OrderListPlaced.v1'>['data']): RefusalCode | undefined {
  const orderWithRole = (wantedRole: string) => list.orders.find(({ role }) => role === wantedRole);
  const [entry, profit, loss] = [
    orderWithRole('entry'),
    orderWithRole('take_profit'),
    orderWithRole('stop_loss'),
  ];
  if (!profit || !loss || profit.side !== loss.side) return 'ORDER_LIST';
  if (list.orders.some(({ timeInForce: time }) => time !== 'day' && time !== 'gtc' && time !== 'gtd'))
    return 'TIME_IN_FORCE';
  if (profit.type !== 'limit' || (loss.type !== 'stop' && loss.type !== 'stop_limit')) return 'ORDER_LIST';
  if ((entry !== undefined) !== (list.kind === 'bracket')) return 'ORDER_LIST';
  if (entry && (entry.side !== 'buy' || profit.side !== 'sell' || isStop(entry.type))) return 'ORDER_LIST';
  const distanceTicks = profit.limitTicks - (loss.stopTicks ?? 0);
  return (profit.side === 'sell' ? distanceTicks > 0 : distanceTicks < 0) ? undefined : 'ORDER_LIST';
}

export function addList(engine: Engine, stored: StoredList): void {
  const { lists } = engine;
  engine.listsPlaced += 1;
  const list = { ...stored, number: engine.listsPlaced };
  for (const id of list.legs) lists.set(id, list);
  if (list.entry) lists.set(list.entry.orderId, list);
}

/** Takes the shares that an order filled off the other order of its list. Returns whether that has outputs. */
export function reduceSiblings(
  engine: Engine,
  orderId: string,
  shares: number,
  outputs: BookFact[],
): boolean {
  const list = engine.lists.get(orderId);
  if (!list) return false;
  if (list.entry?.orderId === orderId) {
    list.entry.filled += shares;
    if (follows(engine, 4)) engine.watchedBrackets.add(list);
    return false;
  }
  const outputsBefore = outputs.length;
  for (const id of list.legs) if (id !== orderId) reduceLeg(engine, id, shares, outputs);
  return outputs.length > outputsBefore;
}

/** Notes this trade price for each watched bracket, unless it was a trade of the bracket's own entry. */
export function notePrint(
  { watchedBrackets }: Engine,
  priceTicks: number,
  isOwn: (entryId: string) => boolean,
): void {
  for (const { entry } of watchedBrackets)
    if (entry && !isOwn(entry.orderId)) lowerEntryLow(entry, priceTicks);
}

/** Before a watched bracket's entry trades in a sweep, notes the last price of that sweep: it was another order's trade. */
export function notePrintsBefore(
  { lists, watchedBrackets }: Engine,
  entryId: string,
  priceTicks: number,
): void {
  const list = lists.get(entryId);
  if (list?.entry?.orderId === entryId && watchedBrackets.has(list)) lowerEntryLow(list.entry, priceTicks);
}

function lowerEntryLow(entry: Entry, priceTicks: number): void {
  if (entry.lowTicks === 0 || priceTicks < entry.lowTicks) entry.lowTicks = priceTicks;
}

/** Queues a bracket whose entry has ended with shares bought. The queue is in the order of placement. */
export function queueDueBracket({ dueBrackets }: Engine, list: OrderList): void {
  let place = dueBrackets.length;
  while (place > 0 && (dueBrackets[place - 1] as OrderList).number > list.number) place -= 1;
  dueBrackets.splice(place, 0, list);
}

/** Starts to watch brackets when the symbol adopts version 4 of the rules. Of earlier trades only the last is known. */
export function startWatchingBrackets(engine: Engine): void {
  if (!follows(engine, 4)) return;
  for (const { entry } of new Set(engine.lists.values()))
    if (entry && entry.filled > 0 && entry.lowTicks === 0) entry.lowTicks = lastPrice(engine);
  restoreWatchedBrackets(engine);
}

/** Rebuilds `watchedBrackets` and `dueBrackets` from the lists, after a restart. */
export function restoreWatchedBrackets(engine: Engine): void {
  if (!follows(engine, 4)) return;
  for (const list of new Set(engine.lists.values())) {
    const { entry } = list;
    if (!entry || entry.filled === 0) continue;
    engine.watchedBrackets.add(list);
    if (entry.isOver) queueDueBracket(engine, list);
  }
}

/**
 * Takes shares off an open leg, which rests in the book, waits for its trigger, or is triggered and waits for its turn. The
 * leg ends when no shares are left.
 */
function reduceLeg(engine: Engine, id: string, shares: number, outputs: BookFact[]): void {
  const { book, stops } = engine;
  const resting = book.orders.get(id);
  if (resting) return reduceRestingLeg(engine, resting, shares, outputs);
  const stop = stops.book.orders.get(id);
  const triggered = stop ? undefined : stops.queue.find(({ order }) => order.id === id);
  const heldOrder = stop ?? triggered?.order;
  if (!heldOrder || heldOrder.leaves === 0) return;
  const { side, leaves, priceTicks } = heldOrder;
  const order = refOf(heldOrder);
  const quantity = Math.min(shares, leaves);
  if (triggered) {
    const { order: before } = triggered;
    triggered.order = { ...before, quantity: before.quantity - quantity, leaves: leaves - quantity };
  }
  if (quantity < leaves) {
    if (stop) reduce(stops.book, stop, stop.quantity - quantity);
    const rest = { order, side, priceTicks, quantity, leaves: leaves - quantity, held: true } as const;
    outputs.push({ type: 'OrderReduced.v1', data: rest });
    return;
  }
  const terms = stop ? removeStop(stops, stop) : triggered?.terms;
  const end = { order, side, priceTicks: terms?.limitTicks ?? priceTicks, quantity, resting: false };
  outputs.push({ type: 'OrderExpired.v1', data: { ...end, reason: 'OCO_TRIGGER' } });
}

function reduceRestingLeg(engine: Engine, resting: RestingOrder, shares: number, outputs: BookFact[]): void {
  const { side, priceTicks } = resting;
  const order = refOf(resting);
  const open = openQuantityOf(engine, resting);
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

/** The other open legs of an order's list; none for the entry of a bracket. */
export const siblingsOf = ({ lists }: Engine, orderId: string): readonly string[] =>
  lists.get(orderId)?.entry?.orderId === orderId
    ? []
    : (lists.get(orderId)?.legs.filter((id) => id !== orderId) ?? []);

const refOf = ({ id, accountId, revision }: RestingOrder): OrderRef => ({ orderId: id, accountId, revision });
