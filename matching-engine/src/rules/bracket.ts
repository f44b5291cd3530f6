import type { BookFact, EngineInput, EventOf, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { isAtBound, withOutputsBefore } from './bound.ts';
import { isEndDeferred } from './deferredEnds.ts';
import { queueDueBracket } from './orderList.ts';
import { enter } from './place.ts';
import { type DormantOrder, type Engine, follows, lastPrice, type OrderList } from './state.ts';
import { triggersAt } from './stops/stops.ts';
import { runTriggers, triggerAtOnce } from './stops/triggers.ts';

/**
 * Brackets: a buy (the entry), and two legs that sell what it has bought, a take-profit and a stop-loss. The legs are
 * dormant, in no book, until the entry has ended. Then they are activated in continuous trading, for the quantity that was
 * filled. If nothing was filled they expire.
 */

/**
 * Updates the lists after an input: removes orders that have ended, and activates the legs of brackets whose entry has
 * ended, in the order of placement and in continuous trading alone.
 */
export function updateLists(engine: Engine, event: EngineInput, outputs: BookFact[]): void {
  if (!follows(engine, 4)) return updateListsByOldRules(engine, event, outputs);
  let next = 0;
  for (;;) {
    for (; next < outputs.length; next++) {
      for (const id of ordersOf(outputs[next] as BookFact)) {
        const endedBracket = removeEnded(engine, id, outputs);
        if (endedBracket) queueDueBracket(engine, endedBracket);
      }
    }
    if (engine.state !== 'continuous' || isAtBound(engine, outputs)) return;
    const list = nextDue(engine);
    if (!list) return;
    activate(engine, list, event, outputs);
  }
}

/** The next due bracket that still has legs. */
function nextDue({ dueBrackets, watchedBrackets }: Engine): OrderList | undefined {
  for (let list = dueBrackets.shift(); list; list = dueBrackets.shift()) {
    watchedBrackets.delete(list);
    if (list.entry && list.legs.length > 0) return list;
  }
  return undefined;
}

function ordersOf({ data }: BookFact): string[] {
  if ('order' in data) return [data.order.orderId];
  return 'maker' in data ? [data.maker.orderId, data.taker.orderId] : [];
}

/** Before version 4 of the rules: activates legs when their entry ends, or when continuous trading begins after that. */
function updateListsByOldRules(engine: Engine, event: EngineInput, outputs: BookFact[]): void {
  const updateListOf = (id: string) => {
    const endedBracket = removeEnded(engine, id, outputs);
    if (endedBracket && engine.state === 'continuous') activate(engine, endedBracket, event, outputs);
  };
  let beginsContinuous = false;
  // Activated orders may trade and end others, so the loop goes on over the outputs that they add.
  for (let next = 0; next < outputs.length; next++) {
    const { type, data } = outputs[next] as BookFact;
    for (const id of ordersOf(outputs[next] as BookFact)) updateListOf(id);
    if (type === 'MarketStateChanged.v1') beginsContinuous ||= data.state === 'continuous';
    if (next < outputs.length - 1 || !beginsContinuous) continue;
    beginsContinuous = false;
    for (const list of new Set(engine.lists.values())) {
      if (list.entry?.isOver) activate(engine, list, event, outputs);
    }
  }
}

/** Removes an ended order from its list. Returns the list if the order was its entry, ended just now, and legs remain. */
function removeEnded(engine: Engine, id: string, outputs: BookFact[]): OrderList | undefined {
  const list = engine.lists.get(id);
  if (!list || isOpen(engine, id)) return undefined;
  const { entry } = list;
  if (entry?.orderId === id) {
    if (entry.isOver) return undefined;
    entry.isOver = true;
    if (entry.filled === 0) expireDormant(engine, list, 'ENTRY_NOT_FILLED', outputs);
    if (list.legs.length > 0) return list;
    forgetEntry(engine, list);
    return undefined;
  }
  if (!isDormant(list, id)) removeLeg(engine, list, id);
  return undefined;
}

/** For its list an order is open until its end is reported. */
const isOpen = (engine: Engine, id: string): boolean =>
  engine.book.orders.has(id) ||
  engine.stops.book.orders.has(id) ||
  engine.closingOrders.has(id) ||
  isEndDeferred(engine, id);

/**
 * Enters the legs of a bracket for the quantity that was bought: first the stop is put aside, then the limit order arrives and
 * may trade. A stop that trades have reached meanwhile is triggered.
 */
function activate(engine: Engine, list: OrderList, event: EngineInput, outputs: BookFact[]): void {
  const { entry } = list;
  if (!entry) return;
  list.entry = null;
  engine.lists.delete(entry.orderId);
  engine.watchedBrackets.delete(list);
  const lastTicks = lastPrice(engine);
  const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
  for (const child of children.toReversed()) {
    const data = { ...child, quantity: entry.filled };
    const placed = { ...event, type: 'OrderPlaced.v1', data } as EventOf<'OrderPlaced.v1'>;
    engine.expiries.delete(child.orderId);
    const [accepted, ...others] = withOutputsBefore(engine, outputs.length, () =>
      enter(engine, placed, entry.revision),
    );
    if (accepted?.type === 'OrderAccepted.v1') outputs.push({ ...accepted, type: 'OrderActivated.v1' });
    outputs.push(...others);
  }
  const stopLoss = children.find(({ stopTicks }) => stopTicks !== undefined);
  if (follows(engine, 4)) {
    const stop = stopLoss && engine.stops.book.orders.get(stopLoss.orderId);
    const { lowTicks } = entry;
    const isReached = stop && lowTicks > 0 && lowTicks <= stop.priceTicks;
    if (isReached) triggerAtOnce(engine, { order: stop, printTicks: lowTicks }, event.time, outputs);
    return;
  }
  const isReached = stopLoss && triggersAt(stopLoss.side, stopLoss.stopTicks ?? 0, lastTicks);
  if (!isReached || engine.state !== 'continuous' || !engine.stops.terms.has(stopLoss.orderId)) return;
  runTriggers(engine, { before: lastTicks, first: lastTicks, last: lastTicks }, event.time, outputs);
}

const isDormant = (list: OrderList, id: string): boolean => list.entry !== null && list.legs.includes(id);

/** The dormant order with this id; undefined if there is none. */
export function dormantOf(
  { lists }: Engine,
  id: string,
): { order: OrderRef; terms: DormantOrder } | undefined {
  const list = lists.get(id);
  const terms =
    list && isDormant(list, id) ? list.entry?.dormant.find(({ orderId }) => orderId === id) : undefined;
  if (!list?.entry || !terms) return undefined;
  return { order: { orderId: id, accountId: terms.accountId, revision: list.entry.revision }, terms };
}

/** Removes a dormant order, which ends before it was activated. */
export function dropDormant(engine: Engine, id: string): void {
  const list = engine.lists.get(id);
  if (list) removeLeg(engine, list, id);
}

export function expireDormantOrder(
  engine: Engine,
  id: string,
  reason: ExpiryReason,
  outputs: BookFact[],
): void {
  const dormant = dormantOf(engine, id);
  if (!dormant) return;
  const { side, limitTicks: priceTicks, quantity } = dormant.terms;
  dropDormant(engine, id);
  const rest = { side, priceTicks, quantity, resting: false, reason };
  outputs.push({ type: 'OrderExpired.v1', data: { order: dormant.order, ...rest } });
}

/** Expires the dormant legs with time in force `day`, whether or not their entry has ended. */
export function expireDormantDay(engine: Engine, outputs: BookFact[]): void {
  for (const list of new Set(engine.lists.values())) {
    const { entry } = list;
    if (entry?.dormant[0]?.timeInForce !== 'day') continue;
    const isUnfilled = follows(engine, 4) && entry.filled === 0;
    expireDormant(engine, list, isUnfilled ? 'ENTRY_NOT_FILLED' : 'DAY_ENDED', outputs);
  }
}

/** Expires the legs of an entry that has expired and bought nothing. */
export function expireUnfilled(engine: Engine, entryId: string, outputs: BookFact[]): void {
  const list = engine.lists.get(entryId);
  if (list?.entry?.orderId === entryId && list.entry.filled === 0)
    expireDormant(engine, list, 'ENTRY_NOT_FILLED', outputs);
}

/** The id of a dormant order's entry if that has bought nothing yet. */
export function unfilledEntryOf({ lists }: Engine, id: string): string | undefined {
  const entry = lists.get(id)?.entry;
  return entry && entry.orderId !== id && entry.filled === 0 ? entry.orderId : undefined;
}

function expireDormant(engine: Engine, list: OrderList, reason: ExpiryReason, outputs: BookFact[]): void {
  for (const id of Array.from(list.legs)) expireDormantOrder(engine, id, reason, outputs);
}

function removeLeg(engine: Engine, list: OrderList, id: string): void {
  engine.lists.delete(id);
  list.legs.splice(list.legs.indexOf(id), 1);
  if (list.legs.length === 0 && list.entry?.isOver) forgetEntry(engine, list);
}

function forgetEntry({ lists, watchedBrackets }: Engine, list: OrderList): void {
  if (list.entry) lists.delete(list.entry.orderId);
  watchedBrackets.delete(list);
}
