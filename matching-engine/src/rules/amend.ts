import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { matchable } from '../book/book.ts';
import { BAND_EXEMPT, exemptIf, ICEBERG, POST_ONLY, selfTradeOf, UNPRICED } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';
import { amendRefusal } from './amendRefusal.ts';
import { bandOf } from './auction/bands.ts';
import { beginCall } from './auction/call.ts';
import { dormantOf } from './bracket.ts';
import { expireAtNewPlace } from './expiry.ts';
import { hasTooManyPeaks, openQuantityOf, reduceHiddenFirst, restWithPeak, withdraw } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { match } from './match.ts';
import { isLeg } from './orderList.ts';
import { type Engine, follows } from './state.ts';
import { amendClosingOrder, amendStop } from './stops/amendStop.ts';
import { runTriggers } from './stops/triggers.ts';

type Amend = EventOf<'OrderAmendRequested.v1'>;

/**
 * Amends an order. In the book, a lower quantity keeps its priority; any other change takes the order out and lets it arrive
 * again under the same id. A quantity at or below what is filled or prevented already ends the order as filled.
 */
export function amend(engine: Engine, request: Amend, revision: number): BookFact[] {
  const { book } = engine;
  const { orderId, accountId, amendment } = request.data;
  const order: OrderRef = { orderId, accountId, revision };
  const bookOrder = book.orders.get(orderId);
  const event = withListQuantity(engine, request, bookOrder ?? engine.stops.book.orders.get(orderId));
  const { quantity } = event.data;
  const resting = bookOrder?.accountId === accountId ? bookOrder : undefined;
  const takesChanges = engine.state !== 'halt' && engine.state !== 'closed';
  const stop = engine.stops.book.orders.get(orderId);
  if (stop?.accountId === accountId && takesChanges) return [amendStop(engine, event, order, stop)];
  const closingOrder = engine.closingOrders.get(orderId);
  if (closingOrder?.accountId === accountId && takesChanges)
    return [amendClosingOrder(engine, event, order, closingOrder)];
  const code = refusal(engine, event, resting);
  if (code || !resting) {
    return [
      {
        type: 'OrderReplaceRejected.v1',
        data: { order, amendment, code: code ?? 'ORDER_NOT_OPEN' },
      },
    ];
  }
  const { side, priceTicks } = resting;
  const leavesBefore = openQuantityOf(engine, resting);
  const shownBefore = resting.leaves;
  const isIceberg = (resting.flags & ICEBERG) !== 0;
  const doneQuantity = resting.quantity - leavesBefore;
  const limitTicks = event.data.limitTicks ?? priceTicks;
  const replaced = (total: number, leaves: number): Extract<BookFact, { type: 'OrderReplaced.v1' }> => ({
    type: 'OrderReplaced.v1',
    data: {
      order,
      amendment,
      side,
      priceTicks,
      quantity: total,
      leavesBefore,
      leaves,
      ...(isIceberg ? { shownBefore } : {}),
    },
  });
  if (quantity <= doneQuantity) {
    withdraw(engine, resting);
    return [replaced(doneQuantity, 0)];
  }
  if (limitTicks === priceTicks && quantity < resting.quantity) {
    reduceHiddenFirst(engine, resting, quantity);
    const reduced = replaced(quantity, quantity - doneQuantity);
    if (isIceberg) reduced.data.shown = resting.leaves;
    return [reduced];
  }
  return reenter(engine, event, resting, replaced(quantity, quantity - doneQuantity));
}

/** An amendment does not change the quantity of a leg: its present quantity stands, which fills of its sibling lower. */
function withListQuantity(engine: Engine, request: Amend, order: RestingOrder | undefined): Amend {
  if (!order || engine.lists.size === 0 || !isLeg(engine, order.id)) return request;
  return { ...request, data: { ...request.data, quantity: order.quantity } };
}

