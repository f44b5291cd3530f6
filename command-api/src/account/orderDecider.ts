import {
  type AccountFact,
  type AmendOrder,
  centsFromDecimal,
  collarTicks,
  decimalFromCents,
  type PlaceOrder,
  sharesFromDecimal,
  ticks,
} from '@brokerx/contracts';
import type { z } from 'zod';
import type { Market } from '../market/market.ts';
import {
  type Account,
  availableCents,
  availableShares,
  ORDER_RATE_WINDOW_MS,
  unfilledOrders,
} from './account.ts';
import { type Refusal, raise, refused } from './decider.ts';
import { worstCaseCents } from './order.ts';

/**
 * Decisions about orders. The guards stand in the order of precedence of `contracts/refusals.ts`. What the market
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
      data: { ...asked, limitCents: limitCentsOf(order), code: refusal.code, detail: refusal.detail },
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
      bandExempt: account.bandsOff || market.bandsOff,
      feePpm: market.rules.feePpm,
      holdCents: order.side === 'buy' ? priced.worstCaseCents : 0,
      holdShares: order.side === 'sell' ? asked.quantity : 0,
    },
  };
}

/** A cancel of an order that is being canceled already needs nothing new: the first one will be answered. */
export function cancelOrder(
  account: Account,
  command: { orderId: string; accountId: string },
): AccountFact | { unchanged: AccountFact } {
  const order = account.orders.get(command.orderId);
  if (!order) return refused('CancelOrder', command.orderId, notOpen(account, command.orderId));
  const fact: AccountFact = { type: 'OrderCancelRequested.v1', data: { ...command, symbol: order.symbol } };
  return order.cancelPending ? { unchanged: fact } : fact;
}

/** `halted`: whether trading in the order's symbol is halted (only cancels are taken then). */
export function amendOrder(
  account: Account,
  command: {
    orderId: string;
    accountId: string;
    change: z.infer<typeof AmendOrder>;
    halted: (symbol: string) => boolean;
  },
): AccountFact {
  const { orderId, accountId, change } = command;
  const quantity = quantityOf(change.qty);
  const order = account.orders.get(orderId);
  const refuse = (refusal: Refusal) => refused('AmendOrder', orderId, refusal);
  if (!order) return refuse(notOpen(account, orderId));
  if (command.halted(order.symbol))
    return refuse({ code: 'SYMBOL_HALTED', detail: `symbol ${order.symbol}` });
  if (order.amendPending !== null) {
    return refuse({ code: 'AMEND_PENDING', detail: `a change to ${order.amendPending} is not answered yet` });
  }
  if (quantity === order.quantity) {
    return refuse({ code: 'AMEND_NO_CHANGE', detail: `the quantity is ${quantity} already` });
  }
  if (quantity > order.quantity) {
    return refuse({ code: 'AMEND_NOT_A_REDUCTION', detail: `the quantity is ${order.quantity} now` });
  }
  return {
    type: 'OrderAmendRequested.v1',
    data: { orderId, accountId, symbol: order.symbol, amendment: order.amendments + 1, quantity },
  };
}

type Priced = {
  /** Undefined: the price is not on the tick grid. */
  limitTicks: number | undefined;
  worstCaseCents: number;
  low: number;
  high: number;
};

/** The order's price in ticks (for a market order its protection price) and what a buy of it could cost. */
function price(market: Market, order: PlaceOrder): Priced {
  const { tickCents, collarPpm, feePpm } = market.rules;
  const reference = ticks(market.referenceTicks);
  const low = collarTicks(reference, collarPpm, 'down');
  const high = collarTicks(reference, collarPpm, 'up');
  const limitCents = limitCentsOf(order);
  const protection = order.side === 'buy' ? high : low;
  const limitTicks = limitCents === null ? protection : limitCents / tickCents;
  if (!Number.isInteger(limitTicks)) return { limitTicks: undefined, worstCaseCents: 0, low, high };
  const quantity = quantityOf(order.qty);
  const nothingFilled = { filledQuantity: 0, filledValueCents: 0, feesCents: 0 };
  const worst = worstCaseCents({ limitTicks, tickCents, quantity, feePpm, ...nothingFilled });
  return { limitTicks, worstCaseCents: worst, low, high };
}

function whyNot(
  account: Account,
  { order, market, nowMs }: PlaceOrderCommand,
  priced: Priced | undefined,
): Refusal | undefined {
  const { symbol, side } = order;
  if (!market || !priced) return { code: 'UNKNOWN_SYMBOL', detail: `symbol ${symbol}` };
  const { rules } = market;
  if (market.state === 'halt') return { code: 'SYMBOL_HALTED', detail: `symbol ${symbol}` };
  if (order.client_order_id !== undefined && account.names.has(order.client_order_id)) {
    return { code: 'DUPLICATE_CLIENT_ORDER_ID', detail: `client_order_id ${order.client_order_id}` };
  }
  const quantity = quantityOf(order.qty);
  if (quantity > rules.orderSharesMax) {
    return {
      code: 'ORDER_SIZE',
      detail: `qty ${quantity}; ${symbol} allows ${rules.orderSharesMax} an order`,
    };
  }
  const money = (inTicks: number) => decimalFromCents(inTicks * rules.tickCents);
  if (priced.limitTicks === undefined) {
    return {
      code: 'PRICE_TICK',
      detail: `limit_price ${order.limit_price}; the tick size of ${symbol} is ${money(1)}`,
    };
  }
  const banded = order.type === 'limit' && !account.bandsOff && !market.bandsOff;
  if (banded && (priced.limitTicks < priced.low || priced.limitTicks > priced.high)) {
    return {
      code: 'PRICE_BAND',
      detail: `limit_price ${order.limit_price}; ${symbol} takes ${money(priced.low)} to ${money(priced.high)} (reference ${money(market.referenceTicks)})`,
    };
  }
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

function notOpen(account: Account, orderId: string): Refusal {
  return account.closed.has(orderId)
    ? { code: 'ORDER_NOT_OPEN', detail: `order ${orderId}` }
    : { code: 'ORDER_NOT_FOUND', detail: `this account has no open order ${orderId}` };
}

const quantityOf = (qty: string): number =>
  sharesFromDecimal(qty) ?? raise('quantities are checked for form before');
const limitCentsOf = (order: PlaceOrder): number | null =>
  order.limit_price === undefined
    ? null
    : (centsFromDecimal(order.limit_price) ?? raise('prices are checked for form before'));
