import { type AccountFact, type CancelOrders, hasLimit, isStop } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { OpenOrder } from '../account/openOrder.ts';
import { refused } from '../refusal.ts';
import { notOpenRefusal } from './accountRefusals.ts';
import { centsOf } from './price.ts';

/** Asking the market to cancel. It releases nothing: an order may fill until the book has answered. */
type Cancel = AccountFact | { unchanged: AccountFact };

/** A cancel of an order that is being canceled already needs nothing new: the first one will be answered. */
export function cancelOrder(account: Account, command: { orderId: string; accountId: string }): Cancel {
  const order = account.orders.get(command.orderId);
  if (!order) return refused('CancelOrder', command.orderId, notOpenRefusal(account, command.orderId));
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
 * The open orders that a filter takes, by symbol, then in the order of placing. A range is about prices that the client
 * asked for, never about those by which BrokerX protects an order: a limit for one, and a stop is taken by a range on its
 * stop alone, so that whoever clears a range of the book does not lose what protects him.
 */
export function ordersMet(account: Account, filter: CancelOrders): OpenOrder[] {
  const byStop = filter.stop_from !== undefined || filter.stop_to !== undefined;
  const byRange = byStop || filter.price_from !== undefined || filter.price_to !== undefined;
  const inRange = (order: OpenOrder) =>
    isStop(order.type) === byStop &&
    within(limitCentsOf(order), filter.price_from, filter.price_to) &&
    within(stopCentsOf(order), filter.stop_from, filter.stop_to);
  const isMet = (order: OpenOrder) =>
    (filter.symbol === undefined || order.symbol === filter.symbol) &&
    (filter.side === undefined || order.side === filter.side) &&
    (!byRange || inRange(order));
  return account.orders
    .values()
    .filter(isMet)
    .toArray()
    .sort((a, b) => (a.symbol === b.symbol ? 0 : a.symbol < b.symbol ? -1 : 1));
}

export const limitCentsOf = ({ type, limitTicks, tickCents }: OpenOrder): number | null =>
  hasLimit(type) ? limitTicks * tickCents : null;
export const stopCentsOf = ({ stopTicks, tickCents }: OpenOrder): number | null =>
  stopTicks === null ? null : stopTicks * tickCents;

function within(cents: number | null, from: string | undefined, to: string | undefined): boolean {
  const [low, high] = [centsOf(from), centsOf(to)];
  if (low === null && high === null) return true;
  return cents !== null && cents >= (low ?? cents) && cents <= (high ?? cents);
}

/**
 * All open orders that a filter takes: first what was asked and whom it met, then the cancels of the first batch (a
 * commit has engine inputs of one symbol, and not too many). Those of the other batches follow by `cancelListed`.
 */
export function cancelOrders(
  account: Account,
  command: { accountId: string; filter: CancelOrders },
): { facts: [CancelRequested, ...AccountFact[]] } {
  const { accountId, filter } = command;
  const met = ordersMet(account, filter).slice(0, CANCELED_ORDERS_MAX);
  const orders = [...Map.groupBy(met, ({ symbol }) => symbol)].flatMap(([symbol, its]) =>
    batches(its).map((orderIds) => ({ symbol, orderIds })),
  );
  const [lowStopCents, highStopCents] = [centsOf(filter.stop_from), centsOf(filter.stop_to)];
  const asked: CancelRequested = {
    type: 'OrdersCancelRequested.v1',
    data: {
      accountId,
      symbol: filter.symbol ?? null,
      side: filter.side ?? null,
      lowCents: centsOf(filter.price_from),
      highCents: centsOf(filter.price_to),
      ...(lowStopCents === null ? {} : { lowStopCents }),
      ...(highStopCents === null ? {} : { highStopCents }),
      orders,
    },
  };
  return { facts: [asked, ...cancelListed(account, { accountId, orderIds: orders[0]?.orderIds ?? [] })] };
}

/** A commit has so many of them at most; what is beyond comes in further ones. */
export const CANCELS_PER_COMMIT_MAX = 200;
/**
 * One command takes so many orders at most: their ids are some 400 kB of one event, which every server takes. Only an account
 * without quotas has more; its rest needs another command, or the kill switch, which goes on until none is left.
 */
export const CANCELED_ORDERS_MAX = 10_000;

function batches(orders: readonly OpenOrder[]): string[][] {
  const ids = orders.map(({ orderId }) => orderId);
  return Array.from({ length: Math.ceil(ids.length / CANCELS_PER_COMMIT_MAX) }, (_, n) =>
    ids.slice(n * CANCELS_PER_COMMIT_MAX, (n + 1) * CANCELS_PER_COMMIT_MAX),
  );
}

/** Cancels of one symbol's orders, as many as a commit takes; none once all have been asked for. */
export function cancelsLeft({ accountId, orders }: Account): { facts: AccountFact[]; symbol: string | null } {
  const facts: AccountFact[] = [];
  let symbol: string | null = null;
  for (const order of orders.values()) {
    if (order.cancelPending || (symbol !== null && order.symbol !== symbol)) continue;
    symbol = order.symbol;
    facts.push({ type: 'OrderCancelRequested.v1', data: { orderId: order.orderId, accountId, symbol } });
    if (facts.length === CANCELS_PER_COMMIT_MAX) break;
  }
  return { facts, symbol };
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
