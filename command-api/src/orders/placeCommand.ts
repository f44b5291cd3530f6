import { type AccountFact, mintId, type PlaceOrder } from '@brokerx/contracts';
import type { Actor, Runtime } from '@brokerx/infra';
import type { Answer } from '../commands/commands.ts';
import { tryLater } from '../commands/refusals.ts';
import { requestKey } from '../commands/requestKey.ts';
import { isList, LISTED_ORDERS_MAX, placeOrderList } from './placeList.ts';
import { placeOrder } from './placeOrder.ts';
import type { OrderRoutes } from './request.ts';

export type PlaceRequest = {
  actor: Actor;
  traceparent: string;
  headers: { 'idempotency-key'?: string | undefined };
  order: PlaceOrder;
};

/** Places one order or list of a request; batches call it once per order. */
export const placing =
  ({ commands, markets, admission, runtime }: OrderRoutes) =>
  async ({ actor, traceparent, headers, order }: PlaceRequest): Promise<Answer<AccountFact>> => {
    const { accountId } = actor;
    const command = 'PlaceOrder';
    const key = requestKey(headers, { command, subject: accountId, body: order });
    if (!admission.admitsOrder(order.symbol)) {
      throw tryLater(runtime, 'OVERLOADED', { detail: 'too many orders wait for the matching engine' });
    }
    // A symbol that is not in memory may have been listed by another process: the store knows.
    if (!markets.get(order.symbol)) await markets.find(order.symbol);
    const orderId = mintId(runtime);
    const list = isList(order) ? listIds(orderId, runtime) : null;
    return commands.onAccount(
      accountId,
      { command, actor: `client:${actor.clientId}`, key, traceparent },
      (account, nowMs) => {
        const request = { orderId, accountId, nowMs, order, market: markets.get(order.symbol) };
        return list ? placeOrderList(account, { ...request, ...list }) : placeOrder(account, request);
      },
    );
  };

function listIds(orderId: string, runtime: Runtime) {
  const others = Array.from({ length: LISTED_ORDERS_MAX - 1 }, () => mintId(runtime));
  return { listId: mintId(runtime), orderIds: [orderId, ...others] };
}
