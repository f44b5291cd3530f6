import { type Api, succeeded } from '@brokerx/client';
import { parsePosition } from '@brokerx/contracts';
import type { Operator } from '../../src/operator.ts';
import { type Person, registerMany } from '../../src/people.ts';
import { type Document, type Given, type NastyRequest, nastyRequests } from './nastyInput.ts';

/** Whom nasty requests are about, and who sends them. */
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
  const given: Given = {
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
      // One name is taken once.
      client_order_id: () => `order-${named++}`,
    },
  };
  // What is listed is a new symbol each time.
  const listed: Given = { ...given, fields: { symbol: () => `N${(symbols++).toString(36).toUpperCase()}` } };

  return {
    *requestsOf({ paths }) {
      const own = (wanted: boolean) =>
        Object.fromEntries(Object.entries(paths).filter(([route]) => (route === '/v1/symbols') === wanted));
      yield* nastyRequests({ paths: own(true) }, listed);
      yield* nastyRequests({ paths: own(false) }, given);
    },
    senderOf: ({ method, route }) =>
      OPERATORS.test(route) ? operator.person : (owners.get(`${method} ${route}`) ?? trader).person,
  };
}

/** What traders may not do, or would do to themselves. */
const OPERATORS = /^\/dev\/people|^\/v1\/(accounts|market|symbols|clients|events|parked-events)/;
/** What ends a session, stops an account or takes its orders: each has a person of its own, for all are asked at once. */
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
/** What takes a symbol from those who trade it. */
const HALTING = [
  'POST /v1/symbols/{symbol}/halt',
  'POST /v1/symbols/{symbol}/resume',
  'POST /v1/symbols/{symbol}/phase',
  'POST /v1/symbols/{symbol}/matching-rules',
  'PUT /v1/symbols/{symbol}/calendar',
  'PUT /v1/symbols/{symbol}/exemptions',
];

type Trader = { person: Person; orderId: string; position: string | undefined };

/** The one whom most is done to, and one for each of what uses its person up; everybody has money, shares and an order. */
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
