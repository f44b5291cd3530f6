import type { RawEventOf } from '../rawEvent.ts';
import type { Book } from './bookState.ts';

/** Orders that end without a trade, in the book, beside it, or while they arrive. */
export function canceled(book: Book, event: RawEventOf<'OrderCanceled.v1'>): void {
  if (event.data.held) book.stops.release(event, event.data.order.orderId);
  else gone(book, event);
}

export function expired(book: Book, event: RawEventOf<'OrderExpired.v1'>): void {
  const { stops, incoming, wrong } = book;
  const { order, quantity, leftCents, reason, resting } = event.data;
  if (reason === 'OCO_TRIGGER') book.lists.lessened(event);
  stops.ends(event);
  if (resting) return gone(book, event);
  if (stops.has(order.orderId)) return void stops.release(event, order.orderId);
  const isArriving = incoming?.order.id === order.orderId;
  if (isArriving && incoming.money !== null) {
    if (incoming.money !== leftCents || quantity !== 0)
      wrong(event, `${incoming.money} cents of ${incoming.order.id} are left`);
    incoming.leaves = 0;
    book.spent(event, incoming);
  } else if (!isArriving || incoming.leaves !== quantity) {
    wrong(event, `the expired rest of ${order.orderId} does not add up`);
  } else incoming.leaves = 0;
}

/** An order for an amount of money has bought all that it could. */
export function completed(book: Book, event: RawEventOf<'OrderCompleted.v1'>): void {
  const { incoming } = book;
  const { order, leftCents } = event.data;
  if (incoming?.order.id !== order.orderId || incoming.money !== leftCents || incoming.filled === 0)
    return book.wrong(event, `${order.orderId} could still buy`);
  incoming.leaves = 0;
  book.spent(event, incoming);
}

function gone({ wrong, levels }: Book, event: RawEventOf<'OrderCanceled.v1' | 'OrderExpired.v1'>): void {
  const { quantity, shownQuantity = quantity } = event.data;
  const { orderId } = event.data.order;
  const entry = levels.resting.get(orderId);
  if (!entry) return wrong(event, `${orderId} is not in the book`);
  if (entry.leaves !== quantity) wrong(event, `${quantity} left the book, ${entry.leaves} were in it`);
  if (entry.shown !== shownQuantity) wrong(event, `${orderId} showed ${entry.shown}`);
  levels.remove(entry);
}
