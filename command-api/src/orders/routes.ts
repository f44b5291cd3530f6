import { AmendOrder, PlaceOrder, views } from '@brokerx/contracts';
import type { Http, Runtime } from '@brokerx/infra';
import { z } from 'zod';
import type { Accounts } from '../account/accounts.ts';
import type { Admission } from '../commands/admission.ts';
import type { Commands } from '../commands/commands.ts';
import { IdempotencyHeaders, requestKey } from '../commands/idempotency.ts';
import { accepted, COMMAND_REPLY_HEADERS, orderLocation } from '../commands/reply.ts';
import type { Markets } from '../market/markets.ts';
import { deadManRoutes } from '../protection/deadManRoutes.ts';
import { killSwitchRoutes } from '../protection/killSwitchRoutes.ts';
import { amendOrder } from './amend.ts';
import { batchRoutes } from './batchRoutes.ts';
import { cancelPreviewRoutes } from './cancelPreviewRoutes.ts';
import { cancelRoutes } from './cancelRoutes.ts';
import { placing } from './place.ts';
import { previewRoutes, type ShownDepth } from './preview/previewRoutes.ts';
import { expectFact, firstOrderOf, orderChangeView, placedView } from './views.ts';

export type OrderRoutes = {
  commands: Commands;
  markets: Markets;
  admission: Admission;
  accounts: Accounts;
  shownDepth: ShownDepth;
  storeId: string;
  runtime: Runtime;
};

export const OrderId = z.object({ id: z.uuid().describe('The order, as POST /v1/orders answered it.') });
export const trader = { auth: ['trader'], replyHeaders: COMMAND_REPLY_HEADERS } as const;

export function orderRoutes(app: Http, deps: OrderRoutes): void {
  const { commands, markets, storeId } = deps;
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
        storeId,
        location: (placed) =>
          orderLocation(firstOrderOf(expectFact(placed, 'OrderPlaced.v1', 'OrderListPlaced.v1'))),
      });
      return placedView(expectFact(fact, 'OrderPlaced.v1', 'OrderListPlaced.v1'), time);
    },
  );

  batchRoutes(app, deps);
  cancelRoutes(app, deps);
  cancelPreviewRoutes(app, deps);
  deadManRoutes(app, deps);
  killSwitchRoutes(app, deps);
  previewRoutes(app, deps);

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
      const { actor, body, traceparent } = request;
      const { accountId } = actor;
      const orderId = request.params.id.toLowerCase();
      const command = 'AmendOrder';
      const key = requestKey(request.headers, { command, subject: orderId, body });
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `client:${actor.clientId}`, key, traceparent },
        (account) => amendOrder(account, { orderId, accountId, change: body, marketOf: markets.get }),
      );
      const { fact } = accepted(reply, answer, { storeId, location: () => orderLocation(orderId) });
      return orderChangeView(expectFact(fact, 'OrderAmendRequested.v1'));
    },
  );
}
