import type { MarketState } from './marketState.ts';
import type { OrderType, TimeInForce } from './order.ts';
import type { RefusalCode } from './refusals.ts';

/**
 * Decides which orders a market takes in its present state: the table in `docs/orders.md`, from version 3 of the
 * matching rules on. The engine's answer is binding; command-api asks the same question to refuse early.
 */
export type EntryTerms = {
  type: OrderType;
  timeInForce: TimeInForce;
  minQuantity?: number | undefined;
};

const TIMES_IN_FORCE: Readonly<Record<OrderType, readonly TimeInForce[]>> = {
  limit: ['day', 'gtc', 'gtd', 'ioc', 'fok', 'opg', 'cls'],
  market: ['day', 'ioc', 'fok', 'opg', 'cls'],
  stop: ['day', 'gtc', 'gtd'],
  stop_limit: ['day', 'gtc', 'gtd'],
  trailing_stop: ['day', 'gtc', 'gtd'],
};

/** Why the market does not take the order; undefined when it does. */
export function entryRefusal(order: EntryTerms, state: MarketState): RefusalCode | undefined {
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (state === 'closed') return 'MARKET_CLOSED';
  const { type, timeInForce, minQuantity } = order;
  if (!TIMES_IN_FORCE[type].includes(timeInForce)) return 'TIME_IN_FORCE';
  const forOpening = timeInForce === 'opg';
  if (forOpening && state !== 'pre_open' && state !== 'opening_auction') return 'OPENING_OVER';
  const wantsTrades = timeInForce === 'ioc' || timeInForce === 'fok' || minQuantity !== undefined;
  if (wantsTrades && state !== 'continuous') return 'NOT_IN_AUCTION';
  return undefined;
}

/** Whether the order waits, unseen and outside the book, for the closing call. */
export const waitsForClosing = (
  { timeInForce }: Pick<EntryTerms, 'timeInForce'>,
  state: MarketState,
): boolean => timeInForce === 'cls' && state !== 'closing_auction';
