import assert from 'node:assert/strict';
import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { matchable, rest } from './book.ts';
import type { Engine } from './engineState.ts';
import { flagsOf } from './flags.ts';
import { type Incoming, match } from './match.ts';
import { tradable } from './selfTrade.ts';

type Placed = EventOf<'OrderPlaced.v1'>;

/** A new order: refused, or accepted, matched, and what is left of it put into the book or expired. */
export function place(engine: Engine, event: Placed, revision: number): BookFact[] {
  const asked = event.data;
  assert(asked.symbol === engine.symbol, `an order for ${asked.symbol} in the book of ${engine.symbol}`);
  assert(!engine.book.orders.has(asked.orderId), `order ${asked.orderId} was placed twice`);
  const order: OrderRef = { orderId: asked.orderId, accountId: asked.accountId, revision };
  const code = refusal(engine, asked);
  if (code) return [{ type: 'OrderRejected.v1', data: { order, code } }];

  const { side, type, timeInForce, quantity, limitTicks } = asked;
  const accepted: Extract<BookFact, { type: 'OrderAccepted.v1' }>['data'] = {
    order,
    side,
    type,
    timeInForce,
    quantity,
    limitTicks,
    restingQuantity: 0,
  };
  const outputs: BookFact[] = [{ type: 'OrderAccepted.v1', data: accepted }];
  const incoming: Incoming = {
    orderId: asked.orderId,
    accountId: asked.accountId,
    revision,
    side,
    limitTicks,
    tickCents: asked.tickCents,
    selfTrade: asked.selfTrade ?? 'none',
    time: event.time,
    leaves: quantity,
    ended: false,
    prevented: false,
  };
  // Looking ahead over the sweep; failing changes nothing.
  const wanted = timeInForce === 'fok' ? quantity : (asked.minQuantity ?? 0);
  const fails = wanted > 0 && tradable(engine.book, incoming, wanted) < wanted;
  if (!fails) match(engine, incoming, outputs);
  const { leaves } = incoming;
  if (leaves === 0 || incoming.ended) return outputs;

  const day = timeInForce === 'day';
  if (!fails && type === 'limit' && (day || timeInForce === 'gtc')) {
    accepted.restingQuantity = leaves;
    if (incoming.prevented) accepted.entersAfter = outputs.length - 1;
    rest(engine.book, {
      id: asked.orderId,
      accountId: asked.accountId,
      revision,
      side,
      priceTicks: limitTicks,
      flags: flagsOf({ day, postOnly: asked.postOnly, selfTrade: asked.selfTrade }),
      quantity,
      leaves,
    });
    return outputs;
  }
  const reason =
    timeInForce === 'fok'
      ? 'UNFILLED_FOK_ORDER_EXPIRED'
      : fails
        ? 'UNFILLED_MIN_QTY_ORDER_EXPIRED'
        : type === 'market'
          ? 'INSUFFICIENT_LIQUIDITY'
          : 'UNFILLED_IOC_QUANTITY_EXPIRED';
  outputs.push({
    type: 'OrderExpired.v1',
    data: { order, side, priceTicks: limitTicks, quantity: leaves, resting: false, reason },
  });
  return outputs;
}

/** The engine's own, binding checks, in order of precedence. Those of command-api may be a moment old. */
function refusal(engine: Engine, order: Placed['data']): RefusalCode | undefined {
  const { listing, state, bandsOff, book } = engine;
  if (!listing) return 'UNKNOWN_SYMBOL';
  const { rules, collar, matchingRules } = listing;
  const { side, quantity, limitTicks, tickCents, type, bandExempt } = order;
  if (state === 'halt') return 'SYMBOL_HALTED';
  const { postOnly, minQuantity, selfTrade } = order;
  if (matchingRules < 2 && (postOnly || minQuantity !== undefined || selfTrade !== undefined)) {
    return 'MATCHING_RULES';
  }
  if (quantity < 1 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
  // Who sells may sell an odd rest whole; what is held is the account's to know.
  if (side === 'buy' && rules.lotShares !== undefined && quantity % rules.lotShares !== 0) return 'LOT_STEP';
  if (limitTicks < 1 || tickCents !== rules.tickCents) return 'PRICE_TICK';
  // A market order's protection price is no limit of the client's: it was made from the reference of then.
  const banded = type === 'limit' && !bandExempt && !bandsOff;
  if (banded && (limitTicks < collar.lowTicks || limitTicks > collar.highTicks)) return 'PRICE_BAND';
  const { notionalMinCents, notionalMaxCents } = rules;
  if (notionalMinCents !== undefined || notionalMaxCents !== undefined) {
    const value = limitTicks * tickCents * quantity;
    if (side === 'buy' && notionalMinCents !== undefined && value < notionalMinCents) return 'MIN_NOTIONAL';
    if (notionalMaxCents !== undefined && value > notionalMaxCents) return 'MAX_NOTIONAL';
  }
  // Orders of its own account count: post-only is about the book, before any prevention.
  if (postOnly && matchable(book, side, limitTicks)) return 'WOULD_TAKE';
  return undefined;
}
