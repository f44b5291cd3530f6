import { type EventOf, LAST_TRADES_MAX, tradeView } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';

/** The last trades of one symbol, newest first, each as the JSON text of its view, since trades never change. */
export type LastTrades = string[];

/** Adds a trade at its place in the book, in place. */
export function addTrade(
  trades: LastTrades,
  event: EventOf<'TradeExecuted.v1'>,
  place: Pick<Recorded<unknown>, 'stream' | 'revision'>,
): void {
  trades.unshift(JSON.stringify(tradeView(event, place)));
  if (trades.length > LAST_TRADES_MAX) trades.pop();
}

/** JSON text of an array of `TradeView`. */
export const tradesText = (trades: LastTrades): string => `[${trades.join(',')}]`;
