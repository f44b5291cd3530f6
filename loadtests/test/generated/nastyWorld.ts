import { type Api, succeeded } from '@brokerx/client';
import { parsePosition } from '@brokerx/contracts';
import type { Operator } from '../../src/operator.ts';
import { type Person, registerMany } from '../../src/people.ts';
import { type Document, type NastyRequest, nastyRequests, type ValidValues } from './nastyInput.ts';

/** The requests for an installation with accounts, orders and symbols that they can name, and who sends each. */
export type NastyWorld = {
  requestsOf(document: Document): Generator<NastyRequest>;
  senderOf(request: NastyRequest): Person;
};

const SYMBOL = 'NASTY';
const HALTED = 'HALTED';

export async function nastyWorld(api: Api, operator: Operator): Promise<NastyWorld> {
  for (const symbol of [SYMBOL, HALTED]) await operator.list({ symbol, name: 'Nasty', listingCents: 10_000 });
  const order = { symbol: SYMBOL, side: 'buy', type: 'limit', qty: '10', limit_price: '99.00' };
  const [trader, ...others] = await withOrders({ api, operator }, { ...order, client_order_id: 'mine' });
  const owners = new Map(USING_UP.map((name, index) => [name, others[index] as Trader]));

  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  const loss = { stop_price: '95.00', limit_price: '94.00', client_order_id: 'loss' };
  const profit = { limit_price: '105.00', client_order_id: 'profit' };
  const orders = [
    { ...order, time_in_force: 'gtd', expires_at: tomorrow, client_order_id: '', display_qty: '5' },
    { symbol: SYMBOL, side: 'buy', type: 'market', notional: '500.00', stp_mode: 'cancel_newest' },
    {
      symbol: SYMBOL,
      side: 'sell',
      type: 'trailing_stop',
      qty: '5',
      trail_percent: '1.5',
      time_in_force: 'gtc',
    },
    { ...order, order_class: 'bracket', take_profit: profit, stop_loss: loss },
  ];
  let [symbols, people, named] = [0, 0, 0];
  const validValues: ValidValues = {
    storeId: parsePosition(trader.position ?? '')?.storeId ?? '',
    paths: {
      symbol: SYMBOL,
      channel: 'depth',
      client_order_id: 'mine',
      id: trader.orderId,
      ...Object.fromEntries(
        ['POST cash-transfers', 'POST share-transfers', 'PUT exemptions'].map((what) => [
          `${what.replace(' ', ' /v1/accounts/{id}/')} id`,
          trader.person.accountId,
        ]),
      ),
      ...Object.fromEntries(
        [...owners].flatMap(([name, { person, orderId }]) => [
          [`${name} id`, name.includes('/accounts/') ? person.accountId : orderId],
          [`${name} client_id`, person.clientId],
        ]),
      ),
      ...Object.fromEntries(HALTING.map((name) => [`${name} symbol`, HALTED])),
    },
    bodies: {
      'POST /v1/orders': orders,
      'POST /v1/orders/preview': orders,
      'POST /v1/orders/batch': [{ orders: [{ order: orders[0] }] }],
      'POST /dev/people': [
        {
          count: 1,
          label: 'nasty',
          password: 'walnut ferry copper lantern',
          amount: '1.00',
          shares: [{ symbol: SYMBOL, qty: '1' }],
          exempt: true,
          reason: 'a test',
        },
      ],
      'PATCH /v1/orders/{id}': [{ qty: '9', limit_price: '98.00' }],
    },
    fields: {
      symbol: () => SYMBOL,
      reason: () => 'a test',
      email: () => `n${people++}@example.com`,
      // A client order id may be used once.
      client_order_id: () => `order-${named++}`,
    },
  };
  // Each listing needs a new symbol.
  const listingValues: ValidValues = {
    ...validValues,
    fields: { symbol: () => `N${(symbols++).toString(36).toUpperCase()}` },
  };

  return {
    *requestsOf({ paths }) {
      const own = (isListing: boolean) =>
        Object.fromEntries(
          Object.entries(paths).filter(([route]) => (route === '/v1/symbols') === isListing),
        );
      yield* nastyRequests({ paths: own(true) }, listingValues);
      yield* nastyRequests({ paths: own(false) }, validValues);
    },
    senderOf: ({ method, route }) =>
      OPERATORS.test(route) ? operator.person : (owners.get(`${method} ${route}`) ?? trader).person,
  };
}

/** Routes that traders may not call, or whose requests would affect the trader who sends the others. */
const OPERATORS = /^\/dev\/people|^\/v1\/(accounts|market|symbols|clients|events|parked-events)/;
/** Operations that end a session, stop an account or cancel its orders. Each has a person of its own, since all run at once. */
const USING_UP = [
  'DELETE /v1/sessions/current',
  'DELETE /v1/clients/{client_id}/sessions',
  'PUT /v1/kill-switch',
  'PUT /v1/accounts/{id}/kill-switch',
  'PUT /v1/dead-man-switch',
  'DELETE /v1/orders',
  'DELETE /v1/orders/{id}',
  'DELETE /v1/orders/by-client-order-id/{client_order_id}',
  'PATCH /v1/orders/{id}',
];
/** Operations that stop trading in a symbol. */
const HALTING = [
  'POST /v1/symbols/{symbol}/halt',
  'POST /v1/symbols/{symbol}/resume',
  'POST /v1/symbols/{symbol}/phase',
  'POST /v1/symbols/{symbol}/matching-rules',
  'PUT /v1/symbols/{symbol}/calendar',
  'PUT /v1/symbols/{symbol}/exemptions',
];

type Trader = { person: Person; orderId: string; position: string | undefined };

/** Registers a trader for most requests, and one for each of `USING_UP`. All have cash, shares and an order. */
async function withOrders(
  { api, operator }: { api: Api; operator: Operator },
  order: object,
): Promise<[Trader, ...Trader[]]> {
  const traders: Trader[] = [];
  for (const person of await registerMany(api, 'nasty', 1 + USING_UP.length)) {
    await operator.giveCash(person.accountId, 1_000_000_000);
    await operator.giveShares(person.accountId, SYMBOL, 1_000_000);
    const command = { method: 'POST', path: '/v1/orders', body: order, token: await person.token() } as const;
    const { body, position } = succeeded('placing an order', await api.command<{ id: string }>(command));
    traders.push({ person, orderId: body.id, position });
  }
  return traders as [Trader, ...Trader[]];
}
