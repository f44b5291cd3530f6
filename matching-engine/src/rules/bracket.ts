import type { BookFact, EngineInput, EventOf, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { behind, isFull } from './bound.ts';
import { becomeDue } from './orderList.ts';
import { enter } from './place.ts';
import { type Dormant, type Engine, follows, lastPrice, type OrderList } from './state.ts';
import { triggersAt } from './stops/stops.ts';
import { runTriggers, triggerAtOnce } from './stops/triggers.ts';
import { isUntold } from './untoldEnds.ts';

/**
 * Brackets: a buy, and a take-profit and a stop-loss that sell what it has bought. These two are dormant, outside of
 * everything, until the entry has ended; then they arrive once, for what was filled, in continuous trading. Where
 * nothing was filled they expire.
 */

/**
 * After an input: orders that ended have left their lists, and brackets whose entry ended arm, in continuous trading and
 * in the order in which they were placed.
 */
export function followLists(engine: Engine, event: EngineInput, outputs: BookFact[]): void {
  if (!follows(engine, 4)) return followAtOnce(engine, event, outputs);
  let next = 0;
  for (;;) {
    for (; next < outputs.length; next++) {
      for (const id of ordersOf(outputs[next] as BookFact)) {
        const over = follow(engine, id, outputs);
        if (over) becomeDue(engine, over);
      }
    }
    if (engine.state !== 'continuous' || isFull(engine, outputs)) return;
    const list = nextDue(engine);
    if (!list) return;
    activate(engine, list, event, outputs);
  }
}

/** The first that is due and has not ended meanwhile. */
function nextDue({ due, watched }: Engine): OrderList | undefined {
  for (let list = due.shift(); list; list = due.shift()) {
    watched.delete(list);
    if (list.entry && list.legs.length > 0) return list;
  }
  return undefined;
}

function ordersOf({ data }: BookFact): string[] {
  if ('order' in data) return [data.order.orderId];
  return 'maker' in data ? [data.maker.orderId, data.taker.orderId] : [];
}

/** By older rules: as their entries end, whatever the market does by then. */
function followAtOnce(engine: Engine, event: EngineInput, outputs: BookFact[]): void {
  const step = (id: string) => {
    const over = follow(engine, id, outputs);
    if (over && engine.state === 'continuous') activate(engine, over, event, outputs);
  };
  let opens = false;
  // What is activated may end others: its outputs are followed, too.
  for (let next = 0; next < outputs.length; next++) {
    const { type, data } = outputs[next] as BookFact;
    for (const id of ordersOf(outputs[next] as BookFact)) step(id);
    if (type === 'MarketStateChanged.v1') opens ||= data.state === 'continuous';
    if (next < outputs.length - 1 || !opens) continue;
    opens = false;
    for (const list of new Set(engine.lists.values())) {
      if (list.entry?.isOver) activate(engine, list, event, outputs);
    }
  }
}

/** An order of a list that has ended leaves it. The list whose entry it was, where that has bought something. */
function follow(engine: Engine, id: string, outputs: BookFact[]): OrderList | undefined {
  const list = engine.lists.get(id);
  if (!list || isOpen(engine, id)) return undefined;
  const { entry } = list;
  if (entry?.orderId === id) {
    if (entry.isOver) return undefined;
    entry.isOver = true;
    if (entry.filled === 0) expireDormant(engine, list, 'ENTRY_NOT_FILLED', outputs);
    if (list.legs.length > 0) return list;
    forget(engine, list);
    return undefined;
  }
  if (!isDormant(list, id)) leave(engine, list, id);
  return undefined;
}

/** For its list an order is open until its end is told. */
const isOpen = (engine: Engine, id: string): boolean =>
  engine.book.orders.has(id) ||
  engine.stops.book.orders.has(id) ||
  engine.waiting.has(id) ||
  isUntold(engine, id);

/** The two arrive for what was bought: the stop waits, the limit may trade; a stop that was reached already triggers. */
function activate(engine: Engine, list: OrderList, event: EngineInput, outputs: BookFact[]): void {
  const { entry } = list;
  if (!entry) return;
  list.entry = null;
  engine.lists.delete(entry.orderId);
  engine.watched.delete(list);
  const last = lastPrice(engine);
  const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
  for (const child of children.toReversed()) {
    const data = { ...child, quantity: entry.filled };
    const arrival = { ...event, type: 'OrderPlaced.v1', data } as EventOf<'OrderPlaced.v1'>;
    engine.expiries.delete(child.orderId);
    const [accepted, ...others] = behind(engine, outputs.length, () =>
      enter(engine, arrival, entry.revision),
    );
    if (accepted?.type === 'OrderAccepted.v1') outputs.push({ ...accepted, type: 'OrderActivated.v1' });
    outputs.push(...others);
  }
  const loss = children.find(({ stopTicks }) => stopTicks !== undefined);
  if (follows(engine, 4)) {
    const held = loss && engine.stops.book.orders.get(loss.orderId);
    const { lowTicks } = entry;
    const isReached = held && lowTicks > 0 && lowTicks <= held.priceTicks;
    if (isReached) triggerAtOnce(engine, { order: held, printTicks: lowTicks }, event.time, outputs);
    return;
  }
  const reached = loss && triggersAt(loss.side, loss.stopTicks ?? 0, last);
  if (!reached || engine.state !== 'continuous' || !engine.stops.terms.has(loss.orderId)) return;
  runTriggers(engine, { before: last, first: last, last }, event.time, outputs);
}

const isDormant = (list: OrderList, id: string): boolean => list.entry !== null && list.legs.includes(id);

/** A dormant order, if it is one. */
export function dormantOf({ lists }: Engine, id: string): { order: OrderRef; terms: Dormant } | undefined {
  const list = lists.get(id);
  const terms =
    list && isDormant(list, id) ? list.entry?.dormant.find(({ orderId }) => orderId === id) : undefined;
  if (!list?.entry || !terms) return undefined;
  return { order: { orderId: id, accountId: terms.accountId, revision: list.entry.revision }, terms };
}

/** It has ended before it arrived. */
export function dropDormant(engine: Engine, id: string): void {
  const list = engine.lists.get(id);
  if (list) leave(engine, list, id);
}

export function expireDormantOrder(
  engine: Engine,
  id: string,
  reason: ExpiryReason,
  outputs: BookFact[],
): void {
  const found = dormantOf(engine, id);
  if (!found) return;
  const { side, limitTicks: priceTicks, quantity } = found.terms;
  dropDormant(engine, id);
  const rest = { side, priceTicks, quantity, resting: false, reason };
  outputs.push({ type: 'OrderExpired.v1', data: { order: found.order, ...rest } });
}

/** Those that end with the day do, whether or not their entry has. */
export function expireDormantDay(engine: Engine, outputs: BookFact[]): void {
  for (const list of new Set(engine.lists.values())) {
    const { entry } = list;
    if (entry?.dormant[0]?.timeInForce !== 'day') continue;
    const isUnfilled = follows(engine, 4) && entry.filled === 0;
    expireDormant(engine, list, isUnfilled ? 'ENTRY_NOT_FILLED' : 'DAY_ENDED', outputs);
  }
}

/** The entry has ended: where it bought nothing, the others end with it, and not by their own time. */
export function expireUnfilled(engine: Engine, entryId: string, outputs: BookFact[]): void {
  const list = engine.lists.get(entryId);
  if (list?.entry?.orderId === entryId && list.entry.filled === 0)
    expireDormant(engine, list, 'ENTRY_NOT_FILLED', outputs);
}

/** The entry of a dormant order that has bought nothing yet. */
export function unfilledEntryOf({ lists }: Engine, id: string): string | undefined {
  const entry = lists.get(id)?.entry;
  return entry && entry.orderId !== id && entry.filled === 0 ? entry.orderId : undefined;
}

function expireDormant(engine: Engine, list: OrderList, reason: ExpiryReason, outputs: BookFact[]): void {
  for (const id of Array.from(list.legs)) expireDormantOrder(engine, id, reason, outputs);
}

function leave(engine: Engine, list: OrderList, id: string): void {
  engine.lists.delete(id);
  list.legs.splice(list.legs.indexOf(id), 1);
  if (list.legs.length === 0 && list.entry?.isOver) forget(engine, list);
}

function forget({ lists, watched }: Engine, list: OrderList): void {
  if (list.entry) lists.delete(list.entry.orderId);
  watched.delete(list);
}
