import { hash } from 'node:crypto';
import type { BookFact, MarketState, SymbolRules, TradingPhase } from '@brokerx/contracts';
import { type NewOrder, rest } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import { type Engine, listing, newEngine } from '../rules/engine.ts';
import { openExpiries } from '../rules/expiry.ts';
import { addList, restoreWatchedBrackets } from '../rules/orderList.ts';
import type { Call, StoredList } from '../rules/state.ts';
import { addStop, type StopTerms, stopsByArrival } from '../rules/stops/stops.ts';

/**
 * Converts an engine's whole state to plain JSON and back. Orders are in time priority, so that a restored book is
 * matched in the same order. `packedState.ts` has the stored form.
 */
export type EngineSnapshot = {
  symbol: string;
  listing: { rules: SymbolRules; matchingRules: number; referenceTicks: number } | null;
  state: MarketState;
  phase: TradingPhase;
  opened: boolean;
  call: Call | null;
  bandsOff: boolean;
  trades: number;
  lastTradeTime: string;
  lastTicks: number;
  time: string;
  orders: OrderRow[];
  /** Icebergs in the book, by arrival of their peaks: id, peak, hidden. */
  icebergs: [string, number, number][];
  /** Lists of orders, by arrival. */
  lists: StoredList[];
  /** Orders that wait for their trigger, the oldest first. `arrivals` counts all that ever arrived. */
  stops: StopRow[];
  arrivals: number;
  /** Ids of reached stops that must wait for the next input, because one input's outputs are bounded; in order. */
  owed?: string[];
  /** Open `gtd` orders, by arrival: id, time at which the order ends. */
  expiries: [string, string][];
  /** Orders that wait for the closing call, by arrival. */
  waiting: OrderRow[];
  /** Ends of orders that must wait for the next input, because one input's outputs are bounded. */
  left?: BookFact[];
};

export type BesideOrders = Omit<EngineSnapshot, 'orders'>;

/** id, account, revision, side, price (ticks), flags, quantity, leaves. */
export type OrderRow = [string, string, number, 'buy' | 'sell', number, number, number, number];

/** The fields of `OrderRow`, then type, limit (ticks), trail (ticks, ppm), mark (ticks), arrival. The price is the stop. */
export type StopRow = [...OrderRow, StopTerms['type'], number, number, number, number, number];

export function snapshot(engine: Engine): EngineSnapshot {
  const orders: OrderRow[] = [];
  const icebergs: EngineSnapshot['icebergs'] = [];
  for (const order of engine.book.orders.values()) {
    orders.push(rowOf(order));
    const iceberg = (order.flags & ICEBERG) === 0 ? undefined : engine.icebergs.get(order.id);
    if (iceberg) icebergs.push([order.id, iceberg.peak, iceberg.hidden]);
  }
  return { ...besideOrders(engine), orders, icebergs };
}

/** The state without the book's orders. Everything is a copy, because it is written while the engine goes on. */
export function besideOrders(engine: Engine): BesideOrders {
  const { symbol, listing: listed, state, bandsOff, trades, lastTradeTime } = engine;
  const plain = listed && {
    rules: listed.rules,
    matchingRules: listed.matchingRules,
    referenceTicks: listed.referenceTicks,
  };
  const stops = stopsByArrival(engine.stops).map(({ order, terms: t }): StopRow => {
    const row = rowOf(order);
    return [...row, t.type, t.limitTicks, t.trailTicks, t.trailPpm, t.markTicks, t.arrival];
  });
  const { lastTicks, time, phase, opened, call } = engine;
  const { arrivals } = engine.stops;
  const phases = { state, phase, opened, call: call && { ...call } };
  const market = { symbol, listing: plain, ...phases, bandsOff, trades, lastTradeTime, lastTicks, time };
  const waiting = Array.from(engine.closingOrders.values(), rowOf);
  const icebergs = Array.from(engine.icebergs, ([id, { peak, hidden }]): [string, number, number] => [
    id,
    peak,
    hidden,
  ]);
  const lists = [...new Set(engine.lists.values())].map(({ listId, legs, entry }) => ({
    listId,
    legs: [...legs],
    entry: entry && { ...entry },
  }));
  const owed = [...engine.stops.deferredIds].filter((id) => engine.stops.terms.has(id));
  const left = [...engine.deferredEnds];
  return { ...market, icebergs, lists, stops, arrivals, owed, expiries: openExpiries(engine), waiting, left };
}

const rowOf = (order: NewOrder): OrderRow => [
  order.id,
  order.accountId,
  order.revision,
  order.side,
  order.priceTicks,
  order.flags,
  order.quantity,
  order.leaves,
];

/** The engine with this state. Throws `UnknownMatchingRules` if the symbol follows rules that this engine lacks. */
export function restore(state: EngineSnapshot): Engine {
  const engine = restoreBesideOrders(state);
  for (const [id, accountId, revision, side, priceTicks, flags, quantity, leaves] of state.orders) {
    rest(engine.book, { id, accountId, revision, side, priceTicks, flags, quantity, leaves });
  }
  return engine;
}

export function restoreBesideOrders(state: BesideOrders): Engine {
  const engine = newEngine(state.symbol);
  engine.listing = state.listing && listing(state.listing);
  engine.state = state.state;
  engine.phase = state.phase;
  engine.opened = state.opened;
  engine.call = state.call;
  engine.bandsOff = state.bandsOff;
  engine.trades = state.trades;
  engine.lastTradeTime = state.lastTradeTime;
  for (const [id, peak, hidden] of state.icebergs) engine.icebergs.set(id, { peak, hidden });
  for (const { entry, ...list } of state.lists)
    addList(engine, { ...list, entry: entry && { ...entry, lowTicks: entry.lowTicks ?? 0 } });
  engine.lastTicks = state.lastTicks;
  engine.time = state.time;
  for (const [id, accountId, revision, side, priceTicks, flags, quantity, leaves, ...terms] of state.stops) {
    const [type, limitTicks, trailTicks, trailPpm, markTicks, arrival] = terms;
    engine.stops.arrivals = arrival - 1;
    addStop(
      engine.stops,
      { id, accountId, revision, side, priceTicks, flags, quantity, leaves },
      { type, limitTicks, trailTicks, trailPpm, markTicks },
    );
  }
  engine.stops.arrivals = state.arrivals;
  engine.deferredEnds = [...(state.left ?? [])];
  for (const id of state.owed ?? []) engine.stops.deferredIds.add(id);
  restoreWatchedBrackets(engine);
  for (const [id, accountId, revision, side, priceTicks, flags, quantity, leaves] of state.waiting) {
    engine.closingOrders.set(id, { id, accountId, revision, side, priceTicks, flags, quantity, leaves });
  }
  for (const [id, expiresAt] of state.expiries) engine.expiries.set(id, expiresAt);
  return engine;
}

/** SHA-256 of the snapshot's text: equal exactly if the states are equal. */
export const stateHash = (state: EngineSnapshot): string =>
  hash('sha256', JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))), 'hex');
