import { keyOfStream } from '../base/streams.ts';
import { decimalFromCents } from '../base/units.ts';
import { tradeId } from '../events/book.ts';
import type { EventOf } from '../events/events.ts';
import type { TradeView } from './views.ts';

/** A trade as it goes over the wire, in the hot view and on streams. `revision` is that of its event in the book's stream. */
export function tradeView(
  { data, time }: EventOf<'TradeExecuted.v1'>,
  { stream, revision }: { stream: string; revision: number },
): TradeView {
  const symbol = keyOfStream(stream);
  return {
    id: tradeId(symbol, data.trade),
    symbol,
    sequence: revision,
    price: decimalFromCents(data.priceTicks * data.tickCents),
    qty: String(data.quantity),
    taker_side: data.auction ? null : data.takerSide,
    executed_at: time,
  };
}
