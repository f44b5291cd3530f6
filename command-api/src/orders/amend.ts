import {
  type AccountFact,
  type AmendOrder,
  centsFromDecimal,
  decimalFromCents,
  hasLimit,
  ICEBERG_PEAKS_MAX,
  sharesFromDecimal,
} from '@brokerx/contracts';
import { type Account, availableCents, availableShares } from '../account/account.ts';
import { listWorstCase } from '../account/openList.ts';
import { leavesOf, type OpenOrder, worstCaseCents, worstCaseShares } from '../account/openOrder.ts';
import { knownState, type Market } from '../market/market.ts';
import { type Refusal, raise, refused } from '../refusal.ts';
import { killed, notOpen } from './placeOrder.ts';
import { againstRules, bandExempt } from './rules.ts';

/**
 * A change of an open order: total quantity, limit, or both. The hold goes up to the worst case over both versions and
 * comes down with the engine's answer. The engine's own checks bind.
 */
export function amendOrder(
  account: Account,
  command: {
    orderId: string;
    accountId: string;
    change: AmendOrder;
    /** The market of a symbol that an order is open in. */
    marketOf: (symbol: string) => Market | undefined;
  },
): AccountFact {
  const { orderId, accountId, change } = command;
  const refuse = (refusal: Refusal) => refused('AmendOrder', orderId, refusal);
  const order = account.orders.get(orderId);
  if (!order) return refuse(notOpen(account, orderId));
  const market = command.marketOf(order.symbol);
  if (!market) return refuse({ code: 'UNKNOWN_SYMBOL', detail: `symbol ${order.symbol}` });
  const version = versionOf(order, change);
  const refusal = whyNot(account, { order, market, change, ...version });
  if (refusal) return refuse(refusal);
  const { quantity, limitTicks = order.limitTicks } = version;
  const { holdCents, holdShares } = raised(account, order, { quantity, limitTicks });
  const moves = limitTicks !== order.limitTicks;
  return {
    type: 'OrderAmendRequested.v1',
    data: {
      orderId,
      accountId,
      symbol: order.symbol,
      amendment: order.amendments + 1,
      quantity,
      ...(moves ? { limitTicks, tickCents: order.tickCents } : {}),
      ...(bandExempt(account, market) ? { bandExempt: true as const } : {}),
      ...(holdCents > 0 ? { holdCents } : {}),
      ...(holdShares > 0 ? { holdShares } : {}),
    },
  };
}

type Version = { quantity: number /** Undefined: not on the tick grid. */; limitTicks: number | undefined };

function versionOf(order: OpenOrder, { qty, limit_price }: AmendOrder): Version {
  const quantity = qty === undefined ? order.quantity : (sharesFromDecimal(qty) ?? raise('checked for form'));
  if (limit_price === undefined) return { quantity, limitTicks: order.limitTicks };
  const limitTicks = (centsFromDecimal(limit_price) ?? raise('checked for form')) / order.tickCents;
  return { quantity, limitTicks: Number.isInteger(limitTicks) ? limitTicks : undefined };
}

/** What the hold must go up by, so that it covers both versions. */
function raised(account: Account, order: OpenOrder, amendPending: { quantity: number; limitTicks: number }) {
  const both = { ...order, amendPending };
  const list = order.listId === null ? undefined : account.lists.get(order.listId);
  if (list) {
    const others = list.orderIds.flatMap((id) =>
      id === order.orderId ? [] : (account.orders.get(id) ?? []),
    );
    const needed = listWorstCase([both, ...others]);
    return { holdCents: Math.max(0, needed.holdCents - list.holdCents), holdShares: 0 };
  }
  return order.side === 'buy'
    ? { holdCents: Math.max(0, worstCaseCents(both) - order.holdCents), holdShares: 0 }
    : { holdCents: 0, holdShares: Math.max(0, worstCaseShares(both) - order.holdShares) };
}

function whyNot(
  account: Account,
  {
    order,
    market,
    change,
    quantity,
    limitTicks,
  }: Version & {
    order: OpenOrder;
    market: Market;
    change: AmendOrder;
  },
): Refusal | undefined {
  const { symbol, side } = order;
  if (account.killed) return killed(account.killed);
  const state = knownState(market);
  if (state === 'halt') return { code: 'SYMBOL_HALTED', detail: `symbol ${symbol}` };
  if (state === 'closed') return { code: 'MARKET_CLOSED', detail: `symbol ${symbol}` };
  if (order.amendPending !== null) {
    const { quantity: asked, limitTicks: at } = order.amendPending;
    const price = hasLimit(order.type) ? ` at ${decimalFromCents(at * order.tickCents)}` : '';
    return { code: 'AMEND_PENDING', detail: `a change to ${asked}${price} is not answered yet` };
  }
  if (order.dormant) {
    return { code: 'ORDER_LIST', detail: 'an order of a bracket can be changed once its entry has ended' };
  }
  // Whatever limit is asked for: that it is the protection price already is not told.
  if (!hasLimit(order.type) && change.limit_price !== undefined) {
    return { code: 'ORDER_TYPE', detail: `a ${order.type} order has no limit_price` };
  }
  const moves = limitTicks !== order.limitTicks;
  if (!moves && quantity === order.quantity) {
    return { code: 'AMEND_NO_CHANGE', detail: `the quantity is ${quantity} already` };
  }
  if (order.listId !== null && change.qty !== undefined) {
    return { code: 'ORDER_LIST', detail: 'the quantity belongs to the list; its limit_price can be changed' };
  }
  if (order.notionalCents !== null) {
    return { code: 'ORDER_TYPE', detail: 'an order for an amount of money trades at once or ends' };
  }
  if (market.matchingRules < 2 && (moves || quantity > order.quantity)) {
    return { code: 'AMEND_NOT_A_REDUCTION', detail: `the quantity is ${order.quantity} now` };
  }
  const leaves = leavesOf(order, quantity);
  // To end it is always allowed.
  if (leaves === 0) return undefined;
  const free = availableShares(account, symbol) + order.holdShares;
  const done = quantity - leaves;
  const against = againstRules(account, market, {
    side,
    quantity,
    limitTicks,
    limitPrice: moves ? change.limit_price : undefined,
    freeShares: free + done,
  });
  if (against || limitTicks === undefined) return against;
  const { displayQuantity } = order;
  if (displayQuantity !== null && quantity > ICEBERG_PEAKS_MAX * displayQuantity) {
    return {
      code: 'ICEBERG_PEAKS',
      detail: `qty ${quantity}; at most ${ICEBERG_PEAKS_MAX} times display_qty ${displayQuantity}`,
    };
  }
  const { holdCents, holdShares } = raised(account, order, { quantity, limitTicks });
  if (holdCents > availableCents(account)) {
    return {
      code: 'INSUFFICIENT_FUNDS',
      detail: `needs ${decimalFromCents(holdCents)} more with fees; available ${decimalFromCents(availableCents(account))}`,
    };
  }
  if (holdShares > availableShares(account, symbol)) {
    return {
      code: 'INSUFFICIENT_SHARES',
      detail: `needs ${holdShares} ${symbol} more; available ${availableShares(account, symbol)}`,
    };
  }
  return undefined;
}
