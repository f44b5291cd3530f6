import { hash } from 'node:crypto';
import type { MarketState, SymbolRules } from '@brokerx/contracts';
import { rest } from './book.ts';
import { type Engine, listing, newEngine } from './engine.ts';

/**
 * An engine's whole state as plain JSON, and back. The orders stand in priority in time, so that a restored book is
 * walked and matched in the same order. The version is that of this form: a snapshot of another one is not read.
 */
export const SNAPSHOT_KIND = 'book';
export const SNAPSHOT_VERSION = 2;

export type EngineSnapshot = {
  symbol: string;
  listing: { rules: SymbolRules; matchingRules: number; referenceTicks: number } | null;
  state: MarketState;
  bandsOff: boolean;
  trades: number;
  lastTradeTime: string;
  orders: OrderRow[];
};

/** id, account, revision, side, price (ticks), flags, quantity, leaves. */
export type OrderRow = [string, string, number, 'buy' | 'sell', number, number, number, number];

export function snapshot(engine: Engine): EngineSnapshot {
  const { symbol, listing: listed, state, bandsOff, trades, lastTradeTime, book } = engine;
  const orders: OrderRow[] = [];
  for (const order of book.orders.values()) {
    const { id, accountId, revision, side, priceTicks, flags, quantity, leaves } = order;
    orders.push([id, accountId, revision, side, priceTicks, flags, quantity, leaves]);
  }
  const plain = listed && {
    rules: listed.rules,
    matchingRules: listed.matchingRules,
    referenceTicks: listed.referenceTicks,
  };
  return { symbol, listing: plain, state, bandsOff, trades, lastTradeTime, orders };
}

/** Throws `UnknownMatchingRules` where the symbol follows rules that this engine does not know. */
export function restore(state: EngineSnapshot): Engine {
  const engine = newEngine(state.symbol);
  engine.listing = state.listing && listing(state.listing);
  engine.state = state.state;
  engine.bandsOff = state.bandsOff;
  engine.trades = state.trades;
  engine.lastTradeTime = state.lastTradeTime;
  for (const [id, accountId, revision, side, priceTicks, flags, quantity, leaves] of state.orders) {
    rest(engine.book, { id, accountId, revision, side, priceTicks, flags, quantity, leaves });
  }
  return engine;
}

/** Equal exactly where the states are: SHA-256 of the snapshot's text. */
export const stateHash = (state: EngineSnapshot): string => hash('sha256', JSON.stringify(state), 'hex');
