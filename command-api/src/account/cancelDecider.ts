import { type AccountFact, type CancelOrders, centsFromDecimal } from '@brokerx/contracts';
import type { Account } from './account.ts';
import { raise, refused } from './decider.ts';
import type { OpenOrder } from './order.ts';
import { notOpen } from './orderDecider.ts';

/** Asking the market to cancel. It releases nothing: an order may fill until the book has answered. */
type Cancel = AccountFact | { unchanged: AccountFact };

/** A cancel of an order that is being canceled already needs nothing new: the first one will be answered. */
export function cancelOrder(account: Account, command: { orderId: string; accountId: string }): Cancel {
  const order = account.orders.get(command.orderId);
  if (!order) return refused('CancelOrder', command.orderId, notOpen(account, command.orderId));
  const fact: AccountFact = { type: 'OrderCancelRequested.v1', data: { ...command, symbol: order.symbol } };
  return order.cancelPending ? { unchanged: fact } : fact;
}

/** The open order that the client gave this name. */
export function cancelByName(account: Account, command: { name: string; accountId: string }): Cancel {
  const { name, accountId } = command;
  const order = account.orders.values().find(({ clientOrderId }) => clientOrderId === name);
  if (order) return cancelOrder(account, { orderId: order.orderId, accountId });
  const detail = `this account has no open order with client_order_id ${name}`;
  return refused('CancelOrder', accountId, { code: 'ORDER_NOT_FOUND', detail });
}

type CancelRequested = Extract<AccountFact, { type: 'OrdersCancelRequested.v1' }>;

/**
 * All open orders that the filters meet: first what was asked and whom it met, then the cancels of the first batch (a
 * commit has engine inputs of one symbol, and not too many). Those of the other batches follow by `cancelListed`.
 */
export function cancelOrders(
  account: Account,
  command: { accountId: string; filter: CancelOrders },
): { facts: [CancelRequested, ...AccountFact[]] } {
  const { accountId, filter } = command;
  const centsOf = (price: string | undefined) =>
    price === undefined ? null : (centsFromDecimal(price) ?? raise('prices are checked for form before'));
  const [lowCents, highCents] = [centsOf(filter.price_from), centsOf(filter.price_to)];
  const met = (order: OpenOrder) => {
    const limitCents = order.limitTicks * order.tickCents;
    return (
      (filter.symbol === undefined || order.symbol === filter.symbol) &&
      (filter.side === undefined || order.side === filter.side) &&
      limitCents >= (lowCents ?? limitCents) &&
      limitCents <= (highCents ?? limitCents)
    );
  };
  const bySymbol = Map.groupBy(account.orders.values().filter(met), ({ symbol }) => symbol);
  const orders = [...bySymbol]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([symbol, its]) => batches(its).map((orderIds) => ({ symbol, orderIds })));
  const [symbol, side] = [filter.symbol ?? null, filter.side ?? null];
  const asked: CancelRequested = {
    type: 'OrdersCancelRequested.v1',
    data: { accountId, symbol, side, lowCents, highCents, orders },
  };
  return { facts: [asked, ...cancelListed(account, { accountId, orderIds: orders[0]?.orderIds ?? [] })] };
}

/** A commit has so many of them at most; what is beyond comes in further ones. */
export const CANCELS_PER_COMMIT_MAX = 200;

function batches(orders: readonly OpenOrder[]): string[][] {
  const ids = orders.map(({ orderId }) => orderId);
  return Array.from({ length: Math.ceil(ids.length / CANCELS_PER_COMMIT_MAX) }, (_, n) =>
    ids.slice(n * CANCELS_PER_COMMIT_MAX, (n + 1) * CANCELS_PER_COMMIT_MAX),
  );
}

/** Cancels of those of these orders that are open and not being canceled. */
export function cancelListed(
  account: Account,
  { accountId, orderIds }: { accountId: string; orderIds: readonly string[] },
): AccountFact[] {
  return orderIds.flatMap((orderId) => {
    const order = account.orders.get(orderId);
    if (!order || order.cancelPending) return [];
    return { type: 'OrderCancelRequested.v1', data: { orderId, accountId, symbol: order.symbol } };
  });
}
