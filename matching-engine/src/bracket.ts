import type { BookFact, EngineInput, EventOf, ExpiryReason, OrderRef } from '@brokerx/contracts';
import { type Engine, lastPrice } from './engineState.ts';
import type { Dormant, OrderList } from './orderList.ts';
import { enter } from './place.ts';
import { runTriggers, triggersAt } from './triggers.ts';

/**
 * Brackets: a buy, and a take-profit and a stop-loss that sell what it has bought. These two are dormant, outside of
 * everything, until the entry has ended; then they arrive once, for what was filled, in continuous trading. Where
 * nothing was filled they expire.
 */

/** After an input: orders that ended have left their lists, and brackets whose entry ended go on. */
export function followLists(engine: Engine, event: EngineInput, outputs: BookFact[]): void {
  let opens = false;
  // What is activated may end others: its outputs are followed, too.
  for (let next = 0; next < outputs.length; next++) {
    const { type, data } = outputs[next] as BookFact;
    if ('order' in data) follow(engine, data.order.orderId, event, outputs);
    else if ('maker' in data) {
      follow(engine, data.maker.orderId, event, outputs);
      follow(engine, data.taker.orderId, event, outputs);
    } else if (type === 'MarketStateChanged.v1') opens ||= data.state === 'continuous';
    if (next < outputs.length - 1 || !opens) continue;
    opens = false;
    for (const list of new Set(engine.lists.values())) {
      if (list.entry?.isOver) activate(engine, list, event, outputs);
    }
  }
}

function follow(engine: Engine, id: string, event: EngineInput, outputs: BookFact[]): void {
  const { book, stops, waiting, lists } = engine;
  const list = lists.get(id);
  if (!list || book.orders.has(id) || stops.book.orders.has(id) || waiting.has(id)) return;
  const { entry } = list;
  if (entry?.orderId === id) {
    if (entry.isOver) return;
    entry.isOver = true;
    if (entry.filled === 0) expireDormant(engine, list, 'ENTRY_NOT_FILLED', outputs);
    if (list.legs.length === 0) forget(engine, list);
    else if (engine.state === 'continuous') activate(engine, list, event, outputs);
    return;
  }
  if (isDormant(list, id)) return;
  leave(engine, list, id);
}

/** The two arrive for what was bought: the stop waits, the limit may trade; a stop that was reached already triggers. */
function activate(engine: Engine, list: OrderList, event: EngineInput, outputs: BookFact[]): void {
  const { entry } = list;
  if (!entry) return;
  list.entry = null;
  engine.lists.delete(entry.orderId);
  const last = lastPrice(engine);
  const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
  for (const child of children.toReversed()) {
    const data = { ...child, quantity: entry.filled };
    const arrival = { ...event, type: 'OrderPlaced.v1', data } as EventOf<'OrderPlaced.v1'>;
    engine.expiries.delete(child.orderId);
    const [accepted, ...others] = enter(engine, arrival, entry.revision);
    if (accepted?.type === 'OrderAccepted.v1') outputs.push({ ...accepted, type: 'OrderActivated.v1' });
    outputs.push(...others);
  }
  const loss = children.find(({ stopTicks }) => stopTicks !== undefined);
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
    if (list.entry?.dormant[0]?.timeInForce === 'day') expireDormant(engine, list, 'DAY_ENDED', outputs);
  }
}

function expireDormant(engine: Engine, list: OrderList, reason: ExpiryReason, outputs: BookFact[]): void {
  for (const id of Array.from(list.legs)) expireDormantOrder(engine, id, reason, outputs);
}

function leave(engine: Engine, list: OrderList, id: string): void {
  engine.lists.delete(id);
  list.legs.splice(list.legs.indexOf(id), 1);
  if (list.legs.length === 0 && list.entry?.isOver) forget(engine, list);
}

function forget({ lists }: Engine, { entry }: OrderList): void {
  if (entry) lists.delete(entry.orderId);
}
