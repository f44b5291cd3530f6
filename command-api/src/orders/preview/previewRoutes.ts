import {
  formatPosition,
  MATCHING_RULES_VERSION,
  mintId,
  ORDER_SHARES_MAX,
  PlaceOrder,
  placedOrders,
  views,
} from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import type { Account } from '../../account/account.ts';
import type { FactOf } from '../../commands/facts.ts';
import { problemOf, tryLater } from '../../commands/refusals.ts';
import { knownState } from '../../market/market.ts';
import { isList, LISTED_ORDERS_MAX, placeOrderList } from '../placeList.ts';
import { type PlaceOrderCommand, placeOrder } from '../placeOrder.ts';
import { bandOf } from '../price.ts';
import type { OrderRoutes } from '../request.ts';
import { previewOrder } from './preview.ts';

/** What an order would do. Nothing is recorded, held or counted. */
export function previewRoutes(
  app: Http,
  { accounts, markets, shownDepth, storeId, runtime }: OrderRoutes,
): void {
  app.post(
    '/v1/orders/preview',
    {
      config: { auth: ['trader'], replyHeaders: POSITION },
      schema: {
        tags: ['Orders'],
        summary: 'Preview an order',
        description:
          'What `POST /v1/orders` with the same body would say and hold now, and what the shown book would give, ' +
          'without placing it. Hidden quantity is not counted, and all of it may have changed when an order comes.',
        body: PlaceOrder,
        response: { 200: views.OrderPreviewView },
      },
    },
    async ({ actor, body }, reply) => {
      const { accountId } = actor;
      const market = markets.get(body.symbol) ?? (await markets.find(body.symbol));
      const depth = await shownDepth(body.symbol).catch((cause: unknown) => {
        throw tryLater(runtime, 'UNAVAILABLE', { detail: NO_BOOK, cause });
      });
      if (!depth) throw tryLater(runtime, 'UNAVAILABLE', { detail: NO_BOOK });
      const command = { orderId: mintId(runtime), accountId, nowMs: runtime.nowMs(), order: body, market };
      const executed = await accounts.execute(accountId, (account) => ({
        reply: account.status === 'none' ? null : decide(account, command),
        rests: 'absent',
      }));
      const decided = 'reply' in executed ? executed.reply : null;
      if (!decided) throw problemOf({ code: 'ACCOUNT_NOT_FOUND', detail: `account ${accountId}` });
      reply.header('x-brokerx-position', formatPosition({ storeId, position: executed.position }));
      const rules = market?.rules ?? { orderSharesMax: ORDER_SHARES_MAX };
      const state = market ? knownState(market) : null;
      const matchingRules = market?.matchingRules ?? MATCHING_RULES_VERSION;
      const band = market ? bandOf(market) : null;
      return previewOrder(body, decided, { depth, rules, matchingRules, band, state });
    },
  );
}

/** What a new order is decided to be; of a list the first order, with what is held for the list. */
function decide(account: Account, command: PlaceOrderCommand): Decided {
  const ids = {
    listId: command.orderId,
    orderIds: Array.from({ length: LISTED_ORDERS_MAX }, () => command.orderId),
  };
  const fact = isList(command.order)
    ? placeOrderList(account, { ...command, ...ids })
    : placeOrder(account, command);
  if (fact.type === 'OrderPlaced.v1' || fact.type === 'OrderRefused.v1') return fact;
  if (fact.type !== 'OrderListPlaced.v1') throw new Error(`an order is placed or refused, not ${fact.type}`);
  const { holdCents, holdShares } = fact.data;
  const [first] = placedOrders(fact.data);
  if (!first) throw new Error('a list has orders');
  return { type: 'OrderPlaced.v1', data: { ...first, holdCents, holdShares } };
}

type Decided = FactOf<'OrderPlaced.v1'> | FactOf<'OrderRefused.v1'>;

const POSITION = { 'X-BrokerX-Position': 'The position of the account that the preview reflects.' } as const;

const NO_BOOK = 'the book cannot be shown now';
