import { CancelOrders, decimalFromCents, formatPosition, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import { leavesOf } from '../account/openOrder.ts';
import { problemOf } from '../commands/refusals.ts';
import { limitCentsOf, ordersMet, stopCentsOf } from './cancel.ts';
import type { OrderRoutes } from './request.ts';

/** Shows which orders a cancel of many would take. It sends nothing to the market and records nothing. */
export function cancelPreviewRoutes(app: Http, { accounts, storeId }: OrderRoutes): void {
  app.post(
    '/v1/order-cancels/preview',
    {
      config: {
        auth: ['trader'],
        replyHeaders: { 'X-BrokerX-Position': 'The position of the account that the preview reflects.' },
      },
      schema: {
        tags: ['Orders'],
        summary: 'Preview a cancel of many orders',
        description:
          'Which open orders `DELETE /v1/orders` would take now with these filters, given here as the body. It needs no ' +
          'key and records nothing.',
        body: CancelOrders.meta({ examples: [{ symbol: 'XEQT', side: 'buy' }, { all: true }] }),
        response: { 200: views.OrderCancelsPreviewView },
      },
    },
    async ({ actor, body }, reply) => {
      const { accountId } = actor;
      const executed = await accounts.execute(accountId, (account) => ({
        reply: account.status === 'none' ? null : preview(account, body),
        rests: 'absent',
      }));
      const found = 'reply' in executed ? executed.reply : null;
      if (!found) throw problemOf({ code: 'ACCOUNT_NOT_FOUND', detail: `account ${accountId}` });
      reply.header('x-brokerx-position', formatPosition({ storeId, position: executed.position }));
      return found;
    },
  );
}

const preview = (account: Account, filter: CancelOrders): views.OrderCancelsPreviewView => ({
  items: ordersMet(account, filter).map((order) => ({
    id: order.orderId,
    client_order_id: order.clientOrderId,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    leaves_qty: String(leavesOf(order, order.quantity)),
    limit_price: decimalOf(limitCentsOf(order)),
    stop_price: decimalOf(stopCentsOf(order)),
  })),
});

const decimalOf = (cents: number | null): string | null => (cents === null ? null : decimalFromCents(cents));
