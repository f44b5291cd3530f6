import { CancelOrders, ClientOrderId, deriveId, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { z } from 'zod';
import { accountCommands } from '../commands/accountCommand.ts';
import { expectFact } from '../commands/facts.ts';
import { accepted, orderLocation } from '../commands/reply.ts';
import { IdempotencyHeaders, requestKey } from '../commands/requestKey.ts';
import { cancelByName, cancelListed, cancelOrder, cancelOrders } from './cancel.ts';
import { OrderId, type OrderRoutes, trader } from './request.ts';
import { orderCancelsView, orderChangeView } from './views.ts';

/** Cancels one order, by its id or its client's name for it, or all orders that filters take. */
export function cancelRoutes(app: Http, deps: OrderRoutes): void {
  cancelById(app, deps);
  cancelByClientOrderId(app, deps);
  cancelMany(app, deps);
}

function cancelById(app: Http, deps: OrderRoutes): void {
  const carryOut = accountCommands(deps);
  app.delete(
    '/v1/orders/:id',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Cancel an order',
        description:
          'Asks the market to cancel what is not filled. It may fill until the cancel is answered, so nothing is ' +
          'released before. A second cancel of the same order answers the same and asks nothing again.',
        headers: IdempotencyHeaders,
        params: OrderId,
        response: { 202: views.OrderChangeView },
      },
    },
    async (request, reply) => {
      const { accountId } = request.actor;
      const orderId = request.params.id.toLowerCase();
      const fact = await carryOut(request, reply, {
        command: 'CancelOrder',
        by: 'client',
        accountId,
        subject: orderId,
        body: null,
        decide: (account) => cancelOrder(account, { orderId, accountId }),
        facts: ['OrderCancelRequested.v1'],
        location: () => orderLocation(orderId),
      });
      return orderChangeView(fact);
    },
  );
}

function cancelByClientOrderId(app: Http, deps: OrderRoutes): void {
  const carryOut = accountCommands(deps);
  app.delete(
    '/v1/orders/by-client-order-id/:client_order_id',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Cancel an order by your own name for it',
        description: 'The open order that was placed with this `client_order_id`.',
        headers: IdempotencyHeaders,
        params: z.object({ client_order_id: ClientOrderId }),
        response: { 202: views.OrderChangeView },
      },
    },
    async (request, reply) => {
      const { accountId } = request.actor;
      const name = request.params.client_order_id;
      const fact = await carryOut(request, reply, {
        command: 'CancelOrder',
        by: 'client',
        accountId,
        subject: `client_order_id ${name}`,
        body: null,
        decide: (account) => cancelByName(account, { name, accountId }),
        facts: ['OrderCancelRequested.v1'],
        location: ({ data }) => orderLocation(data.orderId),
      });
      return orderChangeView(fact);
    },
  );
}

function cancelMany(app: Http, { commands, storeId }: OrderRoutes): void {
  app.delete(
    '/v1/orders',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Cancel many orders',
        description:
          'All open orders of the account that meet every filter; `all=true`, and no filter, for every one. Each result ' +
          'says that the market was asked; what became of each order is told like that of any other cancel. ' +
          'POST /v1/order-cancels/preview tells before which orders it would be.',
        headers: IdempotencyHeaders,
        querystring: CancelOrders,
        response: { 202: views.OrderCancelsView },
      },
    },
    async (request, reply) => {
      const { actor, query: filter, traceparent } = request;
      const { accountId } = actor;
      const command = 'CancelOrders';
      const key = requestKey(request.headers, { command, subject: accountId, body: filter });
      const common = { command, actor: `client:${actor.clientId}`, traceparent };
      const answer = await commands.onAccount(accountId, { ...common, key }, (account) =>
        cancelOrders(account, { accountId, filter }),
      );
      const replyOptions = { storeId, location: () => '/v1/orders?status=open' };
      const { fact } = accepted(reply, answer, replyOptions);
      const requested = expectFact(fact, 'OrdersCancelRequested.v1');
      // A repetition repeats the batches, because the first request may have ended between two commits. If it did not, the
      // repetition finds the same commits and answers the same position, that of the last one.
      for (const [index, { orderIds }] of requested.data.orders.entries()) {
        if (index === 0) continue;
        const batchKey = { id: deriveId(key.id, String(index)), hash: key.hash, derived: true as const };
        const rest = await commands.onAccount(accountId, { ...common, key: batchKey }, (account) => {
          const [first, ...others] = cancelListed(account, { accountId, orderIds });
          return first ? { facts: [first, ...others] } : { unchanged: fact };
        });
        const changed = 'refusal' in rest || rest.fact.type === 'OrderCancelRequested.v1';
        if (changed) accepted(reply, rest, replyOptions);
      }
      return orderCancelsView(requested);
    },
  );
}
