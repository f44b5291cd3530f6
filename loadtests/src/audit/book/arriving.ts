import { ICEBERG_PEAKS_MAX } from '@brokerx/contracts';
import type { AuditedOrder } from '../order.ts';
import type { RawEventOf } from '../rawEvent.ts';
import type { Book } from './bookState.ts';

/** Orders that come to a book: placed, activated, triggered or changed; and, once all was told of one, its rest in the book. */
export function accepted(book: Book, event: RawEventOf<'OrderAccepted.v1'>): void {
  const { symbol, findings, stops } = book;
  const order = book.orders.get(event.data.order.orderId);
  if (!order) {
    findings.add('phantom', `${symbol}@${event.revision}: accepted an order that nobody placed`);
    return;
  }
  if (order.accepted) findings.add('duplicate', `${symbol}@${event.revision}: ${order.id} is accepted again`);
  order.accepted = true;
  checkTerms(book, event, order);
  arrived(book);
  const { quantity, limitTicks, restingQuantity, dormant, held } = event.data;
  if (dormant) return stops.sleep(order);
  if (held) return stops.hold(event, order, { quantity, limitTicks });
  book.incoming = {
    order,
    ticks: limitTicks,
    leaves: quantity,
    toRest: restingQuantity,
    filled: 0,
    changed: false,
    money: order.notionalCents,
  };
}

/** It is what was placed, and rests only where it may. */
function checkTerms(
  { wrong, input, bands }: Book,
  event: RawEventOf<'OrderAccepted.v1'>,
  order: AuditedOrder,
): void {
  const { quantity, limitTicks, side, restingQuantity } = event.data;
  if (quantity !== order.quantity || limitTicks !== order.limitTicks || side !== order.side) {
    wrong(event, `${order.id} is not what was placed`);
  }
  const atOnce = order.timeInForce === 'ioc' || order.timeInForce === 'fok';
  const mayRest = !atOnce && (order.type === 'limit' || order.type === 'market');
  if (input.version() >= 4 && order.peak !== null && quantity > ICEBERG_PEAKS_MAX * order.peak)
    wrong(event, `${order.id} has more peaks than ${ICEBERG_PEAKS_MAX}`);
  if (restingQuantity > 0 && order.type === 'market') bands.mustGather(event);
  if (restingQuantity > 0 && !mayRest) wrong(event, `${order.id} must not rest`);
}

/** An order of a bracket arrives, for what the entry has bought. */
export function activated(book: Book, event: RawEventOf<'OrderActivated.v1'>): void {
  const { wrong, stops } = book;
  arrived(book);
  const { order: ref, quantity, limitTicks, restingQuantity: toRest, held } = event.data;
  if (book.input.version() >= 4 && book.market !== 'continuous')
    wrong(event, `${ref.orderId} arms while the market is in ${book.market}`);
  const order = stops.wake(event, ref.orderId);
  if (!order) return;
  if (limitTicks !== order.limitTicks) wrong(event, `${order.id} is not what was placed`);
  if (held) return stops.hold(event, order, { quantity, limitTicks });
  comesAnew(book, { order, ticks: limitTicks, leaves: quantity, toRest });
}

export function triggered(book: Book, event: RawEventOf<'OrderTriggered.v1'>): void {
  arrived(book);
  const { limitTicks: ticks, quantity: leaves, restingQuantity: toRest } = event.data;
  const order = book.stops.triggered(event);
  if (toRest > 0 && order?.type !== 'stop_limit') book.bands.mustGather(event);
  if (order) comesAnew(book, { order, ticks, leaves, toRest });
}

/** An order was changed: it keeps its place with less, or comes anew. */
export function replaced(book: Book, event: RawEventOf<'OrderReplaced.v1'>): void {
  const { orderId } = event.data.order;
  const { leavesBefore, leaves, entry: anew, priceTicks } = event.data;
  const order = book.orders.get(orderId);
  if (order) order.bandExempt = order.asksExemption || (book.input.version() < 4 && order.bandExempt);
  if (event.data.held) return book.stops.change(event);
  const entry = book.levels.resting.get(orderId);
  if (!entry || entry.leaves !== leavesBefore || entry.ticks !== priceTicks || !order) {
    return book.wrong(event, `the change of ${orderId} does not add up`);
  }
  if (anew) {
    book.levels.remove(entry);
    return comesAnew(book, { order, ticks: anew.priceTicks, leaves, toRest: anew.restingQuantity });
  }
  if (leaves >= entry.leaves) book.wrong(event, `${orderId} keeps its place without being reduced`);
  entry.leaves = leaves;
  // What is hidden goes first.
  const shown = Math.min(entry.shown, leaves);
  if (entry.peak !== null && leaves > 0 && event.data.shown !== shown)
    book.wrong(event, `${orderId} shows ${shown}`);
  entry.shown = shown;
  if (entry.leaves === 0) book.levels.remove(entry);
}

function comesAnew(
  book: Book,
  terms: { order: AuditedOrder; ticks: number; leaves: number; toRest: number },
): void {
  book.incoming = { ...terms, filled: 0, changed: true, money: null };
}

/** An order that waited for its call enters, as it was placed. */
export function entered(book: Book, event: RawEventOf<'OrderEntered.v1'>): void {
  const { wrong, market } = book;
  const { order, limitTicks, quantity } = event.data;
  const waited = book.stops.release(event, order.orderId);
  if (!waited) return;
  if (market !== 'closing_auction' || waited.order.timeInForce !== 'cls')
    wrong(event, `${order.orderId} enters while the market is in ${market}`);
  if (waited.limitTicks !== limitTicks || waited.quantity !== quantity)
    wrong(event, `${order.orderId} enters as another order than it was placed`);
  book.levels.enter(waited.order, limitTicks, quantity, book.input.version());
}

/** All that was told of the arriving order is applied: what is left of it goes into the book. */
export function arrived(book: Book): void {
  if (!book.incoming) return;
  const { symbol, findings, levels } = book;
  const { order, ticks, leaves, toRest, filled, changed } = book.incoming;
  book.incoming = undefined;
  if (leaves !== toRest) {
    findings.add('mismatch', `${symbol}: ${order.id} has ${leaves} left, ${toRest} were to rest`);
  }
  const least = order.timeInForce === 'fok' ? order.quantity : order.minQuantity;
  if (!changed && (filled > 0 || toRest > 0) && filled < least) {
    findings.add('mismatch', `${symbol}: ${order.id} filled ${filled} at once and rests, it wanted ${least}`);
  }
  if (toRest === 0) return;
  const opposite = book.market === 'continuous' && levels.best(order.side === 'buy' ? 'sell' : 'buy');
  if (opposite && (order.side === 'buy' ? opposite.ticks <= ticks : opposite.ticks >= ticks)) {
    findings.add('mismatch', `${symbol}: the book is crossed after ${order.id}`);
  }
  levels.enter(order, ticks, toRest, book.input.version());
}
