import type { MarketState } from './marketState.ts';
import type { OrderType, TimeInForce } from './order.ts';
import type { RefusalCode } from './refusals.ts';

/**
 * Which orders a market takes, by order type, time in force, what else is asked for, and what the market does: the table
 * of `docs/orders.md`, from version 3 of the matching rules on. The engine's answer binds, command-api's is early.
 */
export type EntryTerms = {
  type: OrderType;
  timeInForce: TimeInForce;
  minQuantity?: number | undefined;
};

const TAKEN: Readonly<Record<OrderType, readonly TimeInForce[]>> = {
  limit: ['day', 'gtc', 'gtd', 'ioc', 'fok', 'opg', 'cls'],
  market: ['day', 'ioc', 'fok', 'opg', 'cls'],
  stop: ['day', 'gtc', 'gtd'],
  stop_limit: ['day', 'gtc', 'gtd'],
  trailing_stop: ['day', 'gtc', 'gtd'],
};

/** Undefined: it is taken. */
export function entryRefusal(order: EntryTerms, state: MarketState): RefusalCode | undefined {
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (state === 'closed') return 'MARKET_CLOSED';
  const { type, timeInForce, minQuantity } = order;
  if (!TAKEN[type].includes(timeInForce)) return 'TIME_IN_FORCE';
  const forOpening = timeInForce === 'opg';
  if (forOpening && state !== 'pre_open' && state !== 'opening_auction') return 'OPENING_OVER';
  const wantsTrades = timeInForce === 'ioc' || timeInForce === 'fok' || minQuantity !== undefined;
  if (wantsTrades && state !== 'continuous') return 'NOT_IN_AUCTION';
  return undefined;
}

/** It waits outside the book, unseen, for the closing call. */
export const waitsForClosing = (
  { timeInForce }: Pick<EntryTerms, 'timeInForce'>,
  state: MarketState,
): boolean => timeInForce === 'cls' && state !== 'closing_auction';
