import { AmendOrder, PlaceOrder, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { accountCommands } from '../commands/accountCommand.ts';
import { expectFact } from '../commands/facts.ts';
import { accepted, orderLocation } from '../commands/reply.ts';
import { IdempotencyHeaders } from '../commands/requestKey.ts';
import { amendOrder } from './amend.ts';
import { placing } from './placeCommand.ts';
import { OrderId, type OrderRoutes, trader } from './request.ts';
import { firstOrderOf, orderChangeView, placedView } from './views.ts';

/** Places an order, and changes one. */
export function orderRoutes(app: Http, deps: OrderRoutes): void {
  placeRoute(app, deps);
  amendRoute(app, deps);
}

function placeRoute(app: Http, deps: OrderRoutes): void {
  const place = placing(deps);

  app.post(
    '/v1/orders',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Place an order',
        description:
          'The order is on disk when this answers 202; it trades a moment later: follow it at `Location` or on the ' +
          'order stream. A refused order answers 422 with a code; it is recorded, and `Location` names it too. ' +
          'Waiting for your own write: give `X-BrokerX-Position` as `min_position` to any query.',
        headers: IdempotencyHeaders,
        body: PlaceOrder.meta({
          examples: [
            {
              symbol: 'XEQT',
              side: 'buy',
              type: 'limit',
              qty: '10',
              limit_price: '31.50',
              time_in_force: 'day',
              client_order_id: 'my-first-order',
            },
            {
              symbol: 'XEQT',
              side: 'sell',
              type: 'limit',
              order_class: 'oco',
              qty: '10',
              take_profit: { limit_price: '33.00' },
              stop_loss: { stop_price: '30.00' },
              time_in_force: 'gtc',
            },
            {
              symbol: 'XEQT',
              side: 'buy',
              type: 'limit',
              order_class: 'bracket',
              qty: '10',
              limit_price: '31.50',
              take_profit: { limit_price: '33.00' },
              stop_loss: { stop_price: '30.00' },
              time_in_force: 'gtc',
            },
          ],
        }),
        response: { 202: views.PlacedOrderView.describe('The order as it was recorded.') },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const answer = await place({ actor, traceparent, headers: request.headers, order: body });
      const { fact, time } = accepted(reply, answer, {
        storeId: deps.storeId,
        location: (placed) =>
          orderLocation(firstOrderOf(expectFact(placed, 'OrderPlaced.v1', 'OrderListPlaced.v1'))),
      });
      return placedView(expectFact(fact, 'OrderPlaced.v1', 'OrderListPlaced.v1'), time);
    },
  );
}

function amendRoute(app: Http, deps: OrderRoutes): void {
  const carryOut = accountCommands(deps);
  app.patch(
    '/v1/orders/:id',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Change an order',
        description:
          'Sets a new total quantity (what is filled included), a new limit, or both. Less quantity keeps its place ' +
          'in the queue; anything else gives it a new one behind the others, under the same id, and it may trade at ' +
          'once. At or below what is filled, the order becomes `filled`. One change of an order can be unanswered at ' +
          'a time; until then the hold covers both versions.',
        headers: IdempotencyHeaders,
        params: OrderId,
        body: AmendOrder.meta({ examples: [{ qty: '5' }, { limit_price: '31.40' }] }),
        response: { 202: views.OrderChangeView },
      },
    },
    async (request, reply) => {
      const { actor, body, params } = request;
      const { accountId } = actor;
      const orderId = params.id.toLowerCase();
      const fact = await carryOut(request, reply, {
        command: 'AmendOrder',
        by: 'client',
        accountId,
        subject: orderId,
        body,
        decide: (account) =>
          amendOrder(account, { orderId, accountId, change: body, marketOf: deps.markets.get }),
        facts: ['OrderAmendRequested.v1'],
        location: () => orderLocation(orderId),
      });
      return orderChangeView(fact);
    },
  );
}