function reenter(
  engine: Engine,
  event: Amend,
  resting: RestingOrder,
  replaced: Extract<BookFact, { type: 'OrderReplaced.v1' }>,
): BookFact[] {
  const { listing } = engine;
  const { id, accountId, revision, side } = resting;
  // Each amendment says anew whether the order is exempt from the band; under older rules the first exemption stands.
  const exemptsPerChange = follows(engine, 4);
  const isExempt =
    event.data.bandExempt === true || (!exemptsPerChange && (resting.flags & BAND_EXEMPT) !== 0);
  const flags = exemptsPerChange ? exemptIf(resting.flags, isExempt) : resting.flags;
  const limitTicks = event.data.limitTicks ?? resting.priceTicks;
  const outputs: BookFact[] = [replaced];
  const { peak } = withdraw(engine, resting);
  const incoming: Incoming = {
    orderId: id,
    accountId,
    revision,
    side,
    limitTicks,
    tickCents: listing?.rules.tickCents ?? 1,
    selfTrade: selfTradeOf(flags),
    time: event.time,
    leaves: replaced.data.leaves,
    budget: null,
    band: bandOf(engine, isExempt),
    ended: false,
    outsideBand: false,
    hitBound: false,
    hasOtherOutputs: false,
    firstTicks: 0,
  };
  const before = engine.lastTicks || (listing?.referenceTicks ?? 0);
  if (engine.state === 'continuous') match(engine, incoming, outputs);
  const { hitBound, leaves } = incoming;
  const restingQuantity = incoming.ended || hitBound ? 0 : leaves;
  const entry = { priceTicks: limitTicks, restingQuantity, entersAfter: outputs.length - 1 };
  const { quantity } = event.data;
  const terms = { id, accountId, revision, side, priceTicks: limitTicks, flags, quantity };
  const shown = restingQuantity > 0 ? restWithPeak(engine, { ...terms, leaves: restingQuantity }, peak) : {};
  replaced.data.entry = { ...entry, ...shown };
  if (hitBound) {
    const rest = { side, priceTicks: limitTicks, quantity: leaves, resting: false };
    const order = { orderId: id, accountId, revision };
    outputs.push({ type: 'OrderExpired.v1', data: { order, ...rest, reason: 'EXECUTION_BOUND' } });
  }
  if (follows(engine, 4)) expireAtNewPlace(engine, id);
  if (incoming.outsideBand) beginCall(engine, 'volatility_auction', outputs);
  const { firstTicks } = incoming;
  if (firstTicks > 0 && engine.stops.terms.size > 0) {
    runTriggers(engine, { before, first: firstTicks, last: engine.lastTicks }, event.time, outputs);
  }
  return outputs;
}

function refusal(
  engine: Engine,
  { data }: Amend,
  resting: RestingOrder | undefined,
): RefusalCode | undefined {
  const { state, listing, book } = engine;
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (state === 'closed') return 'MARKET_CLOSED';
  if (!resting && isDormantOrder(engine, data)) return 'ORDER_LIST';
  if (!resting || !listing) return 'ORDER_NOT_OPEN';
  const { quantity } = data;
  const { side, priceTicks, flags } = resting;
  const limitTicks = data.limitTicks ?? priceTicks;
  const moves = limitTicks !== priceTicks;
  // Refused for any limit, even the protection price that the order has, because the refusal must not reveal it.
  if (data.limitTicks !== undefined && (flags & UNPRICED) !== 0) return 'ORDER_TYPE';
  if (!moves && quantity === resting.quantity) return 'AMEND_NO_CHANGE';
  const { matchingRules } = listing;
  if (matchingRules < 2) return moves || quantity > resting.quantity ? 'AMEND_NOT_A_REDUCTION' : undefined;
  // An amendment that ends the order is always allowed.
  if (quantity <= resting.quantity - openQuantityOf(engine, resting)) return undefined;
  const code = amendRefusal(engine, data, { side, limitTicks, moves });
  if (code) return code;
  const peak = matchingRules >= 4 ? engine.icebergs.get(resting.id)?.peak : undefined;
  if (peak !== undefined && hasTooManyPeaks(quantity, peak)) return 'ICEBERG_PEAKS';
  const wouldTake = moves && state === 'continuous' && matchable(book, side, limitTicks);
  if (wouldTake && (flags & POST_ONLY) !== 0) return 'WOULD_TAKE';
  return undefined;
}

/** Whether this is a leg of a bracket whose entry has not ended. Its quantity is not known yet. */
const isDormantOrder = (engine: Engine, { orderId, accountId }: Amend['data']): boolean =>
  follows(engine, 4) && dormantOf(engine, orderId)?.terms.accountId === accountId;
