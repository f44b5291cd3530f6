import { views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra/http/http.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { accountRead, EVERY_ROLE, mayReadAll } from '../http/actor.ts';
import type { Page } from '../http/paging.ts';
import {
  ExecutionsQuery,
  HoldingsQuery,
  LedgerQuery,
  OrderPath,
  OrderQuery,
  OrdersQuery,
  WalletQuery,
} from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import { executionsToken, readExecutions } from './executions.ts';
import { holdingsToken, readHoldings } from './holdings.ts';
import { ledgerToken, readLedger } from './ledger.ts';
import { ordersToken, readOrder, readOrders } from './orders.ts';
import { readTimeline } from './timeline.ts';
import { readWallet, walletView } from './wallet.ts';

type OrderRequest = FastifyRequest & { params: { id: string } };

/** The routes by which a client reads its own account, and operators and analysts read any. */
export function accountRoutes(app: Http, { store }: { store: EventReader }, reads: Reading): void {
  const shared = { tags: ['Account'], headers: PositionHeaders };
  const config = { auth: EVERY_ROLE, replyHeaders: POSITION_REPLY_HEADERS };

  /** The order of the path; for a client that may not read it, it does not exist. */
  const readableOrder = async (request: OrderRequest, reply: FastifyReply) => {
    const row = await readOrder(reads.of(request, reply, 'orders'), request.params.id);
    const { actor } = request;
    if (row && (row.order.account_id === actor.accountId || mayReadAll(actor))) return row;
    throw refused('ORDER_NOT_FOUND');
  };

  app.get(
    '/v1/wallet',
    {
      config,
      schema: {
        ...shared,
        summary: 'Cash of the account',
        description: '`cash` is all of it; `held` is what open buy orders may cost; `available` is the rest.',
        querystring: WalletQuery,
        response: { 200: views.WalletView },
      },
    },
    async (request, reply) => {
      const actor = request.actor;
      const accountId = accountRead(actor, request.query.account_id);
      const wallet = await readWallet(reads.of(request, reply, 'wallets'), accountId);
      if (wallet) return wallet;
      // The token proves that the client's own account exists, even before its first event is projected.
      if (accountId === actor.accountId) return walletView(accountId, 0, 0);
      throw refused('ACCOUNT_NOT_FOUND');
    },
  );

  app.get(
    '/v1/ledger',
    {
      config,
      schema: {
        ...shared,
        summary: 'Journal of the account, the newest entry first',
        description: 'Double entry: the postings of each entry sum to zero, for cash and for the shares.',
        querystring: LedgerQuery,
        response: { 200: views.page(views.LedgerEntryView) },
      },
    },
    async (request, reply) => {
      const accountId = accountRead(request.actor, request.query.account_id);
      const before = await reads.requestedPage(request, ledgerToken);
      const query = { accountId, limit: request.query.limit, before };
      return reads.page(reply, await readLedger(reads.of(request, reply, 'ledger'), query));
    },
  );

  app.get(
    '/v1/holdings',
    {
      config,
      schema: {
        ...shared,
        summary: 'Shares of the account',
        querystring: HoldingsQuery,
        response: { 200: views.page(views.HoldingView) },
      },
    },
    async (request, reply) => {
      const { account_id, limit, symbol } = request.query;
      const accountId = accountRead(request.actor, account_id);
      const query = { accountId, symbol, limit, after: await reads.requestedPage(request, holdingsToken) };
      return reads.page(reply, await readHoldings(reads.of(request, reply, 'holdings'), query));
    },
  );

  app.get(
    '/v1/orders',
    {
      config,
      schema: {
        ...shared,
        summary: 'Orders of the account, the newest first',
        description: 'All filters that are given must hold. Refused orders are there, too, as `rejected`.',
        querystring: OrdersQuery,
        response: { 200: views.page(views.OrderView) },
      },
    },
    async (request, reply): Promise<Page<views.OrderView>> => {
      const accountId = accountRead(request.actor, request.query.account_id);
      const query = {
        ...filtersOf(request.query),
        before: await reads.requestedPage(request, ordersToken),
      };
      const page = await readOrders(reads.of(request, reply, 'orders'), { accountId, ...query });
      return reads.page(reply, page);
    },
  );

  app.get(
    '/v1/orders/:id',
    {
      config,
      schema: {
        ...shared,
        summary: 'One order',
        params: OrderPath,
        querystring: OrderQuery,
        response: { 200: views.OrderView },
      },
    },
    async (request, reply) => {
      const { order } = await readableOrder(request, reply);
      return order;
    },
  );

  app.get(
    '/v1/orders/:id/events',
    {
      config,
      schema: {
        ...shared,
        summary: 'What happened to one order',
        description: `Every event of its account and of the book about it, oldest first, read from the event store itself (at most the
first 100 and the last).`,
        params: OrderPath,
        querystring: OrderQuery,
        response: { 200: views.page(views.OrderEventView) },
      },
    },
    async (request, reply) => {
      const { order, eventPositions } = await readableOrder(request, reply);
      return { items: await readTimeline(store, order.id, eventPositions), next: null };
    },
  );

  app.get(
    '/v1/executions',
    {
      config,
      schema: {
        ...shared,
        summary: 'Fills of the account, the newest first',
        querystring: ExecutionsQuery,
        response: { 200: views.page(views.ExecutionView) },
      },
    },
    async (request, reply) => {
      const { account_id, limit, symbol, order_id: orderId } = request.query;
      const accountId = accountRead(request.actor, account_id);
      const before = await reads.requestedPage(request, executionsToken);
      const query = { accountId, symbol, orderId, before, limit };
      return reads.page(reply, await readExecutions(reads.of(request, reply, 'executions'), query));
    },
  );
}

const filtersOf = (query: z.output<typeof OrdersQuery>) => ({
  statuses: query.status,
  symbol: query.symbol,
  side: query.side,
  clientOrderId: query.client_order_id,
  listId: query.list_id,
  createdFrom: query.after,
  createdBefore: query.before,
  limit: query.limit,
});
