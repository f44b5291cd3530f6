import {
  type AccountFact,
  decimalFromCents,
  entryRefusal,
  ICEBERG_PEAKS_MAX,
  isStop,
  type PlaceOrder,
  timeOf,
} from '@brokerx/contracts';
import { type Account, availableCents, availableShares } from '../account/account.ts';
import { RATE_WINDOW_MS, ratesAt } from '../account/rates.ts';
import { marketMs } from '../market/calendar.ts';
import { knownState, type Market } from '../market/market.ts';
import type { Refusal } from '../refusal.ts';
import { centsOf, lastPrice, newerTerms, type Priced, price, quantityOf, termsOf } from './price.ts';
import { againstNotional, againstRules, bandExempt } from './rules.ts';

/**
 * The decision about a new order. The guards stand in the order of precedence of `contracts/refusals.ts`. What the market
 * is at this moment (its state, its reference price) comes with the command; the engine's own check binds.
 */

/** Bounds what one account can make the book hold, and one settlement of a cancel-all. */
export const OPEN_ORDERS_MAX = 200;
/** Orders placed and not filled in a minute; a fill gives one back, a cancel does not. */
export const UNFILLED_ORDERS_MAX = 1_000;

export type PlaceOrderCommand = {
  orderId: string;
  accountId: string;
  nowMs: number;
  order: PlaceOrder;
  /** Undefined: there is no such symbol. */
  market: Market | undefined;
};

/** `OrderPlaced`, or `OrderRefused`: a refused order is recorded and can be asked for (`momentary.ts` has the exceptions). */
export function placeOrder(account: Account, command: PlaceOrderCommand): AccountFact {
  const { order } = command;
  const priced = command.market ? price(command.market, order) : undefined;
  const refusal = whyNot(account, command, priced);
  if (refusal) return refusedOrder(command, refusal);
  const { market } = command;
  if (!market || !priced?.limitTicks) throw new Error('an order without a price was refused above');
  const asked = askedOf(command);
  return {
    type: 'OrderPlaced.v1',
    data: {
      ...asked,
      timeInForce: timeInForceOf(order, market),
      limitTicks: priced.limitTicks,
      tickCents: market.rules.tickCents,
      referenceTicks: market.referenceTicks,
      bandExempt: bandExempt(account, market),
      feePpm: market.rules.feePpm,
      holdCents: order.side === 'buy' ? priced.worstCaseCents : 0,
      holdShares: order.side === 'sell' ? asked.quantity : 0,
      ...priced.terms,
    },
  };
}

/** The record of an order that is not taken, as it was asked for. */
export function refusedOrder(
  command: PlaceOrderCommand,
  { code, detail }: Refusal,
): Extract<AccountFact, { type: 'OrderRefused.v1' }> {
  const { order } = command;
  return {
    type: 'OrderRefused.v1',
    data: {
      ...askedOf(command),
      limitCents: centsOf(order.limit_price),
      code,
      detail,
      ...termsOf(order),
      ...(order.stop_price === undefined ? {} : { stopCents: centsOf(order.stop_price) ?? 0 }),
      ...(order.trail_price === undefined ? {} : { trailCents: centsOf(order.trail_price) ?? 0 }),
    },
  };
}

const askedOf = ({ orderId, accountId, order }: PlaceOrderCommand) => ({
  orderId,
  accountId,
  clientOrderId: order.client_order_id ?? null,
  symbol: order.symbol,
  side: order.side,
  type: order.type,
  timeInForce: order.time_in_force,
  quantity: quantityOf(order.qty),
});

/** For a market order `day` means `ioc`: for an amount of money, and until rules have auctions that it could join. */
const timeInForceOf = ({ type, time_in_force: time, notional }: PlaceOrder, { matchingRules }: Market) =>
  type === 'market' && time === 'day' && (matchingRules < 3 || notional !== undefined) ? 'ioc' : time;

