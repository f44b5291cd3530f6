import assert from 'node:assert/strict';
import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { lookAheadMatches } from './bound.ts';
import type { Budget, Incoming } from './incoming.ts';
import { type Sweeper, sweepAhead } from './lookAhead.ts';

import { type Engine, follows, type Listing } from './state.ts';

/**
 * Market buys for an amount of money. At each price the money is floored to whole lots; it is never spent beyond. What
 * is left below one lot makes the order `filled`; more than that expires where there is nobody left to trade with.
 */
type Placed = EventOf<'OrderPlaced.v1'>['data'];

export const budgetOf = (notionalCents: number, { rules, matchingRules }: Listing): Budget => ({
  cents: notionalCents,
  odd: 0,
  countsOdd: matchingRules >= 4,
  lotShares: rules.lotShares ?? 1,
  sharesLeft: rules.orderSharesMax,
  lotsLeft: Number.POSITIVE_INFINITY,
  stopped: null,
  closed: false,
});

/**
 * Odd rests may be all that it finds, so that the whole would be no lots: what it would buy is looked up before, and no
 * more is bought than the whole lots of that. Version 4 of the rules.
 */
export function keepToLots(engine: Engine, incoming: Incoming, budget: Budget): void {
  if (budget.lotShares === 1 || !follows(engine, 4)) return;
  const thought = { ...budget };
  let bought = 0;
  const sweeper: Sweeper = {
    wants: (priceTicks) => affordable(thought, priceTicks * incoming.tickCents),
    takes(shares, priceTicks) {
      bought += shares;
      spend(thought, shares, priceTicks * incoming.tickCents);
    },
    loses: () => assert.fail('an amount of money is never decremented'),
  };
  const stopped = sweepAhead(engine, incoming, sweeper, lookAheadMatches(engine));
  const beyond = bought % budget.lotShares;
  if (beyond === 0 && stopped !== 'bounded') return;
  budget.lotsLeft = bought - beyond;
  budget.stopped = thought.closed ? 'satisfied' : stopped;
}

/** What the money buys at a price, so that the whole is lots. */
export function affordable({ cents, lotShares, sharesLeft, odd }: Budget, priceCents: number): number {
  const shares = Math.min(Math.floor(cents / priceCents), sharesLeft);
  return Math.max(0, shares - ((odd + shares) % lotShares));
}

/** Shares that were bought; returns how many more the rest buys at the same price. */
export function spend(budget: Budget, shares: number, priceCents: number): number {
  budget.cents -= shares * priceCents;
  budget.sharesLeft -= shares;
  budget.lotsLeft -= shares;
  if (budget.countsOdd) budget.odd = (budget.odd + shares) % budget.lotShares;
  assert(budget.cents >= 0 && budget.sharesLeft >= 0, 'no more is spent than there is');
  const more = affordable(budget, priceCents);
  budget.closed = more === 0;
  return more;
}

/** The end of such an order, where neither its last trade nor prevention was that; null where one was. */
export function endOfBudget(
  { side, limitTicks, leaves, ended, firstTicks, outside, bounded }: Incoming,
  { cents: leftCents, closed, stopped }: Budget,
  order: OrderRef,
): BookFact | null {
  if (ended || closed) return null;
  if (!bounded && (leaves === 0 || stopped === 'satisfied')) {
    assert(firstTicks > 0, 'one lot is affordable at any price within the protection');
    return { type: 'OrderCompleted.v1', data: { order, side, leftCents } };
  }
  const rest = { side, priceTicks: limitTicks, quantity: 0, resting: false, leftCents };
  const reason =
    bounded || stopped === 'bounded'
      ? 'EXECUTION_BOUND'
      : outside || stopped === 'outside'
        ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED'
        : 'INSUFFICIENT_LIQUIDITY';
  return { type: 'OrderExpired.v1', data: { order, ...rest, reason } };
}

/** Why such an order is not taken; its size and value are its money's. */
export function notionalRefusal(order: Placed, listing: Listing): RefusalCode | undefined {
  const { notionalCents = 0, side, type, timeInForce, selfTrade, minQuantity, limitTicks } = order;
  const { rules } = listing;
  if (limitTicks < 1 || order.tickCents !== rules.tickCents) return 'PRICE_TICK';
  const { notionalMinCents = 0, notionalMaxCents = notionalCents } = rules;
  const lots = affordable(budgetOf(notionalCents, listing), limitTicks * order.tickCents);
  if (lots === 0 || notionalCents < notionalMinCents) return 'MIN_NOTIONAL';
  if (notionalCents > notionalMaxCents) return 'MAX_NOTIONAL';
  const plain = selfTrade !== 'decrement' && minQuantity === undefined && order.quantity === 0;
  if (side !== 'buy' || type !== 'market' || !plain) return 'ORDER_TYPE';
  return timeInForce === 'ioc' ? undefined : 'TIME_IN_FORCE';
}
