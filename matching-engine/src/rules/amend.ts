import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { matchable } from '../book/book.ts';
import { BAND_EXEMPT, exemptIf, ICEBERG, POST_ONLY, selfTradeOf, UNPRICED } from '../book/flags.ts';
import type { RestingOrder } from '../book/levels.ts';
import { amendRefusal } from './amendRefusal.ts';
import { bandOf } from './auction/bands.ts';
import { beginCall } from './auction/call.ts';
import { dormantOf } from './bracket.ts';
import { expireAtNewPlace } from './expiry.ts';
import { hasTooManyPeaks, openOf, reduceShownLast, restShown, withdraw } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { match } from './match.ts';
import { isLeg } from './orderList.ts';
import { type Engine, follows } from './state.ts';
import { amendHeld, amendWaiting } from './stops/amendStop.ts';
import { runTriggers } from './stops/triggers.ts';

type Amend = EventOf<'OrderAmendRequested.v1'>;

/**
 * A change of an order in the book. Less quantity keeps its place; anything else takes it out and lets it arrive
 * anew under the same id. At or below what is done (filled or prevented) it ends as filled.
 */
export function amend(engine: Engine, asked: Amend, revision: number): BookFact[] {
  const { book } = engine;
  const { orderId, accountId, amendment } = asked.data;
  const order: OrderRef = { orderId, accountId, revision };
  const found = book.orders.get(orderId);
  const event = keepsQuantity(engine, asked, found ?? engine.stops.book.orders.get(orderId));
  const { quantity } = event.data;
  const resting = found?.accountId === accountId ? found : undefined;
  const taken = engine.state !== 'halt' && engine.state !== 'closed';
  const held = engine.stops.book.orders.get(orderId);
  if (held?.accountId === accountId && taken) return [amendHeld(engine, event, order, held)];
  const waiting = engine.waiting.get(orderId);
  if (waiting?.accountId === accountId && taken) return [amendWaiting(engine, event, order, waiting)];
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
  const leavesBefore = openOf(engine, resting);
  const shownBefore = resting.leaves;
  const iced = (resting.flags & ICEBERG) !== 0;
  const done = resting.quantity - leavesBefore;
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
      ...(iced ? { shownBefore } : {}),
    },
  });
  if (quantity <= done) {
    withdraw(engine, resting);
    return [replaced(done, 0)];
  }
  if (limitTicks === priceTicks && quantity < resting.quantity) {
    reduceShownLast(engine, resting, quantity);
    const reduced = replaced(quantity, quantity - done);
    if (iced) reduced.data.shown = resting.leaves;
    return [reduced];
  }
  return enterAnew(engine, event, resting, replaced(quantity, quantity - done));
}

/** The quantity of an order of a list is not its own: what its sibling did meanwhile stands. */
function keepsQuantity(engine: Engine, asked: Amend, found: RestingOrder | undefined): Amend {
  if (!found || engine.lists.size === 0 || !isLeg(engine, found.id)) return asked;
  return { ...asked, data: { ...asked.data, quantity: found.quantity } };
}

function enterAnew(
  engine: Engine,
  event: Amend,
  resting: RestingOrder,
  replaced: Extract<BookFact, { type: 'OrderReplaced.v1' }>,
): BookFact[] {
  const { listing } = engine;
  const { id, accountId, revision, side } = resting;
  // An exemption from the band is asked for anew by each change; older rules let the first one stand.
  const asksAnew = follows(engine, 4);
  const exempt = event.data.bandExempt === true || (!asksAnew && (resting.flags & BAND_EXEMPT) !== 0);
  const flags = asksAnew ? exemptIf(resting.flags, exempt) : resting.flags;
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
    band: bandOf(engine, exempt),
    ended: false,
    outside: false,
    bounded: false,
    prevented: false,
    firstTicks: 0,
  };
  const before = engine.lastTicks || (listing?.referenceTicks ?? 0);
  if (engine.state === 'continuous') match(engine, incoming, outputs);
  const { bounded, leaves } = incoming;
  const restingQuantity = incoming.ended || bounded ? 0 : leaves;
  const entry = { priceTicks: limitTicks, restingQuantity, entersAfter: outputs.length - 1 };
  const { quantity } = event.data;
  const place = { id, accountId, revision, side, priceTicks: limitTicks, flags, quantity };
  const shown = restingQuantity > 0 ? restShown(engine, { ...place, leaves: restingQuantity }, peak) : {};
  replaced.data.entry = { ...entry, ...shown };
  if (bounded) {
    const rest = { side, priceTicks: limitTicks, quantity: leaves, resting: false };
    const order = { orderId: id, accountId, revision };
    outputs.push({ type: 'OrderExpired.v1', data: { order, ...rest, reason: 'EXECUTION_BOUND' } });
  }
  if (follows(engine, 4)) expireAtNewPlace(engine, id);
  if (incoming.outside) beginCall(engine, 'volatility_auction', outputs);
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
  if (!resting && isDormant(engine, data)) return 'ORDER_LIST';
  if (!resting || !listing) return 'ORDER_NOT_OPEN';
  const { quantity } = data;
  const { side, priceTicks, flags } = resting;
  const limitTicks = data.limitTicks ?? priceTicks;
  const moves = limitTicks !== priceTicks;
  // Whatever limit is asked for: that it is the protection price already is not told.
  if (data.limitTicks !== undefined && (flags & UNPRICED) !== 0) return 'ORDER_TYPE';
  if (!moves && quantity === resting.quantity) return 'AMEND_NO_CHANGE';
  const { matchingRules } = listing;
  if (matchingRules < 2) return moves || quantity > resting.quantity ? 'AMEND_NOT_A_REDUCTION' : undefined;
  // To end it is always allowed.
  if (quantity <= resting.quantity - openOf(engine, resting)) return undefined;
  const code = amendRefusal(engine, data, { side, limitTicks, moves });
  if (code) return code;
  const peak = matchingRules >= 4 ? engine.icebergs.get(resting.id)?.peak : undefined;
  if (peak !== undefined && hasTooManyPeaks(quantity, peak)) return 'ICEBERG_PEAKS';
  const takes = moves && state === 'continuous' && matchable(book, side, limitTicks);
  if (takes && (flags & POST_ONLY) !== 0) return 'WOULD_TAKE';
  return undefined;
}

/** An order of a bracket whose entry has not ended: it is for nothing yet. */
const isDormant = (engine: Engine, { orderId, accountId }: Amend['data']): boolean =>
  follows(engine, 4) && dormantOf(engine, orderId)?.terms.accountId === accountId;
