import assert from 'node:assert/strict';
import type { BookFact, EventOf, OrderRef, RefusalCode } from '@brokerx/contracts';
import { lookAheadMatches } from './bound.ts';
import type { Budget, Incoming } from './incoming.ts';
import { type Sweeper, sweepAhead } from './lookAhead.ts';
import { type Engine, follows, type Listing } from './state.ts';

/**
 * Market buys for an amount of money. At each price the order buys the whole lots that its money pays for, and never spends
 * more than it has. When the rest is less than one lot costs, the order is `filled`; a larger rest expires when no
 * counterparty is left.
 */
type Placed = EventOf<'OrderPlaced.v1'>['data'];

export const budgetOf = (notionalCents: number, { rules, matchingRules }: Listing): Budget => ({
  cents: notionalCents,
  oddShares: 0,
  countsOddShares: matchingRules >= 4,
  lotShares: rules.lotShares ?? 1,
  sharesLeft: rules.orderSharesMax,
  lotsLeft: Number.POSITIVE_INFINITY,
  sweepEnd: null,
  isSpent: false,
});

/**
 * Limits a budget to whole lots, from version 4 of the rules on. The book may offer odd quantities alone, so that the total
 * bought would not be whole lots: a look-ahead says what the order would buy, and that is rounded down.
 */
export function keepToLots(engine: Engine, incoming: Incoming, budget: Budget): void {
  if (budget.lotShares === 1 || !follows(engine, 4)) return;
  const trial = { ...budget };
  let bought = 0;
  const sweeper: Sweeper = {
    wants: (priceTicks) => affordable(trial, priceTicks * incoming.tickCents),
    takes(shares, priceTicks) {
      bought += shares;
      spend(trial, shares, priceTicks * incoming.tickCents);
    },
    loses: () => assert.fail('an amount of money is never decremented'),
  };
  const sweepEnd = sweepAhead(engine, incoming, sweeper, lookAheadMatches(engine));
  const oddShares = bought % budget.lotShares;
  if (oddShares === 0 && sweepEnd !== 'bounded') return;
  budget.lotsLeft = bought - oddShares;
  budget.sweepEnd = trial.isSpent ? 'satisfied' : sweepEnd;
}

/** The shares that the money buys at a price, rounded down so that the total bought is whole lots. */
export function affordable({ cents, lotShares, sharesLeft, oddShares }: Budget, priceCents: number): number {
  const shares = Math.min(Math.floor(cents / priceCents), sharesLeft);
  return Math.max(0, shares - ((oddShares + shares) % lotShares));
}

/** Pays for shares that were bought. Returns how many more shares the money left buys at the same price. */
export function spend(budget: Budget, shares: number, priceCents: number): number {
  budget.cents -= shares * priceCents;
  budget.sharesLeft -= shares;
  budget.lotsLeft -= shares;
  if (budget.countsOddShares) budget.oddShares = (budget.oddShares + shares) % budget.lotShares;
  assert(budget.cents >= 0 && budget.sharesLeft >= 0, 'no more is spent than there is');
  const sharesMore = affordable(budget, priceCents);
  budget.isSpent = sharesMore === 0;
  return sharesMore;
}

/** The end of the order; null if its last trade or self-trade prevention has reported that already. */
export function endOfBudget(
  { side, limitTicks, leaves, ended, firstTicks, outsideBand, hitBound }: Incoming,
  { cents: leftCents, isSpent, sweepEnd }: Budget,
  order: OrderRef,
): BookFact | null {
  if (ended || isSpent) return null;
  if (!hitBound && (leaves === 0 || sweepEnd === 'satisfied')) {
    assert(firstTicks > 0, 'one lot is affordable at any price within the protection');
    return { type: 'OrderCompleted.v1', data: { order, side, leftCents } };
  }
  const rest = { side, priceTicks: limitTicks, quantity: 0, resting: false, leftCents };
  const reason =
    hitBound || sweepEnd === 'bounded'
      ? 'EXECUTION_BOUND'
      : outsideBand || sweepEnd === 'outside'
        ? 'EXECUTION_RULE_PRICE_RANGE_EXCEEDED'
        : 'INSUFFICIENT_LIQUIDITY';
  return { type: 'OrderExpired.v1', data: { order, ...rest, reason } };
}

/** Why an order for an amount of money is refused. The limits of value apply to the amount itself. */
export function notionalRefusal(order: Placed, listing: Listing): RefusalCode | undefined {
  const { notionalCents = 0, side, type, timeInForce, selfTrade, minQuantity, limitTicks } = order;
  const { rules } = listing;
  if (limitTicks < 1 || order.tickCents !== rules.tickCents) return 'PRICE_TICK';
  const { notionalMinCents = 0, notionalMaxCents = notionalCents } = rules;
  const affordableShares = affordable(budgetOf(notionalCents, listing), limitTicks * order.tickCents);
  if (affordableShares === 0 || notionalCents < notionalMinCents) return 'MIN_NOTIONAL';
  if (notionalCents > notionalMaxCents) return 'MAX_NOTIONAL';
  const isPlain = selfTrade !== 'decrement' && minQuantity === undefined && order.quantity === 0;
  if (side !== 'buy' || type !== 'market' || !isPlain) return 'ORDER_TYPE';
  return timeInForce === 'ioc' ? undefined : 'TIME_IN_FORCE';
}
