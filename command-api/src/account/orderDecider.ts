import {
  type AccountFact,
  centsFromDecimal,
  decimalFromCents,
  type OrderTerms,
  type PlaceOrder,
  sharesFromDecimal,
} from '@brokerx/contracts';
import type { Market } from '../market/market.ts';
import {
  type Account,
  availableCents,
  availableShares,
  ORDER_RATE_WINDOW_MS,
  unfilledOrders,
} from './account.ts';
import { type Refusal, raise } from './decider.ts';
import { worstCaseCents } from './order.ts';
import { againstRules, bandExempt, collarOf } from './orderRules.ts';

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

/** `OrderPlaced`, or `OrderRefused`: a refused order is recorded and can be asked for. */
export function placeOrder(account: Account, command: PlaceOrderCommand): AccountFact {
  const { order } = command;
  const priced = command.market ? price(command.market, order) : undefined;
  const refusal = whyNot(account, command, priced);
  const asked = {
    orderId: command.orderId,
    accountId: command.accountId,
    clientOrderId: order.client_order_id ?? null,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    timeInForce: order.time_in_force,
    quantity: quantityOf(order.qty),
  };
  if (refusal) {
    return {
      type: 'OrderRefused.v1',
      data: {
        ...asked,
        limitCents: limitCentsOf(order),
        code: refusal.code,
        detail: refusal.detail,
        ...termsOf(order),
      },
    };
  }
  const { market } = command;
  if (!market || !priced?.limitTicks) throw new Error('an order without a price was refused above');
  return {
    type: 'OrderPlaced.v1',
    data: {
      ...asked,
      // For a market order `day` means `ioc`.
      timeInForce: order.type === 'market' && order.time_in_force === 'day' ? 'ioc' : order.time_in_force,
      limitTicks: priced.limitTicks,
      tickCents: market.rules.tickCents,
      referenceTicks: market.referenceTicks,
      bandExempt: bandExempt(account, market),
      feePpm: market.rules.feePpm,
      holdCents: order.side === 'buy' ? priced.worstCaseCents : 0,
      holdShares: order.side === 'sell' ? asked.quantity : 0,
      ...termsOf(order),
    },
  };
}

type Priced = {
  /** Undefined: the price is not on the tick grid. */
  limitTicks: number | undefined;
  worstCaseCents: number;
};

/** The order's price in ticks (for a market order its protection price) and what a buy of it could cost. */
function price(market: Market, order: PlaceOrder): Priced {
  const { tickCents, feePpm } = market.rules;
  const { low, high } = collarOf(market);
  const limitCents = limitCentsOf(order);
  const protection = order.side === 'buy' ? high : low;
  const limitTicks = limitCents === null ? protection : limitCents / tickCents;
  if (!Number.isInteger(limitTicks)) return { limitTicks: undefined, worstCaseCents: 0 };
  const quantity = quantityOf(order.qty);
  const nothingYet = {
    filledQuantity: 0,
    preventedQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    amendPending: null,
  };
  return {
    limitTicks,
    worstCaseCents: worstCaseCents({ limitTicks, tickCents, quantity, feePpm, ...nothingYet }),
  };
}

function whyNot(
  account: Account,
  { order, market, nowMs }: PlaceOrderCommand,
  priced: Priced | undefined,
): Refusal | undefined {
  const { symbol, side } = order;
  if (!market || !priced) return { code: 'UNKNOWN_SYMBOL', detail: `symbol ${symbol}` };
  if (market.state === 'halt') return { code: 'SYMBOL_HALTED', detail: `symbol ${symbol}` };
  if (order.client_order_id !== undefined && account.names.has(order.client_order_id)) {
    return { code: 'DUPLICATE_CLIENT_ORDER_ID', detail: `client_order_id ${order.client_order_id}` };
  }
  if (market.matchingRules < 2 && Object.keys(termsOf(order)).length > 0) {
    return {
      code: 'MATCHING_RULES',
      detail: `${symbol} follows version ${market.matchingRules}; post_only, min_qty and stp_mode need version 2`,
    };
  }
  const quantity = quantityOf(order.qty);
  const against = againstRules(account, market, {
    side,
    quantity,
    limitTicks: priced.limitTicks,
    limitPrice: order.limit_price,
    freeShares: availableShares(account, symbol),
  });
  if (against) return against;
  if (order.type === 'market' && order.time_in_force === 'gtc') {
    return { code: 'TIME_IN_FORCE', detail: 'a market order takes ioc or fok (day means ioc), not gtc' };
  }
  if (!account.quotasOff && !market.quotasOff) {
    if (account.orders.size >= OPEN_ORDERS_MAX) {
      return {
        code: 'MAX_OPEN_ORDERS',
        detail: `${account.orders.size} open; the most is ${OPEN_ORDERS_MAX}`,
      };
    }
    if (unfilledOrders(account, nowMs) >= UNFILLED_ORDERS_MAX) {
      const seconds = ORDER_RATE_WINDOW_MS / 1_000;
      return {
        code: 'ORDER_RATE',
        detail: `${UNFILLED_ORDERS_MAX} orders in ${seconds} s were placed and not filled`,
      };
    }
  }
  if (side === 'buy' && priced.worstCaseCents > availableCents(account)) {
    return {
      code: 'INSUFFICIENT_FUNDS',
      detail: `needs ${decimalFromCents(priced.worstCaseCents)} with fees; available ${decimalFromCents(availableCents(account))}`,
    };
  }
  if (side === 'sell' && quantity > availableShares(account, symbol)) {
    return {
      code: 'INSUFFICIENT_SHARES',
      detail: `needs ${quantity} ${symbol}; available ${availableShares(account, symbol)}`,
    };
  }
  return undefined;
}

export function notOpen(account: Account, orderId: string): Refusal {
  return account.closed.has(orderId)
    ? { code: 'ORDER_NOT_OPEN', detail: `order ${orderId}` }
    : { code: 'ORDER_NOT_FOUND', detail: `this account has no open order ${orderId}` };
}

/** What it asks for besides, where it does. */
const termsOf = ({ post_only, min_qty, stp_mode }: PlaceOrder): OrderTerms => ({
  ...(post_only ? { postOnly: true } : {}),
  ...(min_qty === undefined ? {} : { minQuantity: quantityOf(min_qty) }),
  ...(stp_mode === undefined || stp_mode === 'none' ? {} : { selfTrade: stp_mode }),
});

const quantityOf = (qty: string): number =>
  sharesFromDecimal(qty) ?? raise('quantities are checked for form before');
const limitCentsOf = (order: PlaceOrder): number | null =>
  order.limit_price === undefined
    ? null
    : (centsFromDecimal(order.limit_price) ?? raise('prices are checked for form before'));
