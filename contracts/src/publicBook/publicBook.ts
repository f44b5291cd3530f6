import assert from 'node:assert/strict';
import type { Side } from '../base/order.ts';
import type { BookEvent } from '../events/events.ts';
import { type Levels, levelsOf, noLevels, putLevel, takeLevel } from './publicLevels.ts';

/**
 * What everybody may see of one book, followed from the book's own events: the resting orders in the order in which
 * they came, and the shares at each price. Prices are ticks, quantities shares. An accepted order comes before its
 * trades but rests only what they leave, so the rest is entered once the last of them is seen: what is published
 * between two inputs is never crossed, but while orders gather for an auction. Of an iceberg its peak alone is here;
 * each peak is an order of its own.
 */
export type PublicBook = {
  bids: Levels;
  asks: Levels;
  /** By the order's own id, which is not public; at one price the first one has come first. */
  orders: Map<string, RestingOrder>;
  /**
   * The rest of an order of which more is told before it enters: `after` so many events, or (null) with the trade that
   * leaves so much.
   */
  coming: (Entry & { after: number | null }) | null;
  /** What changed since this was set; null where nobody wants to know. */
  touched: Touched | null;
};

export type RestingOrder = {
  /** Its public name: the sequence at which it was told. An order that comes in anew has another one. */
  id: string;
  side: Side;
  ticks: number;
  quantity: number;
};

/** Prices and orders that are not as they were. An order in both `added` and `removed` came and went. */
export type Touched = {
  bids: Set<number>;
  asks: Set<number>;
  added: Map<string, RestingOrder>;
  changed: Map<string, RestingOrder>;
  removed: Set<string>;
};

/** `shown` of the quantity will be seen. */
type Entry = {
  orderId: string;
  sequence: number;
  side: Side;
  ticks: number;
  quantity: number;
  shown: number;
};

export const emptyBook = (): PublicBook => ({
  bids: noLevels(),
  asks: noLevels(),
  orders: new Map(),
  coming: null,
  touched: null,
});
export const nothingTouched = (): Touched => ({
  bids: new Set(),
  asks: new Set(),
  added: new Map(),
  changed: new Map(),
  removed: new Set(),
});

/** Follows the book by one event, in place; `sequence` is its revision. Throws where it does not fit. */
export function evolveBook(book: PublicBook, event: BookEvent, sequence: number): void {
  switch (event.type) {
    case 'OrderActivated.v1':
    case 'OrderAccepted.v1': {
      const { order, side, limitTicks: ticks, quantity, restingQuantity } = event.data;
      const { entersAfter: after = null, shownQuantity: shown = restingQuantity } = event.data;
      if (restingQuantity === 0) return;
      const entry = { orderId: order.orderId, sequence, side, ticks, quantity: restingQuantity, shown };
      if (restingQuantity === quantity && after === null) enter(book, entry);
      else book.coming = { ...entry, after };
      return;
    }
    case 'OrderEntered.v1': {
      const { order, side, limitTicks: ticks, quantity } = event.data;
      enter(book, { orderId: order.orderId, sequence, side, ticks, quantity, shown: quantity });
      break;
    }
    case 'TradeExecuted.v1': {
      const { taker, auction, quantity, takerPeak } = event.data;
      met(book, event.data, sequence);
      if (auction) {
        // Both stood in the book, each at its own limit.
        reduce(book, taker.orderId, quantity);
        if (takerPeak !== undefined) {
          const seller = {
            orderId: taker.orderId,
            sequence,
            side: 'sell',
            ticks: auction.sellTicks,
          } as const;
          // The buyer may have shown a peak with this very event.
          enter(book, { ...seller, quantity: takerPeak, shown: takerPeak }, `${sequence}-2`);
        }
        break;
      }
      const { coming } = book;
      if (coming?.after === null && coming.orderId === taker.orderId && taker.leaves === coming.quantity) {
        arrive(book, coming);
      }
      break;
    }
    case 'TradePrevented.v1': {
      if (event.data.mode === 'decrement') met(book, event.data, sequence);
      break;
    }
    case 'OrderReplaced.v1': {
      const { order, side, leavesBefore, leaves, entry, held } = event.data;
      if (held) break;
      const { shownBefore = leavesBefore, shown = leaves } = event.data;
      reduce(book, order.orderId, entry ? shownBefore : shownBefore - shown);
      if (!entry) break;
      const { priceTicks: ticks, restingQuantity: quantity, shownQuantity = quantity } = entry;
      const { orderId } = order;
      const coming = { orderId, sequence, side, ticks, quantity, shown: shownQuantity };
      return awaited(book, coming, entry.entersAfter);
    }
    case 'OrderTriggered.v1': {
      const { order, side, limitTicks: ticks, restingQuantity: quantity, entersAfter: after } = event.data;
      const { orderId } = order;
      return awaited(book, { orderId, sequence, side, ticks, quantity, shown: quantity }, after);
    }
    case 'OrderReduced.v1':
      if (!event.data.held) reduce(book, event.data.order.orderId, event.data.quantity);
      break;
    case 'OrderCanceled.v1':
      if (!event.data.held) withdraw(book, event.data);
      break;
    case 'OrderExpired.v1':
      if (event.data.resting) withdraw(book, event.data);
      break;
    case 'EngineStarted.v1':
      // No output of an input.
      return;
  }
  const { coming } = book;
  if (!coming || coming.after === null) return;
  coming.after -= 1;
  if (coming.after === 0) arrive(book, coming);
}

