import { type AccountFact, type CancelOrders, hasLimit, isStop } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { OpenOrder } from '../account/openOrder.ts';
import { refused } from '../refusal.ts';
import { notOpenRefusal } from './accountRefusals.ts';
import { centsOf } from './price.ts';

/** A request to the market to cancel. It releases no hold: an order may fill until the book has answered. */
type Cancel = AccountFact | { unchanged: AccountFact };

/** Decides about a cancel of one order. If a cancel of it is pending already, that one is the answer. */
export function cancelOrder(account: Account, command: { orderId: string; accountId: string }): Cancel {
  const order = account.orders.get(command.orderId);
  if (!order) return refused('CancelOrder', command.orderId, notOpenRefusal(account, command.orderId));
  const fact: AccountFact = { type: 'OrderCancelRequested.v1', data: { ...command, symbol: order.symbol } };
  return order.cancelPending ? { unchanged: fact } : fact;
}

/** Decides about a cancel of the open order to which the client gave this name. */
export function cancelByName(account: Account, command: { name: string; accountId: string }): Cancel {
  const { name, accountId } = command;
  const order = account.orders.values().find(({ clientOrderId }) => clientOrderId === name);
  if (order) return cancelOrder(account, { orderId: order.orderId, accountId });
  const detail = `this account has no open order with client_order_id ${name}`;
  return refused('CancelOrder', accountId, { code: 'ORDER_NOT_FOUND', detail });
}

type CancelRequested = Extract<AccountFact, { type: 'OrdersCancelRequested.v1' }>;

/**
 * The open orders that a filter takes, by symbol, then in the order of placing. A range compares prices that the client
 * set, such as a limit, never the protection price that BrokerX sets. Only a range of stop prices takes stops: a client
 * who clears a range of the book keeps the stops that protect him.
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
 * Cancels all open orders that a filter takes. The first fact records the filter and the orders; the cancels of the first
 * batch follow (a commit has engine inputs of one symbol, and not too many). `cancelListed` cancels the other batches.
 */
export function cancelOrders(
  account: Account,
  command: { accountId: string; filter: CancelOrders },
): { facts: [CancelRequested, ...AccountFact[]] } {
  const { accountId, filter } = command;
  const met = ordersMet(account, filter).slice(0, CANCELED_ORDERS_MAX);
  const orders = [...Map.groupBy(met, ({ symbol }) => symbol)].flatMap(([symbol, ofSymbol]) =>
    batches(ofSymbol).map((orderIds) => ({ symbol, orderIds })),
  );
  const [lowStopCents, highStopCents] = [centsOf(filter.stop_from), centsOf(filter.stop_to)];
  const request: CancelRequested = {
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
  return { facts: [request, ...cancelListed(account, { accountId, orderIds: orders[0]?.orderIds ?? [] })] };
}

/** Cancels in one commit; more cancels go into further commits. */
export const CANCELS_PER_COMMIT_MAX = 200;
/**
 * Orders that one command cancels: their ids are some 400 kB of one event, which every server takes. Only an account
 * without quotas has more orders; it sends another command, or uses the kill switch, which cancels every order.
 */
export const CANCELED_ORDERS_MAX = 10_000;

function batches(orders: readonly OpenOrder[]): string[][] {
  const ids = orders.map(({ orderId }) => orderId);
  return Array.from({ length: Math.ceil(ids.length / CANCELS_PER_COMMIT_MAX) }, (_, n) =>
    ids.slice(n * CANCELS_PER_COMMIT_MAX, (n + 1) * CANCELS_PER_COMMIT_MAX),
  );
}

/** The next cancels of an account's orders: of one symbol, as many as a commit takes; none if all are pending. */
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

/** Cancels the orders of the list that are open and have no pending cancel. */
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
