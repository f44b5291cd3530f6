import assert from 'node:assert/strict';
import type { Side } from '../base/order.ts';
import type { BookEvent, EventOf } from '../events/events.ts';
import { type Levels, levelsOf, noLevels, putLevel, takeLevel } from './publicLevels.ts';

/**
 * The public state of one book, folded from the book's own events: the resting orders in the order of arrival, and the
 * shares at each price. Prices are ticks, quantities are shares.
 *
 * An `OrderAccepted` comes before the trades of its order, and only what they leave rests. The rest therefore enters
 * after the last of them, so that the book between two inputs is never crossed, except while orders gather for an
 * auction. Of an iceberg only the peak is here; each peak counts as an order of its own.
 */
export type PublicBook = {
  bids: Levels;
  asks: Levels;
  /** Keyed by the order's own id, which is not public. Within a level the Map is in the order of arrival. */
  orders: Map<string, RestingOrder>;
  /**
   * The rest of an arriving order that enters later: `after` this many events, or (null) with the trade that leaves
   * exactly its quantity.
   */
  coming: (Entry & { after: number | null }) | null;
  /** The changes since this was set; null when nobody publishes them. */
  touched: Touched | null;
};

export type RestingOrder = {
  /** The public id: the sequence of the event that entered the order. An order that enters again gets a new one. */
  id: string;
  side: Side;
  ticks: number;
  quantity: number;
};

/** Prices and orders that changed. An order in both `added` and `removed` came and left in between. */
export type Touched = {
  bids: Set<number>;
  asks: Set<number>;
  added: Map<string, RestingOrder>;
  changed: Map<string, RestingOrder>;
  removed: Set<string>;
};

/** An order on its way into the book; `shown` of its quantity is visible there. */
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

/** Applies one event to the book in place; `sequence` is its revision. Throws if the event contradicts the book. */
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
    case 'TradeExecuted.v1':
      applyTrade(book, event.data, sequence);
      break;
    case 'TradePrevented.v1': {
      if (event.data.mode === 'decrement') reduceMaker(book, event.data, sequence);
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
      return enterAfter(book, coming, entry.entersAfter);
    }
    case 'OrderTriggered.v1': {
      const { order, side, limitTicks: ticks, restingQuantity: quantity, entersAfter: after } = event.data;
      const { orderId } = order;
      return enterAfter(book, { orderId, sequence, side, ticks, quantity, shown: quantity }, after);
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
      // This is not an output of an input, so it does not count for `coming`.
      return;
  }
  const { coming } = book;
  if (!coming || coming.after === null) return;
  coming.after -= 1;
  if (coming.after === 0) enterComing(book, coming);
}

function applyTrade(book: PublicBook, trade: EventOf<'TradeExecuted.v1'>['data'], sequence: number): void {
  const { taker, auction, quantity, takerPeak } = trade;
  reduceMaker(book, trade, sequence);
  const { coming } = book;
  if (!auction) {
    const isComing = coming?.after === null && coming.orderId === taker.orderId;
    if (isComing && taker.leaves === coming.quantity) enterComing(book, coming);
    return;
  }
  // Both orders were in the book, each at its own limit.
  reduce(book, taker.orderId, quantity);
  if (takerPeak === undefined) return;
  const peak = { orderId: taker.orderId, sequence, side: 'sell', ticks: auction.sellTicks } as const;
  // The buyer's next peak may have entered with this same event, under the plain sequence.
  enter(book, { ...peak, quantity: takerPeak, shown: takerPeak }, `${sequence}-2`);
}

/** Enters an order after this many further events. */
function enterAfter(book: PublicBook, entry: Entry, after: number): void {
  if (entry.quantity === 0) return;
  if (after === 0) enter(book, entry);
  else book.coming = { ...entry, after };
}

function enterComing(book: PublicBook, entry: Entry): void {
  book.coming = null;
  enter(book, entry);
}

/** Takes the traded or prevented shares off the maker. An iceberg's next peak goes to the back of its level. */
function reduceMaker(
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
  {
    order,
    quantity,
    shownQuantity,
  }: Extract<BookEvent, { type: 'OrderCanceled.v1' | 'OrderExpired.v1' }>['data'],
): void => reduce(book, order.orderId, shownQuantity ?? quantity);

function enter(
  book: PublicBook,
  { orderId, sequence, side, ticks, shown: quantity }: Entry,
  publicId = String(sequence),
): void {
  if (book.orders.has(orderId)) assert.fail(`order ${orderId} enters the book twice`);
  const order = { id: publicId, side, ticks, quantity };
  book.orders.set(orderId, order);
  putLevel(sideOf(book, side), side, ticks, quantity);
  touch(book, side, ticks)?.added.set(order.id, order);
}

/** Takes shares off a resting order, and the order out of the book when none are left. */
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

/** The book in plain form, for snapshots: its orders in the order of arrival. */
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
  const levels = (side: Side) =>
    levelsOf(
      side,
      resting.flatMap(([, order]) => (order.side === side ? [order] : [])),
    );
  return { bids: levels('buy'), asks: levels('sell'), orders: new Map(resting), coming, touched: null };
}
