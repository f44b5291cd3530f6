import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Api,
  brokerApi,
  errorsHeardElsewhere,
  idSource,
  mayFail,
  openSession,
  streamEvents,
  succeeded,
} from '@brokerx/client';
import { mintId, type views } from '@brokerx/contracts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { plainEnvironment, REPOSITORY } from '../src/config.ts';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { ask, brokerx, freePort, type Gateway, startGateway } from './gateway.ts';

/** A whole BrokerX with a second API of each kind behind the gateway, as clients see it. */
let installation: Installation;
const others: ChildProcess[] = [];
const commandApis: string[] = [];
const queryApis: string[] = [];
/** The port of the first command-api's inbox, which takes the mail of both. */
let smtpPort = '';

beforeAll(async () => {
  smtpPort = String(await freePort());
  const env = { TRUSTED_PROXIES: '127.0.0.1', DEV_INBOX_SMTP_PORT: smtpPort };
  installation = await startInstallation({ env });
  commandApis.push(new URL(installation.status.commandUrl).host, await startAnother('command-api'));
  queryApis.push(new URL(installation.status.queryUrl).host, await startAnother('query-api'));
}, 120_000);

afterAll(async () => {
  for (const process of others) process.kill('SIGKILL');
  await installation?.stop();
}, 60_000);

/** Starts one more API of the installation. It is not restarted when it is killed. */
async function startAnother(service: 'command-api' | 'query-api'): Promise<string> {
  const { databaseUrl, commandUrl, dataDir } = installation.status;
  const port = String(await freePort());
  const secrets = JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8')) as Record<string, string>;
  const env = {
    ...plainEnvironment(),
    ...(service === 'command-api' ? secrets : {}),
    BROKERX_MODE: 'development',
    DATABASE_URL: databaseUrl,
    AUTH_ISSUER: commandUrl,
    SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
    COMMAND_API_URL: commandUrl,
    TRUSTED_PROXIES: '127.0.0.1',
    BROKERX_INSTANCE: `${service}-2`,
    COMMAND_API_PORT: port,
    QUERY_API_PORT: port,
    LOG_LEVEL: 'warn',
  };
  const main = join(REPOSITORY, service, 'src/main.ts');
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  others.push(child);
  while (!(await mayFail(fetch(`http://127.0.0.1:${port}/readyz`), 'it has not started yet'))?.ok) {
    if (child.exitCode !== null) throw new Error(`${service} ended with ${child.exitCode}; see above`);
    await delay(50);
  }
  return `127.0.0.1:${port}`;
}

test('the routes of both gateways are those that the APIs serve', async () => {
  const { commandUrl, queryUrl } = installation.status;
  const args = ['gateway', 'routes', '--check', '--command', commandUrl, '--query', queryUrl];
  expect(await brokerx(args)).toEqual({ code: 0, output: '' });
});

const nginx = inject('nginx');