function whyNot(
  account: Account,
  command: PlaceOrderCommand,
  priced: Priced | undefined,
): Refusal | undefined {
  const { order, market, nowMs } = command;
  const against = againstMarket(account, command, priced);
  if (against || !market) return against;
  return againstAccount(account, {
    market,
    nowMs,
    orders: 1,
    holdCents: order.side === 'buy' ? (priced?.worstCaseCents ?? 0) : 0,
    holdShares: order.side === 'sell' ? quantityOf(order.qty) : 0,
  });
}

/** What the market and its rules say of an order, and its name. */
export function againstMarket(
  account: Account,
  { order, market, nowMs }: PlaceOrderCommand,
  priced: Priced | undefined,
): Refusal | undefined {
  const { symbol, side } = order;
  if (account.killed) return killed(account.killed);
  if (!market || !priced) return { code: 'UNKNOWN_SYMBOL', detail: `symbol ${symbol}` };
  const state = knownState(market);
  if (state === 'halt') return { code: 'SYMBOL_HALTED', detail: `symbol ${symbol}` };
  if (state === 'closed') return { code: 'MARKET_CLOSED', detail: `symbol ${symbol}` };
  if (order.client_order_id !== undefined && account.names.has(order.client_order_id)) {
    return { code: 'DUPLICATE_CLIENT_ORDER_ID', detail: `client_order_id ${order.client_order_id}` };
  }
  if (market.matchingRules < 2 && (isStop(order.type) || Object.keys(termsOf(order)).length > 0)) {
    return {
      code: 'MATCHING_RULES',
      detail: `${symbol} follows version ${market.matchingRules}; stops, gtd, post_only, min_qty and stp_mode need version 2`,
    };
  }
  if (market.matchingRules < 3 && (order.time_in_force === 'opg' || order.time_in_force === 'cls')) {
    return {
      code: 'MATCHING_RULES',
      detail: `${symbol} follows version ${market.matchingRules}; opg and cls need version 3`,
    };
  }
  if (market.matchingRules < 3 && Object.keys(newerTerms(order)).length > 0) {
    return {
      code: 'MATCHING_RULES',
      detail: `${symbol} follows version ${market.matchingRules}; display_qty and notional need version 3`,
    };
  }
  const quantity = quantityOf(order.qty);
  if (priced.offGrid) {
    const [field, asked] = priced.offGrid;
    const tick = decimalFromCents(market.rules.tickCents);
    const size = againstRules(account, market, {
      side,
      quantity,
      limitTicks: 1,
      limitPrice: undefined,
      freeShares: quantity,
    });
    if (size?.code === 'ORDER_SIZE' || size?.code === 'LOT_STEP') return size;
    return { code: 'PRICE_TICK', detail: `${field} ${asked}; the tick size of ${symbol} is ${tick}` };
  }
  const { displayQuantity, notionalCents } = priced.terms;
  const against =
    notionalCents === undefined
      ? againstRules(account, market, {
          side,
          quantity,
          limitTicks: priced.limitTicks,
          limitPrice: order.limit_price,
          freeShares: availableShares(account, symbol),
        })
      : againstNotional(market, { notionalCents, limitTicks: priced.limitTicks ?? 0 });
  if (against) return against;
  const { lotShares = 1 } = market.rules;
  if (displayQuantity !== undefined && displayQuantity % lotShares !== 0) {
    return {
      code: 'LOT_STEP',
      detail: `display_qty ${displayQuantity}; the lot size of ${symbol} is ${lotShares}`,
    };
  }
  if (displayQuantity !== undefined && quantity > ICEBERG_PEAKS_MAX * displayQuantity) {
    return {
      code: 'ICEBERG_PEAKS',
      detail: `qty ${quantity}; at most ${ICEBERG_PEAKS_MAX} times display_qty ${displayQuantity}`,
    };
  }
  return againstTime(market, order, priced, marketMs(market, nowMs));
}

