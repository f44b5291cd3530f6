import { type AccountFact, type AmendOrder, centsFromDecimal, sharesFromDecimal } from '@brokerx/contracts';
import { type Account, availableShares } from '../account/account.ts';
import { listWorstCase } from '../account/openList.ts';
import { leavesOf, type OpenOrder, worstCaseCents, worstCaseShares } from '../account/openOrder.ts';
import type { Market } from '../market/market.ts';
import { type Refusal, raise, refused } from '../refusal.ts';
import { notOpenRefusal } from './accountRefusals.ts';
import type { Change } from './amendRefusals.ts';
import { bandExempt } from './collar.ts';
import { CHANGE_LADDER, firstRefusal } from './refusalPrecedence.ts';
import type { CheckedOrder } from './termsRefusals.ts';

/**
 * Decides about a change of an open order: its total quantity, its limit, or both. The hold goes up at once to the worst
 * case over both versions, and comes down with the engine's answer. The engine's own check binds.
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
  if (!order) return refuse(notOpenRefusal(account, orderId));
  const market = command.marketOf(order.symbol);
  if (!market) return refuse({ code: 'UNKNOWN_SYMBOL', detail: `symbol ${order.symbol}` });
  const question = changeOf(account, market, order, change);
  const refusal = firstRefusal(CHANGE_LADDER, question);
  if (refusal) return refuse(refusal);
  const { quantity, limitTicks = order.limitTicks } = question;
  const { holdCents, holdShares } = holdRise(account, order, { quantity, limitTicks });
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
function holdRise(
  account: Account,
  order: OpenOrder,
  amendPending: { quantity: number; limitTicks: number },
) {
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

/** What the guards of a change are asked about. */
export function changeOf(account: Account, market: Market, order: OpenOrder, change: AmendOrder): Change {
  const version = versionOf(order, change);
  const { quantity, limitTicks = order.limitTicks } = version;
  const { symbol } = order;
  const common = { account, symbol, market, order, change, ...version, addsToHold: true } as const;
  if (leavesOf(order, quantity) === 0) return { ...common, orders: [], holdCents: 0, holdShares: 0 };
  const orders = [changedOrder(account, market, order, { ...version, change })];
  return { ...common, orders, ...holdRise(account, order, { quantity, limitTicks }) };
}

/** The order as it would stand after the change. */
const changedOrder = (
  account: Account,
  market: Market,
  order: OpenOrder,
  { quantity, limitTicks, change }: Version & { change: AmendOrder },
): CheckedOrder => ({
  account,
  market,
  side: order.side,
  quantity,
  limitTicks,
  limitPrice: limitTicks === order.limitTicks ? undefined : change.limit_price,
  offGrid: limitTicks === undefined ? ['limit_price', change.limit_price ?? ''] : undefined,
  stopTicks: undefined,
  freeShares:
    availableShares(account, order.symbol) + order.holdShares + quantity - leavesOf(order, quantity),
  displayQuantity: order.displayQuantity ?? undefined,
  notionalCents: undefined,
});