describe.runIf(nginx !== null)('behind nginx', () => {
  let gateway: Gateway;
  let api: Api;
  let operator: Operator;
  let alice: Person;
  let bob: Person;
  const SYMBOL = 'GATE';
  const PAGE = 'https://trade.example';

  beforeAll(async () => {
    gateway = await startGateway(nginx ?? '', {
      GATEWAY_COMMAND_APIS: commandApis.join(','),
      GATEWAY_QUERY_APIS: queryApis.join(','),
      GATEWAY_INBOX: commandApis[0] ?? '',
      GATEWAY_CORS_ORIGINS: PAGE,
    });
    api = brokerApi({ commandUrl: gateway.url, queryUrl: gateway.url });
    const { operatorEmail, operatorPassword } = installation.status;
    operator = await operatorOf(api, operatorEmail, operatorPassword);
    [alice, bob] = (await registerMany(api, 'gate', 2)) as [Person, Person];
    await operator.list({ symbol: SYMBOL, name: 'Gated', listingCents: 5_000 });
    await operator.exemptSymbol(SYMBOL);
    for (const { accountId } of [alice, bob]) {
      await operator.exemptAccount(accountId);
      await operator.giveCash(accountId, 100_000_00);
      await operator.giveShares(accountId, SYMBOL, 1_000);
    }
  }, 60_000);
  afterAll(async () => {
    await api?.close();
    await gateway?.stop();
  });

  const order = (side: 'buy' | 'sell', limit_price: string, qty = '1') => ({
    symbol: SYMBOL,
    side,
    type: 'limit',
    qty,
    limit_price,
  });
  const place = async (by: Person, body: object) =>
    succeeded(
      'an order',
      await api.command<views.OrderView>({
        method: 'POST',
        path: '/v1/orders',
        token: await by.token(),
        body,
      }),
    );

  test('a body that drips in has no more time than a whole one, and its client is told', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = errorsHeardElsewhere(connect({ host: hostname, port: Number(port) }));
    let reply = '';
    socket.on('data', (data) => {
      reply += String(data);
    });
    socket.write(
      'POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{',
    );
    const drip = setInterval(() => socket.write('"'), 250);
    try {
      await expect.poll(() => reply).toMatch(/^HTTP\/1.1 408 .*"code":"REQUEST_TIMEOUT"/s);
    } finally {
      clearInterval(drip);
      socket.destroy();
    }
  }, 90_000);

  test('every operation of both APIs is answered as by the API itself', async () => {
    const { commandUrl, queryUrl } = installation.status;
    let compared = 0;
    for (const base of [commandUrl, queryUrl]) {
      const { paths } = (await (await fetch(`${base}/openapi.json`)).json()) as {
        paths: Record<string, Record<string, unknown>>;
      };
      for (const [template, operations] of Object.entries(paths)) {
        // The request has no token and no body, and names nothing that exists.
        const path = template.replaceAll(/\{[^}]+\}/g, 'NOWHERE');
        for (const verb of Object.keys(operations)) {
          const method = verb.toUpperCase();
          const direct = await ask(`${base}${path}`, { method });
          const through = await ask(`${gateway.url}${path}`, { method });
          // What makes people in bulk is the operator's alone, at the API's own address.
          if (path === '/dev/people') {
            expect(through.status).toBe(404);
            continue;
          }
          const summary = ({ status, problem: { code } }: typeof direct) => ({ method, path, status, code });
          expect(summary(through)).toEqual(summary(direct));
          expect(through.names.filter((name) => name === 'x-request-id')).toHaveLength(1);
          compared += 1;
        }
      }
    }
    expect(compared).toBeGreaterThan(30);
  });

  test('what the APIs serve beside their operations, and what is spelled otherwise, is not shown', async () => {
    for (const path of [
      '/metrics',
      '/readyz',
      '/docs/',
      '/openapi.json',
      '/.gateway/command',
      '/v1/orders/../../metrics',
      '/v1/%6frders',
      '//v1/symbols',
      '/commands/docs/..%2f..%2fmetrics',
      '/queries/metrics',
    ]) {
      const { status, problem, headers, names } = await ask(`${gateway.url}${path}`);
      expect({ path, status, code: problem.code, statusInBody: problem.status }).toEqual({
        path,
        status: 404,
        code: 'ROUTE_NOT_FOUND',
        statusInBody: 404,
      });
      expect(problem.request_id).toBe(headers['x-request-id']);
      expect(names.filter((name) => name === 'content-security-policy')).toHaveLength(1);
    }
    expect((await ask(`${gateway.url}/v1/wallet`, { method: 'DELETE' })).status).toBe(404);
    expect((await ask(`${gateway.url}/livez`)).text).toBe('{"status":"ok"}');
  });

  test('both references lie side by side, and their pages talk to the gateway', async () => {
    for (const [name, title] of [
      ['commands', 'BrokerX commands'],
      ['queries', 'BrokerX queries'],
    ]) {
      const document = JSON.parse((await ask(`${gateway.url}/${name}/openapi.json`)).text);
      expect(document).toMatchObject({ info: { title }, servers: [{ url: gateway.url }] });
      const moved = await ask(`${gateway.url}/${name}/docs`);
      expect([moved.status, moved.headers.location]).toEqual([301, `${gateway.url}/${name}/docs/`]);
      const page = await ask(`${gateway.url}/${name}/docs/`);
      expect(page.text).toContain('"url": "../openapi.json"');
      expect(page.names.filter((header) => header === 'content-security-policy')).toHaveLength(1);
      expect((await ask(`${gateway.url}/${name}/docs/js/scalar.js`)).status).toBe(200);
    }
  });

  test('what goes over the WebSocket is described behind the gateway, too', async () => {
    const { text } = await ask(`${gateway.url}/queries/asyncapi.json`);
    expect(JSON.parse(text)).toMatchObject({
      asyncapi: '3.0.0',
      servers: { brokerx: { host: new URL(gateway.url).host, protocol: 'ws' } },
    });
  });

  test('two people trade, and a stream that was cut off resumes without a gap', async () => {
    const path = '/v1/streams/orders';
    const token = await alice.token();
    const first = new AbortController();
    const seen: string[] = [];
    let lastId: string | undefined;
    // A stream without an id begins when it says that it is ready.
    let resting = '';
    for await (const { id, event } of streamEvents(api.lines(path, { token, signal: first.signal }))) {
      seen.push(event);
      lastId = id;
      if (event === 'stream_ready') resting = (await place(alice, order('buy', '49.00'))).body.id;
      if (event === 'order_placed') break;
    }
    first.abort();
    await place(bob, order('sell', '49.00'));
    const second = new AbortController();
    const headers = { 'last-event-id': lastId ?? '' };
    for await (const { event, data } of streamEvents(
      api.lines(path, { token, headers, signal: second.signal }),
    )) {
      seen.push(event);
      if (event === 'order_filled') {
        expect(JSON.parse(data)).toMatchObject({ order_id: resting });
        break;
      }
    }
    second.abort();
    expect(seen).toEqual(['stream_ready', 'order_placed', 'stream_ready', 'order_filled']);
  });

  test('a WebSocket goes through: orders one way, market data and fills the other', async () => {
    const session = openSession({ api, token: alice.token });
    const prices: string[] = [];
    const events: string[] = [];
    const ready = Promise.all([
      new Promise<void>((subscribed) => {
        const data = ({ bids }: views.DepthUpdate) => void prices.push(...bids.map(([price]) => price));
        session.subscribe({ channel: 'depth', symbol: SYMBOL }, { data, subscribed: () => subscribed() });
      }),
      new Promise<void>((subscribed) => {
        const data = ({ event }: views.OrderEventView) => void events.push(event);
        session.subscribe({ channel: 'orders' }, { data, subscribed: () => subscribed() });
      }),
    ]);
    await ready;
    const resting = { symbol: SYMBOL, side: 'buy', type: 'limit', qty: '1', limit_price: '48.50' } as const;
    const placed = succeeded('an order', await session.place(resting));
    await expect.poll(() => [prices, events]).toEqual([['48.50'], ['order_placed']]);
    succeeded('its cancel', await session.cancel(placed.body.id));
    await expect.poll(() => events).toEqual(['order_placed', 'cancel_requested', 'order_closed']);
    const orders = [{ order: resting }, { order: { ...resting, limit_price: '48.505' } }];
    const batch = succeeded('a batch', await session.placeMany(orders));
    expect(batch.body.items.map(({ status }) => status)).toEqual([202, 400]);
    session.close();
  });

  test('an account sticks to one command-api, accounts are spread over both, queries too', async () => {
    const tokens = Array.from({ length: 40 }, (_, number) => `token-${number}`);
    let round = 0;
    // On a busy machine nginx passes over an API that answers too slowly for some seconds, and then its accounts move.
    const spread = async () => {
      round += 1;
      const path = `/v1/accounts/spread-${round}/cash-transfers`;
      for (const token of [...tokens, ...tokens]) {
        await ask(`${gateway.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
      }
      const commands = (await gateway.logged(path, 80)).map(({ upstream }) => upstream);
      return { first: commands.slice(0, 40), again: commands.slice(40) };
    };
    await expect
      .poll(
        async () => {
          const { first, again } = await spread();
          return { sticks: first.every((upstream, i) => upstream === again[i]), over: new Set(first) };
        },
        { timeout: 40_000, interval: 1_000 },
      )
      .toEqual({ sticks: true, over: new Set(commandApis) });
    for (let count = 0; count < 20; count += 1) await ask(`${gateway.url}/v1/symbols/SPREAD`);
    const queries = (await gateway.logged('/v1/symbols/SPREAD', 20)).map(({ upstream }) => upstream);
    expect(new Set(queries)).toEqual(new Set(queryApis));
  }, 60_000);

  test('a body of 64 KiB is the API’s business, a larger one and a larger head are refused at the gateway', async () => {
    const post = (bytes: number, headers: Record<string, string> = {}) =>
      ask(`${gateway.url}/v1/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ padding: 'x'.repeat(bytes - 14) }),
      });
    expect((await post(64 * 1024)).problem.code).toBe('INVALID_REQUEST');
    const large = await post(64 * 1024 + 1);
    expect([large.status, large.problem.code, large.problem.retryable]).toEqual([
      413,
      'BODY_TOO_LARGE',
      false,
    ]);
    const head = await post(100, { 'x-large': 'x'.repeat(17 * 1024) });
    expect([head.status, head.problem.code, head.problem.status]).toEqual([431, 'HEADERS_TOO_LARGE', 431]);
  });

  test('pages of the listed origin may call both APIs and read refusals; others may not', async () => {
    const askFrom = (path: string, origin: string, method = 'GET') =>
      ask(`${gateway.url}${path}`, { method, headers: { origin } });
    const preflight = await askFrom('/v1/orders', PAGE, 'OPTIONS');
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': expect.stringContaining('Idempotency-Key'),
    });
    for (const [path, method, status] of [
      ['/v1/symbols', 'GET', 200],
      ['/v1/orders', 'POST', 401],
      ['/nowhere', 'GET', 404],
    ] as const) {
      const reply = await askFrom(path, PAGE, method);
      expect(reply.status).toBe(status);
      expect(reply.names.filter((name) => name === 'access-control-allow-origin')).toHaveLength(1);
      expect(reply.headers).toMatchObject({ 'access-control-allow-origin': PAGE, vary: expect.any(String) });
      expect(reply.headers['access-control-expose-headers']).toContain('X-BrokerX-Position');
    }
    expect((await askFrom('/v1/symbols', 'https://trade.example.evil')).names).not.toContain(
      'access-control-allow-origin',
    );
    expect((await askFrom('/v1/orders', 'https://evil.example', 'OPTIONS')).status).toBe(404);
  });

  test('a command-api that is killed under load is not noticed: every order is answered once', async () => {
    const sender = await alice.token();
    const keys = Array.from({ length: 60 }, () => mintId(idSource));
    const answers: number[] = [];
    const worker = async () => {
      for (let key = keys.shift(); key; key = keys.shift()) {
        const reply = await ask(`${gateway.url}/v1/orders`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${sender}`,
            'idempotency-key': key,
            'content-type': 'application/json',
          },
          body: JSON.stringify(order('buy', '10.00')),
        });
        answers.push(reply.status);
        if (answers.length === 20) await killCommandApiOf(sender);
      }
    };
    const before = await openOrders(alice);
    await Promise.all(Array.from({ length: 6 }, worker));
    expect(answers).toEqual(Array.from({ length: 60 }, () => 202));
    await expect.poll(() => openOrders(alice)).toBe(before + 60);
  });

  /** Kills the command-api that serves this token. The supervisor restarts it if it is the installation's own. */
  async function killCommandApiOf(token: string): Promise<void> {
    const path = '/v1/accounts/serving/cash-transfers';
    await ask(`${gateway.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    const serving = (await gateway.logged(path, 1))[0]?.upstream;
    const pid = serving === commandApis[0] ? installation.pids()['command-api'] : others[0]?.pid;
    process.kill(pid ?? 0, 'SIGKILL');
  }

  const openOrders = async (person: Person): Promise<number> => {
    let count = 0;
    let page = '';
    do {
      const { items, next_page_token } = await api.query<{ items: unknown[]; next_page_token?: string }>(
        `/v1/orders?status=open&limit=200${page}`,
        { token: await person.token() },
      );
      count += items.length;
      page = next_page_token ? `&page_token=${next_page_token}` : '';
    } while (page !== '');
    return count;
  };
});
