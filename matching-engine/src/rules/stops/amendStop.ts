import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { type NewOrder, reduce, setFlags } from '../../book/book.ts';
import { exemptIf, UNPRICED } from '../../book/flags.ts';
import type { RestingOrder } from '../../book/levels.ts';
import { amendRefusal } from '../amendRefusal.ts';
import { expireAtNewPlace } from '../expiry.ts';
import { type Engine, follows } from '../state.ts';
import { addStop, removeStop, type StopTerms } from './stops.ts';

type Amend = EventOf<'OrderAmendRequested.v1'>;

/**
 * A change of a stop that waits for its trigger: its quantity, and a stop-limit's limit. Its stop price stays. Less
 * quantity keeps its arrival; anything else makes it the last to have come. Nothing of it is in the book.
 */
export function amendHeld(engine: Engine, event: Amend, order: OrderRef, held: RestingOrder): BookFact {
  const { stops } = engine;
  const { amendment, quantity } = event.data;
  const terms = stops.terms.get(held.id) as StopTerms;
  const limitTicks = event.data.limitTicks ?? terms.limitTicks;
  const moves = limitTicks !== terms.limitTicks;
  const code = refusal(engine, event, held, terms);
  if (code) return { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } };
  const { side, priceTicks, leaves: leavesBefore } = held;
  const asksAnew = follows(engine, 4);
  const flags = asksAnew ? exemptIf(held.flags, event.data.bandExempt === true) : held.flags;
  if (!moves && quantity < leavesBefore) {
    reduce(stops.book, held, quantity);
    setFlags(stops.book, held, flags);
  } else {
    removeStop(stops, held);
    const { id, accountId, revision } = held;
    if (asksAnew) expireAtNewPlace(engine, id);
    addStop(
      stops,
      { id, accountId, revision, side, priceTicks, flags, quantity, leaves: quantity },
      { ...terms, limitTicks },
    );
  }
  const change = { order, amendment, side, priceTicks, quantity, leavesBefore, leaves: quantity };
  return {
    type: 'OrderReplaced.v1',
    data: { ...change, held: true, ...(moves ? { limitTicks } : {}) },
  };
}

/** A change of an order that waits for the closing call, by the same rules of place. */
export function amendWaiting(engine: Engine, event: Amend, order: OrderRef, waiting: NewOrder): BookFact {
  const { amendment, quantity } = event.data;
  const { side, priceTicks, leaves: leavesBefore } = waiting;
  const limitTicks = event.data.limitTicks ?? priceTicks;
  const moves = limitTicks !== priceTicks;
  const code =
    event.data.limitTicks !== undefined && (waiting.flags & UNPRICED) !== 0
      ? 'ORDER_TYPE'
      : !moves && quantity === leavesBefore
        ? 'AMEND_NO_CHANGE'
        : amendRefusal(engine, event.data, { side, limitTicks, moves });
  if (code) return { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } };
  if (moves || quantity > leavesBefore) engine.waiting.delete(waiting.id);
  engine.waiting.set(waiting.id, { ...waiting, priceTicks: limitTicks, quantity, leaves: quantity });
  const change = { order, amendment, side, priceTicks, quantity, leavesBefore, leaves: quantity };
  return {
    type: 'OrderReplaced.v1',
    data: { ...change, held: true, ...(moves ? { limitTicks } : {}) },
  };
}

function refusal(
  engine: Engine,
  { data }: Amend,
  { side, quantity }: RestingOrder,
  terms: StopTerms,
): RefusalCode | undefined {
  const limitTicks = data.limitTicks ?? terms.limitTicks;
  const moves = limitTicks !== terms.limitTicks;
  const hasLimit = terms.type === 'stop_limit';
  if (!hasLimit && data.limitTicks !== undefined && follows(engine, 4)) return 'ORDER_TYPE';
  if (!moves && data.quantity === quantity) return 'AMEND_NO_CHANGE';
  if (!hasLimit && moves) return 'ORDER_TYPE';
  return amendRefusal(engine, data, { side, limitTicks, moves });
}
