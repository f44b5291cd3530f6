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
 * Amends a stop that waits for its trigger: its quantity, or the limit of a stop-limit order. The stop price stays. A lower
 * quantity keeps its place among the stops; any other change makes it the last arrival.
 */
export function amendStop(engine: Engine, event: Amend, order: OrderRef, stop: RestingOrder): BookFact {
  const { stops } = engine;
  const { amendment, quantity } = event.data;
  const terms = stops.terms.get(stop.id) as StopTerms;
  const limitTicks = event.data.limitTicks ?? terms.limitTicks;
  const moves = limitTicks !== terms.limitTicks;
  const code = refusal(engine, event, stop, terms);
  if (code) return { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } };
  const { side, priceTicks, leaves: leavesBefore } = stop;
  const exemptsPerChange = follows(engine, 4);
  const flags = exemptsPerChange ? exemptIf(stop.flags, event.data.bandExempt === true) : stop.flags;
  if (!moves && quantity < leavesBefore) {
    reduce(stops.book, stop, quantity);
    setFlags(stops.book, stop, flags);
  } else {
    removeStop(stops, stop);
    const { id, accountId, revision } = stop;
    if (exemptsPerChange) expireAtNewPlace(engine, id);
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

/** Amends an order that waits for the closing call. It keeps or loses its place by the same rule. */
export function amendClosingOrder(
  engine: Engine,
  event: Amend,
  order: OrderRef,
  closingOrder: NewOrder,
): BookFact {
  const { amendment, quantity } = event.data;
  const { side, priceTicks, leaves: leavesBefore } = closingOrder;
  const limitTicks = event.data.limitTicks ?? priceTicks;
  const moves = limitTicks !== priceTicks;
  const code =
    event.data.limitTicks !== undefined && (closingOrder.flags & UNPRICED) !== 0
      ? 'ORDER_TYPE'
      : !moves && quantity === leavesBefore
        ? 'AMEND_NO_CHANGE'
        : amendRefusal(engine, event.data, { side, limitTicks, moves });
  if (code) return { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } };
  if (moves || quantity > leavesBefore) engine.closingOrders.delete(closingOrder.id);
  engine.closingOrders.set(closingOrder.id, {
    ...closingOrder,
    priceTicks: limitTicks,
    quantity,
    leaves: quantity,
  });
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