/** What the account can bear: so many orders more, and what they hold together. */
export function againstAccount(
  account: Account,
  asked: { market: Market; nowMs: number; orders: number; holdCents: number; holdShares: number },
): Refusal | undefined {
  const { market, nowMs, orders, holdCents, holdShares } = asked;
  const { symbol } = market;
  if (!account.quotasOff && !market.quotasOff) {
    if (account.orders.size + orders > OPEN_ORDERS_MAX) {
      return {
        code: 'MAX_OPEN_ORDERS',
        detail: `${account.orders.size} open; the most is ${OPEN_ORDERS_MAX}`,
      };
    }
    if (ratesAt(account.rates, nowMs).unfilled + orders > UNFILLED_ORDERS_MAX) {
      const seconds = RATE_WINDOW_MS / 1_000;
      return {
        code: 'ORDER_RATE',
        detail: `${UNFILLED_ORDERS_MAX} orders in ${seconds} s were placed and not filled`,
      };
    }
  }
  if (holdCents > availableCents(account)) {
    return {
      code: 'INSUFFICIENT_FUNDS',
      detail: `needs ${decimalFromCents(holdCents)} with fees; available ${decimalFromCents(availableCents(account))}`,
    };
  }
  if (holdShares > availableShares(account, symbol)) {
    return {
      code: 'INSUFFICIENT_SHARES',
      detail: `needs ${holdShares} ${symbol}; available ${availableShares(account, symbol)}`,
    };
  }
  return undefined;
}

/** The longest that an order may stand: a year, and a day for a leap year's sake. */
const EXPIRES_WITHIN_MS = 366 * 24 * 3_600_000;

/** Time in force, the end of a `gtd` order, and whether a stop has something to wait for. */
function againstTime(
  market: Market,
  order: PlaceOrder,
  { terms }: Priced,
  nowMs: number,
): Refusal | undefined {
  const { type, side, time_in_force: time } = order;
  const state = knownState(market);
  if (type === 'market' && (time === 'gtc' || time === 'gtd')) {
    return { code: 'TIME_IN_FORCE', detail: `a market order takes ioc or fok (day means ioc), not ${time}` };
  }
  if (isStop(type) && time !== 'day' && time !== 'gtc' && time !== 'gtd') {
    return { code: 'TIME_IN_FORCE', detail: `a ${type} order takes day, gtc or gtd, not ${time}` };
  }
  if (market.matchingRules >= 3 && state !== null) {
    const code = entryRefusal({ ...terms, type, timeInForce: timeInForceOf(order, market) }, state);
    if (code) return { code, detail: `${type} ${time}; ${market.symbol} is in ${state}` };
  }
  const { expiresAt, stopTicks } = terms;
  const latest = timeOf(nowMs + EXPIRES_WITHIN_MS);
  if (expiresAt !== undefined && (expiresAt <= timeOf(nowMs) || expiresAt > latest)) {
    return { code: 'EXPIRES_AT', detail: `expires_at ${expiresAt}; from ${timeOf(nowMs)} to ${latest}` };
  }
  if (stopTicks === undefined) return undefined;
  const money = (inTicks: number) => decimalFromCents(inTicks * market.rules.tickCents);
  if (stopTicks < 1) return { code: 'PRICE_TICK', detail: 'the stop price would be below one tick' };
  // Nothing triggers while nothing is traded.
  if (state !== 'continuous') return undefined;
  const last = lastPrice(market);
  if (side === 'buy' ? last < stopTicks : last > stopTicks) return undefined;
  return {
    code: 'WOULD_TRIGGER_IMMEDIATELY',
    detail: `stop price ${money(stopTicks)}; the last price of ${market.symbol} is ${money(last)}`,
  };
}

/** What is refused while the kill switch is active. */
export const killed = ({ by, reason }: NonNullable<Account['killed']>): Refusal => ({
  code: 'KILL_SWITCH',
  detail: `activated by the ${by}${reason === null ? '' : `: ${reason}`}`,
});

export function notOpen(account: Account, orderId: string): Refusal {
  return account.closed.has(orderId)
    ? { code: 'ORDER_NOT_OPEN', detail: `order ${orderId}` }
    : { code: 'ORDER_NOT_FOUND', detail: `this account has no open order ${orderId}` };
}
