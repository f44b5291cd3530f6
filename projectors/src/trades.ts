import {
  decimalFromCents,
  type EventOf,
  keyOfStream,
  LAST_TRADES_MAX,
  tradeId,
  type views,
} from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';

/** The last trades of one symbol, newest first, each as the JSON text of its view: they never change again. */
export type LastTrades = string[];

/** Adds a trade at its place in the book, in place. */
export function addTrade(
  trades: LastTrades,
  event: EventOf<'TradeExecuted.v1'>,
  { stream, revision }: Pick<Recorded<unknown>, 'stream' | 'revision'>,
): void {
  const { trade, priceTicks, tickCents, quantity, takerSide } = event.data;
  const symbol = keyOfStream(stream);
  trades.unshift(
    JSON.stringify({
      id: tradeId(symbol, trade),
      symbol,
      sequence: revision,
      price: decimalFromCents(priceTicks * tickCents),
      qty: String(quantity),
      taker_side: takerSide,
      executed_at: event.time,
    } satisfies views.TradeView),
  );
  if (trades.length > LAST_TRADES_MAX) trades.pop();
}

/** JSON text of an array of `TradeView`. */
export const tradesText = (trades: LastTrades): string => `[${trades.join(',')}]`;
