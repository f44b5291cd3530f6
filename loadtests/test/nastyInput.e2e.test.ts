import { Agent, type IncomingMessage, request } from 'node:http';
import { brokerApi, succeeded } from '@brokerx/client';
import { parsePosition } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditInstallation } from '../src/audit.ts';
import { type Installation, startInstallation } from '../src/installation.ts';
import { operatorOf } from '../src/operator.ts';
import { type Person, registerMany } from '../src/people.ts';
import { type Document, type Given, type NastyRequest, nastyRequests } from './nastyInput.ts';

/**
 * No input gives 500: every parameter and every field that the two OpenAPI documents name, each with values of every nasty
 * kind, against a real installation; and whatever was taken can be shown, and is audited.
 */
const SYMBOL = 'NASTY';
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
  const [trader, leaver] = (await registerMany(api, 'nasty', 2)) as [Person, Person];
  await operator.list({ symbol: SYMBOL, name: 'Nasty', listingCents: 10_000 });
  await operator.giveCash(trader.accountId, 1_000_000_000);
  await operator.giveShares(trader.accountId, SYMBOL, 1_000_000);
  const order = { symbol: SYMBOL, side: 'buy', type: 'limit', qty: '10', limit_price: '99.00' };
  const placed = succeeded(
    'placing an order',
    await api.command<{ id: string }>({
      method: 'POST',
      path: '/v1/orders',
      body: order,
      token: await trader.token(),
    }),
  );

  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  const loss = { stop_price: '95.00', limit_price: '94.00', client_order_id: 'loss' };
  const profit = { limit_price: '105.00', client_order_id: 'profit' };
  const orders = [
    { ...order, time_in_force: 'gtd', expires_at: tomorrow, client_order_id: 'mine', display_qty: '5' },
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
  let [symbols, people] = [0, 0];
  const given: Given = {
    storeId: parsePosition(placed.position ?? '')?.storeId ?? '',
    paths: {
      symbol: SYMBOL,
      channel: 'depth',
      client_order_id: 'mine',
      id: placed.body.id,
      client_id: leaver.clientId,
      ...Object.fromEntries(
        ['cash-transfers', 'share-transfers', 'exemptions', 'kill-switch'].map((what) => [
          `/v1/accounts/{id}/${what} id`,
          trader.accountId,
        ]),
      ),
    },
    bodies: {
      'POST /v1/orders': orders,
      'POST /v1/orders/preview': orders,
      'POST /v1/orders/batch': [{ orders: [{ order: orders[0] }] }],
      'PATCH /v1/orders/{id}': [{ qty: '9', limit_price: '98.00' }],
    },
    fields: { symbol: () => SYMBOL, reason: () => 'a test', email: () => `n${people++}@example.com` },
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
    const tokens = {
      trader: await trader.token(),
      operator: await operator.person.token(),
      leaver: await leaver.token(),
    };
    const worker = async () => {
      for (const one of all) {
        const name = `${one.method} ${one.route}`;
        const who =
          one.route === '/v1/sessions/current' ? 'leaver' : OPERATORS.test(one.route) ? 'operator' : 'trader';
        const answer = await ask(base, one, tokens[who]);
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
