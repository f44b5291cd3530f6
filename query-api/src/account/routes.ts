import { views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra/http/http.ts';
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
import { invalidParameter, refused } from '../http/problems.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import { executionsToken, readExecutions } from './executions.ts';
import { holdingsToken, readHoldings } from './holdings.ts';
import { ledgerToken, readLedger } from './ledger.ts';
import { ordersToken, readOrder, readOrders } from './orders.ts';
import { readTimeline } from './timeline.ts';
import { readWallet, walletView } from './wallet.ts';

/** What an account may read of itself, and operators and analysts of any. */
export function accountRoutes(app: Http, { store }: { store: EventReader }, reads: Reading): void {
  const shared = { tags: ['Account'], headers: PositionHeaders };
  const config = { auth: EVERY_ROLE, replyHeaders: POSITION_REPLY_HEADERS };

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
      // One's own account exists: the token says so. Nothing has come into it yet.
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
      const { account_id, limit, page_token } = request.query;
      const accountId = accountRead(request.actor, account_id);
      const tables = reads.of(request, reply, 'ledger');
      return readLedger(tables, { accountId, limit, before: tokenKey(page_token, ledgerToken) });
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
      const { account_id, limit, page_token, symbol } = request.query;
      const accountId = accountRead(request.actor, account_id);
      const tables = reads.of(request, reply, 'holdings');
      return readHoldings(tables, { accountId, symbol, limit, after: tokenKey(page_token, holdingsToken) });
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
      const { query } = request;
      return readOrders(reads.of(request, reply, 'orders'), {
        accountId: accountRead(request.actor, query.account_id),
        statuses: query.status,
        symbol: query.symbol,
        side: query.side,
        clientOrderId: query.client_order_id,
        listId: query.list_id,
        createdFrom: query.after,
        createdBefore: query.before,
        before: tokenKey(query.page_token, ordersToken),
        limit: query.limit,
      });
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
      const found = await readOrder(reads.of(request, reply, 'orders'), request.params.id);
      const actor = request.actor;
      if (found && (found.order.account_id === actor.accountId || mayReadAll(actor))) return found.order;
      throw refused('ORDER_NOT_FOUND');
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
      const found = await readOrder(reads.of(request, reply, 'orders'), request.params.id);
      const actor = request.actor;
      if (!found || (found.order.account_id !== actor.accountId && !mayReadAll(actor))) {
        throw refused('ORDER_NOT_FOUND');
      }
      return { items: await readTimeline(store, found.order.id, found.eventPositions), next: null };
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
      const { account_id, limit, page_token, symbol, order_id: orderId } = request.query;
      const accountId = accountRead(request.actor, account_id);
      const before = tokenKey(page_token, executionsToken);
      const tables = reads.of(request, reply, 'executions');
      return readExecutions(tables, { accountId, symbol, orderId, before, limit });
    },
  );
}

export function tokenKey<K>(
  token: string | undefined,
  keyOf: (token: string) => K | undefined,
): K | undefined {
  if (token === undefined) return undefined;
  const key = keyOf(token);
  if (key === undefined)
    throw invalidParameter('#/query/page_token', '`next` of an earlier page of this list');
  return key;
}