function awaited(book: PublicBook, entry: Entry, after: number): void {
  if (entry.quantity === 0) return;
  if (after === 0) enter(book, entry);
  else book.coming = { ...entry, after };
}

function arrive(book: PublicBook, entry: Entry): void {
  book.coming = null;
  enter(book, entry);
}

/** The maker has so much less; what an iceberg then shows anew comes behind all others. */
function met(
  book: PublicBook,
  {
    maker: { orderId },
    priceTicks: ticks,
    quantity,
    makerPeak: shown,
    takerSide,
    ...more
  }: Extract<BookEvent, { type: 'TradeExecuted.v1' | 'TradePrevented.v1' }>['data'],
  sequence: number,
): void {
  reduce(book, orderId, quantity);
  if (shown === undefined) return;
  const side = takerSide === 'buy' ? 'sell' : 'buy';
  const at = 'auction' in more && more.auction ? more.auction.buyTicks : ticks;
  enter(book, { orderId, sequence, side, ticks: at, quantity: shown, shown });
}

const withdraw = (
  book: PublicBook,
  gone: Extract<BookEvent, { type: 'OrderCanceled.v1' | 'OrderExpired.v1' }>['data'],
): void => reduce(book, gone.order.orderId, gone.shownQuantity ?? gone.quantity);

function enter(
  book: PublicBook,
  { orderId, sequence, side, ticks, shown: quantity }: Entry,
  id = String(sequence),
): void {
  assert(!book.orders.has(orderId), `order ${orderId} enters the book twice`);
  const order = { id, side, ticks, quantity };
  book.orders.set(orderId, order);
  putLevel(sideOf(book, side), side, ticks, quantity);
  touch(book, side, ticks)?.added.set(order.id, order);
}

/** Takes so many shares off a resting order; what has none left is gone. */
function reduce(book: PublicBook, orderId: string, quantity: number): void {
  if (quantity === 0) return;
  const order = book.orders.get(orderId);
  assert(
    order && order.quantity >= quantity,
    `order ${orderId} rests ${order?.quantity ?? 0}, not ${quantity}`,
  );
  order.quantity -= quantity;
  takeLevel(sideOf(book, order.side), order.side, order.ticks, quantity);
  if (order.quantity === 0) book.orders.delete(orderId);
  const touched = touch(book, order.side, order.ticks);
  if (order.quantity === 0) touched?.removed.add(order.id);
  else touched?.changed.set(order.id, order);
}

function touch(book: PublicBook, side: Side, ticks: number): Touched | null {
  const { touched } = book;
  if (touched) (side === 'buy' ? touched.bids : touched.asks).add(ticks);
  return touched;
}

const sideOf = (book: PublicBook, side: Side): Levels => (side === 'buy' ? book.bids : book.asks);

/** Plain form for snapshots: each order's own id, public id, side, price and quantity, in the order of coming. */
export type StoredBook = {
  orders: [orderId: string, id: string, side: Side, ticks: number, quantity: number][];
  coming: PublicBook['coming'];
};
export const storedBook = ({ orders, coming }: PublicBook): StoredBook => ({
  orders: Array.from(orders, ([orderId, { id, side, ticks, quantity }]) => [
    orderId,
    id,
    side,
    ticks,
    quantity,
  ]),
  coming,
});

export function bookOf({ orders, coming }: StoredBook): PublicBook {
  const resting = orders.map(
    ([orderId, id, side, ticks, quantity]) => [orderId, { id, side, ticks, quantity }] as const,
  );
  const of = (side: Side) =>
    levelsOf(
      side,
      resting.flatMap(([, order]) => (order.side === side ? [order] : [])),
    );
  return { bids: of('buy'), asks: of('sell'), orders: new Map(resting), coming, touched: null };
}
