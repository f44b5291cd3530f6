import { Agent, type IncomingMessage, request } from 'node:http';
import { type Api, brokerApi, succeeded } from '@brokerx/client';
import { parsePosition } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Installation, startInstallation } from '../src/installation.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Person, registerMany } from '../src/people.ts';
import { type Document, type Given, type NastyRequest, nastyRequests } from './nastyInput.ts';

/**
 * No input gives 500: every parameter and every field that the two OpenAPI documents name, each with values of every nasty
 * kind, against a real installation; and whatever was taken can be shown, and is audited.
 */
const SYMBOL = 'NASTY';
const HALTED = 'HALTED';
/** Enough to keep both sides busy; each on a connection of its own. */
const AT_ONCE = 12;
/** Of a request; a stream that has begun is left at once. */
const PATIENCE_MS = 60_000;

let installation: Installation;
beforeAll(async () => {
  // So many requests of one address are what this test is made of.
  installation = await startInstallation({ env: { PUBLIC_REQUESTS_PER_MINUTE_MAX: '1000000' } });
}, 240_000);
afterAll(() => installation?.stop(), 60_000);

type Answer = { status: number; type: string; text: string };
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

function ask(
  base: string,
  { method, path, headers, body }: NastyRequest,
  token: string | null,
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: { ...authorization, ...json, ...headers },
        timeout: PATIENCE_MS,
      },
      (reply: IncomingMessage) => {
        const { statusCode: status = 0 } = reply;
        const type = reply.headers['content-type'] ?? '';
        let text = '';
        const done = () => resolve({ status, type, text });
        if (status < 400) {
          // It may never end.
          reply.destroy();
          return done();
        }
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        reply.once('end', done).once('error', reject);
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end(body);
  });
}

/** What is wrong with an answer; undefined: nothing. */
function faultOf({ status, type, text }: Answer): string | undefined {
  if (status >= 500 && status !== 503) return `${status} ${text}`;
  if (status < 400) return undefined;
  if (!type.startsWith('application/problem+json')) return `${status} is no problem+json: ${type} ${text}`;
  const { code } = JSON.parse(text) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)
    ? undefined
    : `${status} has no code: ${text}`;
}

test('no input gives 500, and whatever was taken can be shown', async () => {
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  const api = brokerApi({ commandUrl, queryUrl });
  const operator = await operatorOf(api, operatorEmail, operatorPassword);
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
  const listed: Given = { ...given, fields: { symbol: () => `N${(symbols++).toString(36).toUpperCase()}` } };
  const faults: string[] = [];
  const seen = new Map<string, Map<number, number>>();
  const targets = [
    ['command', commandUrl, commandUrl],
    ['query', queryUrl, queryUrl],
  ] as const;
  for (const [, base] of targets) {
    const document = (await (await fetch(`${base}/openapi.json`)).json()) as Document;
    const isListing = (route: string) => route === '/v1/symbols';
    const requests = function* () {
      const { paths } = document;
      const own = (wanted: boolean) =>
        Object.fromEntries(Object.entries(paths).filter(([route]) => isListing(route) === wanted));
      yield* nastyRequests({ paths: own(true) }, listed);
      yield* nastyRequests({ paths: own(false) }, given);
    };
    const all = requests();
    const worker = async () => {
      for (const one of all) {
        const name = `${one.method} ${one.route}`;
        const asking = OPERATORS.test(one.route) ? operator.person : (owners.get(name) ?? trader).person;
        const answer = await ask(base, one, await asking.token());
        const statuses = seen.get(name) ?? new Map<number, number>();
        seen.set(name, statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1));
        const fault = faultOf(answer);
        if (fault) faults.push(`${name}: ${one.what} → ${fault.slice(0, 200)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  expect(faults).toEqual([]);
  // Each route was reached: nobody was turned away at the door every time.
  const turnedAway = new Set([401, 403, 429, 503]);
  const reached = [...seen].filter(([, statuses]) =>
    [...statuses.keys()].some((status) => !turnedAway.has(status)),
  );
  expect(reached.map(([name]) => name)).toEqual([...seen.keys()]);

  const audit = await auditInstallation({ api, operator: operator.person });
  expect(audit.findings.list).toEqual([]);
  await api.close();
}, 600_000);

/** What traders may not do, or would do to themselves. */
const OPERATORS = /^\/v1\/(accounts|market|symbols|clients|events|parked-events)/;
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
