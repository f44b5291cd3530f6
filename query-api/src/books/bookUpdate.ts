import {
  bookChecksum,
  CHECKSUM_LEVELS,
  decimalFromCents,
  type EventOf,
  type Levels,
  type MarketState,
  type PublicBook,
  placeOf,
  type RestingOrder,
  type Side,
  type StoredMarket,
  topLevels,
  tradeView,
  type views,
  type WireLevel,
} from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { type StreamMessage, streamMessage } from '../live/streamMessage.ts';

/** A trade with its place in the store. */
export type RecordedTrade = Recorded<EventOf<'TradeExecuted.v1'>>;

/** One update of a public book: its events from `U` to `u` as messages, made once for all watchers. */
export type BookUpdate = {
  U: number;
  u: number;
  /** Position of its last event in the store. */
  position: number;
  depth: StreamMessage;
  orders: StreamMessage;
  trades: readonly StreamMessage[];
  /** The recorded trades, for candles. */
  traded: readonly RecordedTrade[];
  /** Characters of its messages. */
  size: number;
};

/** Makes the update of a book that has just come from `U - 1` to `u`, from what it has touched since. */
export function bookUpdate(
  { symbol, tickCents, book }: { symbol: string; tickCents: number; book: PublicBook },
  range: { U: number; u: number; position: number },
  traded: readonly RecordedTrade[],
): BookUpdate {
  const { U, u, position } = range;
  const depth = streamMessage(
    { channel: 'depth', symbol },
    u,
    JSON.stringify(depthUpdate(book, tickCents, range)),
  );
  const changes = JSON.stringify(ordersUpdate(book, tickCents, range));
  const orders = streamMessage({ channel: 'book_orders', symbol }, u, changes);
  const trades = traded.map((recorded) =>
    streamMessage(
      { channel: 'trades', symbol },
      recorded.revision,
      JSON.stringify(tradeView(recorded.event, recorded)),
    ),
  );
  const size = [depth, orders, ...trades].reduce((sum, { data }) => sum + data.length, 0);
  return { U, u, position, depth, orders, trades, traded, size };
}

function depthUpdate(
  book: PublicBook,
  tickCents: number,
  { U, u }: { U: number; u: number },
): views.DepthUpdate {
  const of = (side: Side, levels: Levels, touched: ReadonlySet<number> = new Set()): WireLevel[] =>
    [...touched]
      .sort((a, b) => (side === 'buy' ? b - a : a - b))
      .map((ticks) => [decimalFromCents(ticks * tickCents), String(levels.quantities.get(ticks) ?? 0)]);
  return {
    U,
    u,
    crossed: isCrossed(book),
    checksum: checksumOf(book, tickCents),
    bids: of('buy', book.bids, book.touched?.bids),
    asks: of('sell', book.asks, book.touched?.asks),
  };
}

function ordersUpdate(
  { touched }: PublicBook,
  tickCents: number,
  { U, u }: { U: number; u: number },
): views.OrdersUpdate {
  const {
    added = new Map<string, RestingOrder>(),
    changed = added,
    removed = new Set<string>(),
  } = touched ?? {};
  return {
    U,
    u,
    removed: [...removed].filter((id) => !added.has(id)),
    changed: [...changed.values()]
      .filter(({ id }) => !added.has(id) && !removed.has(id))
      .map(({ id, quantity }) => ({ id, qty: String(quantity) })),
    added: [...added.values()]
      .filter(({ id }) => !removed.has(id))
      .map((order) => ({ ...wireOrder(order, tickCents), side: order.side })),
  };
}

export function bookView(
  symbol: string,
  sequence: number,
  book: PublicBook,
  tickCents: number,
  levels: number,
): views.BookView {
  return {
    symbol,
    last_update_id: sequence,
    crossed: isCrossed(book),
    checksum: checksumOf(book, tickCents),
    bids: topLevels(book.bids, tickCents, levels),
    asks: topLevels(book.asks, tickCents, levels),
  };
}

/** At most `count` resting orders of each side: the best price first, and at one price the oldest order first. */
export function bookOrdersView(
  symbol: string,
  sequence: number,
  book: PublicBook,
  tickCents: number,
  count: number,
): views.BookOrdersView {
  const of = (side: Side, { prices }: Levels) => {
    const queues: RestingOrder[][] = prices.map(() => []);
    for (const order of book.orders.values()) {
      if (order.side === side) queues[placeOf(prices, side, order.ticks)]?.push(order);
    }
    return queues
      .flat()
      .slice(0, count)
      .map((order) => wireOrder(order, tickCents));
  };
  return { symbol, last_update_id: sequence, bids: of('buy', book.bids), asks: of('sell', book.asks) };
}

export function bestPrices({ bids, asks }: PublicBook, tickCents: number): views.BestPricesView {
  const [bid] = topLevels(bids, tickCents, 1);
  const [ask] = topLevels(asks, tickCents, 1);
  return {
    bid: bid?.[0] ?? null,
    bid_qty: bid?.[1] ?? null,
    ask: ask?.[0] ?? null,
    ask_qty: ask?.[1] ?? null,
  };
}

export function auctionView(
  state: MarketState,
  indicative: StoredMarket['indicative'],
  tickCents: number,
): views.AuctionView {
  const { priceTicks, quantity, surplus, surplusSide } = indicative ?? { priceTicks: null };
  const runs = priceTicks !== null;
  return {
    state,
    indicative_price: runs ? decimalFromCents(priceTicks * tickCents) : null,
    indicative_qty: runs ? String(quantity) : null,
    surplus_side: (runs && surplusSide) || null,
    surplus_qty: runs && surplusSide ? String(surplus) : null,
  };
}

const wireOrder = ({ id, ticks, quantity }: RestingOrder, tickCents: number) => ({
  id,
  price: decimalFromCents(ticks * tickCents),
  qty: String(quantity),
});

const checksumOf = ({ bids, asks }: PublicBook, tickCents: number): number =>
  bookChecksum({
    bids: topLevels(bids, tickCents, CHECKSUM_LEVELS),
    asks: topLevels(asks, tickCents, CHECKSUM_LEVELS),
  });

function isCrossed({ bids, asks }: PublicBook): boolean {
  const [bid, ask] = [bids.prices[0], asks.prices[0]];
  return bid !== undefined && ask !== undefined && bid >= ask;
}
