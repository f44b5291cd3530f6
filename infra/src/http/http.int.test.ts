import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FastifyReply } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { buildHttp, type Http } from './http.ts';
import { Problem } from './problem.ts';

const logged: string[] = [];
let app: Http;
let dependencies: Record<string, string> = {};

async function build(extend: (http: Http) => void = () => {}, trustedProxies: string[] = []): Promise<Http> {
  logged.length = 0;
  dependencies = { database: 'ok' };
  app = await buildHttp({
    title: 'Test API',
    version: '1.2.3',
    log: createLog({
      name: 'test',
      level: 'info',
      destination: { write: (line: string) => void logged.push(line) },
    }),
    metrics: createMetrics('test', '1.2.3'),
    ready: async () => dependencies,
    trustedProxies,
    authenticate: (request, scopes) => {
      if (request.headers.authorization !== `Bearer ${scopes.join(' ')}`) {
        throw new Problem({ status: 401, code: 'UNAUTHENTICATED', title: 'A valid bearer token is needed.' });
      }
    },
  });
  app.post(
    '/v1/orders',
    {
      config: { auth: 'public' },
      schema: {
        body: z.strictObject({
          symbol: z.string().max(8),
          quantity: z.int(),
          legs: z.array(z.object({ price: z.string() })).optional(),
        }),
        querystring: z.object({ limit: z.coerce.number().int().min(1).optional() }),
        response: { 202: z.object({ symbol: z.string() }) },
      },
    },
    async (request, reply) => {
      if (request.body.symbol === 'BUG') throw new Error('canary: a bug');
      const secret = { symbol: request.body.symbol, secret: 'canary' };
      return reply.code(202).send(request.body.symbol === 'BAD' ? ({ symbol: 7, secret } as never) : secret);
    },
  );
  app.get(
    '/v1/mine',
    { config: { auth: ['trade'] }, schema: { response: { 200: z.object({ trace: z.string() }) } } },
    async (request) => ({ trace: request.traceparent }),
  );
  extend(app);
  await app.ready();
  return app;
}
afterEach(() => app.close());

const order = (payload: unknown) =>
  app.inject({ method: 'POST', url: '/v1/orders?limit=5', payload: payload as object });

test('a reply has what its schema declares and nothing else', async () => {
  await build();
  const reply = await order({ symbol: 'ACME', quantity: 5 });
  expect(reply.statusCode).toBe(202);
  expect(reply.json()).toEqual({ symbol: 'ACME' });
  expect(reply.headers).toMatchObject({
    'x-request-id': expect.stringMatching(/^[\w-]{12}-\w+$/),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    traceparent: expect.stringMatching(/^00-/),
  });
});

test('a request that does not fit is told each field, the rule and what is expected', async () => {
  await build();
  const reply = await order({ symbol: 'MUCHTOOLONG', extra: 1, legs: [{ price: 5 }] });
  expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(reply.json()).toEqual({
    type: 'about:blank',
    title: 'The request does not have the form that is expected.',
    status: 400,
    instance: '/v1/orders',
    code: 'INVALID_REQUEST',
    errors: [
      { pointer: '#/symbol', code: 'TOO_BIG', detail: expect.stringContaining('<=8 characters') },
      { pointer: '#/quantity', code: 'REQUIRED', detail: 'Invalid input: expected number' },
      {
        pointer: '#/legs/0/price',
        code: 'INVALID_TYPE',
        detail: 'Invalid input: expected string, received number',
      },
      { pointer: '#/extra', code: 'UNKNOWN_FIELD', detail: 'There is no such field.' },
    ],
    request_id: reply.headers['x-request-id'],
    retryable: false,
  });
  const query = await app.inject({
    method: 'POST',
    url: '/v1/orders?limit=0',
    payload: { symbol: 'A', quantity: 1 },
  });
  expect(query.json()).toMatchObject({ errors: [{ pointer: '#/query/limit', code: 'TOO_SMALL' }] });
});

test.for([
  ['{"__proto__":1}', '#/__proto__'],
  [
    '{"symbol":"A","quantity":1,"legs":[{"price":"1"},{"price":"1","__proto__":{"a":1}}]}',
    '#/legs/1/__proto__',
  ],
  ['{"constructor":{"prototype":{"a":1}},"symbol":"A","quantity":1}', '#/constructor'],
  ['{"quantity":1,"\\u005f_proto__":1}', '#/__proto__'],
])('a key that poisons is an unknown field, and the reply says where: %s', async ([payload, pointer]) => {
  app = await build();
  const reply = await app.inject({ method: 'POST', url: '/v1/orders', headers: json, payload });
  expect({ status: reply.statusCode, ...reply.json() }).toMatchObject({
    status: 400,
    code: 'INVALID_REQUEST',
    errors: [{ pointer, code: 'UNKNOWN_FIELD', detail: 'There is no such field.' }],
  });
});

const json = { 'content-type': 'application/json' };
/** Routes to which nothing has to be sent. */
const bare = (http: Http) => {
  const answer = async (_request: unknown, reply: FastifyReply) => reply.code(202).send({ symbol: '1' });
  const schema = { response: { 202: z.object({ symbol: z.string() }) } };
  http.delete('/v1/orders/:id', { config: { auth: 'public' }, schema }, answer);
  const optional = { ...schema, body: z.strictObject({}).nullish() };
  http.post('/v1/resume', { config: { auth: 'public' }, schema: optional }, answer);
};
test.for([
  [
    'malformed JSON',
    { method: 'POST', url: '/v1/orders', headers: json, payload: '{"a":' },
    400,
    'MALFORMED_JSON',
  ],
  [
    'an empty body',
    { method: 'POST', url: '/v1/orders', headers: json, payload: '' },
    400,
    'INVALID_REQUEST',
  ],
  [
    'a poisoned prototype',
    { method: 'POST', url: '/v1/orders', headers: json, payload: '{"__proto__":{"a":1}}' },
    400,
    'INVALID_REQUEST',
  ],
  [
    'a body that is not UTF-8',
    {
      method: 'POST',
      url: '/v1/orders',
      headers: json,
      payload: Buffer.from('{"symbol":"\xff","quantity":1}', 'latin1'),
    },
    400,
    'MALFORMED_JSON',
  ],
  [
    'a body that is said to be compressed',
    {
      method: 'POST',
      url: '/v1/orders',
      headers: { ...json, 'content-encoding': 'gzip' },
      payload: gzipSync('{"symbol":"ACME","quantity":1}'),
    },
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['no body', { method: 'POST', url: '/v1/orders' }, 400, 'INVALID_REQUEST'],
  [
    'a body where none is taken',
    { method: 'DELETE', url: '/v1/orders/1', headers: json, payload: '{"symobl":"ACME"}' },
    400,
    'INVALID_REQUEST',
  ],
  [
    'a parameter where none is taken',
    { method: 'DELETE', url: '/v1/orders/1?__proto__=ACME' },
    400,
    'INVALID_REQUEST',
  ],
  [
    'a body over 64 KiB',
    { method: 'POST', url: '/v1/orders', payload: { symbol: 'x'.repeat(65_536) } },
    413,
    'BODY_TOO_LARGE',
  ],
  ['an unknown route', { method: 'GET', url: '/v2/orders?email=a' }, 404, 'ROUTE_NOT_FOUND'],
  [
    'a text body',
    { method: 'POST', url: '/v1/orders', headers: { 'content-type': 'text/plain' }, payload: 'x' },
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'a form',
    {
      method: 'POST',
      url: '/v1/orders',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'a=b',
    },
    415,
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['a URL that is not well formed', { method: 'GET', url: '/v1/%E0%A4%A' }, 400, 'BAD_REQUEST'],
  ['no token', { method: 'GET', url: '/v1/mine' }, 401, 'UNAUTHENTICATED'],
] as const)('%s is a problem reply', async ([, request, status, code]) => {
  await build(bare);
  const reply = await app.inject(request);
  expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(reply.json()).toMatchObject({
    type: 'about:blank',
    status,
    code,
    retryable: false,
    request_id: expect.any(String),
  });
  expect(reply.statusCode).toBe(status);
  expect(logged).toEqual([]);
});

test('who asks for nothing, or for what the other API has, is told where to look', async () => {
  await build(bare);
  const root = await app.inject('/');
  expect(root.statusCode).toBe(302);
  const page = new URL(root.headers.location as string, 'http://a/').pathname;
  expect((await app.inject(page)).statusCode).toBeLessThan(400);
  const other = await app.inject('/v1/elsewhere');
  expect(other.json()).toMatchObject({
    code: 'ROUTE_NOT_FOUND',
    detail: 'GET /v1/elsewhere: commands and queries are two APIs; see /docs of each.',
  });
});

test.for([
  ['no body and no kind of body', {}],
  ['the kind of a body, but none', { headers: json }],
  [
    'the kind of a body, with its charset, but none',
    { headers: { 'content-type': 'application/json; charset=utf-8' } },
  ],
  ['an empty body that is said to be empty', { headers: { ...json, 'content-length': '0' } }],
  [
    'an empty form',
    { headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '0' } },
  ],
  ['an empty text', { headers: { 'content-type': 'text/plain;charset=UTF-8', 'content-length': '0' } }],
  ['an empty form of several parts', { headers: { 'content-type': 'multipart/form-data' }, payload: '' }],
  ['a body of no kind, and none', { headers: { 'content-type': '', 'content-length': '0' } }],
  ['what is no kind of a body, and none', { headers: { 'content-type': ';', 'content-length': '0' } }],
  [
    'an empty text whose length shows at its end',
    { headers: { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' } },
  ],
  ['an empty object', { headers: json, payload: '{}' }],
  ['null', { headers: json, payload: 'null' }],
] as const)('who has to send nothing may send %s', async ([, request]) => {
  await build(bare);
  for (const [method, url] of [
    ['DELETE', '/v1/orders/1'],
    ['POST', '/v1/resume'],
  ] as const) {
    const reply = await app.inject({ method, url, ...request });
    expect([method, reply.statusCode, reply.json()]).toEqual([method, 202, { symbol: '1' }]);
  }
});

test.for([
  ['a bug', 'BUG'],
  ['a reply that breaks its schema', 'BAD'],
] as const)('%s is a 500 that tells the request id alone, and is logged whole, once', async ([, symbol]) => {
  await build();
  const reply = await order({ symbol, quantity: 1 });
  expect(reply.statusCode).toBe(500);
  expect(reply.body).not.toContain('canary');
  expect(reply.json()).toMatchObject({ code: 'INTERNAL_ERROR', retryable: true });
  expect(logged.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'error',
      request_id: reply.json().request_id,
      route: '/v1/orders',
      err: expect.any(Object),
    }),
  ]);
});

test('a route that does not say who may call it, or what it answers, does not start', async () => {
  await expect(build((http) => void http.get('/open', () => ''))).rejects.toThrow(
    'GET /open does not say who may call it',
  );
  const silent = build((http) => void http.get('/open', { config: { auth: 'public' } }, () => ''));
  await expect(silent).rejects.toThrow('GET /open does not say what it answers');
});

test('a route with scopes is for who has them, and sees the trace of its caller', async () => {
  await build();
  const reply = await app.inject({
    url: '/v1/mine',
    headers: {
      authorization: 'Bearer trade',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    },
  });
  expect(reply.json().trace).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)/);
});

test('readiness names each dependency', async () => {
  await build();
  expect((await app.inject('/livez')).json()).toEqual({ status: 'ok' });
  expect((await app.inject('/readyz')).json()).toEqual({ status: 'ok', dependencies: { database: 'ok' } });
  dependencies = { database: 'connection refused', feed: 'ok' };
  const reply = await app.inject('/readyz');
  expect(reply.statusCode).toBe(503);
  expect(reply.json()).toEqual({ status: 'not ready', dependencies });
});

test('the reference describes every route, its problems and who may call it; its page loads nothing from afar', async () => {
  await build();
  await order({ symbol: 'ACME', quantity: 5 });
  const api = (await app.inject('/openapi.json')).json();
  expect(api).toMatchObject({ openapi: '3.1.0', info: { title: 'Test API', version: '1.2.3' } });
  expect(Object.keys(api.paths)).toEqual(['/v1/orders', '/v1/mine']);
  expect(api.paths['/v1/mine'].get).toMatchObject({ security: [{ bearer: ['trade'] }] });
  const { responses } = api.paths['/v1/orders'].post;
  expect(Object.keys(responses)).toEqual(['202', '4XX', '5XX']);
  expect(Object.keys(responses['5XX'].headers)).toEqual(['Retry-After']);
  expect(api.servers).toEqual([{ url: 'http://localhost:80' }]);
  const page = await app.inject('/docs/');
  expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(page.body).toMatch(/"showDeveloperTools":\s*"never"/);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  const script = await app.inject('/docs/js/scalar.js');
  expect(script.statusCode).toBe(200);
  expect((await app.inject('/metrics')).body).toContain(
    'brokerx_http_request_seconds_count{service="test",method="POST",route="/v1/orders",status="202"} 1',
  );
});

test('bytes that are not HTTP, and headers beyond the bound, get a problem and a closed connection', async () => {
  await build();
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const exchange = (bytes: string) =>
    new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (data) => {
        received += String(data);
      });
      socket.on('error', () => resolve(received));
      socket.on('close', () => resolve(received));
    });
  expect(await exchange('rubbish\r\n\r\n')).toMatch(
    /^HTTP\/1.1 400 .*application\/problem\+json.*"code":"BAD_REQUEST"/s,
  );
  const long = `GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
  expect(await exchange(long)).toMatch(/^HTTP\/1.1 431 .*"code":"HEADERS_TOO_LARGE"/s);
});

/** The client's address as the API sees it, for a request that says that it came through proxies. */
async function seen(trustedProxies: string[], forwardedFor: string) {
  const http = await build(
    (it) =>
      void it.get(
        '/v1/me',
        { config: { auth: 'public' }, schema: { response: { 200: z.object({ ip: z.string() }) } } },
        (request) => ({ ip: request.ip }),
      ),
    trustedProxies,
  );
  const headers = {
    'x-forwarded-for': forwardedFor,
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'trade.example',
  };
  const { ip } = (await http.inject({ url: '/v1/me', headers, remoteAddress: '10.0.0.7' })).json();
  const api = (await http.inject({ url: '/openapi.json', headers, remoteAddress: '10.0.0.7' })).json();
  return { ip, server: api.servers[0].url };
}

test('who the client is, only a trusted proxy may say, and only the last that is not one of them counts', async () => {
  const direct = { ip: '10.0.0.7', server: 'http://localhost:80' };
  expect(await seen([], '203.0.113.9')).toEqual(direct);
  expect(await seen(['10.9.0.0/16'], '203.0.113.9')).toEqual(direct);
  const told = { ip: '203.0.113.9', server: 'https://trade.example' };
  expect(await seen(['10.0.0.0/24'], '203.0.113.9')).toEqual(told);
  expect(await seen(['10.0.0.7'], '192.0.2.1, 203.0.113.9')).toEqual(told);
});

test('while it stops it answers what is under way, and its connections do not keep it', async () => {
  const arrived = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await build((http) => {
    http.get(
      '/v1/slow',
      { config: { auth: 'public' }, schema: { response: { 200: z.object({ done: z.boolean() }) } } },
      async () => {
        arrived.resolve();
        await goOn.promise;
        return { done: true };
      },
    );
  });
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = (path: string) =>
    new Promise<{ status: number | undefined; connection: string | undefined }>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, agent }, (reply) => {
        reply.resume().once('end', () => {
          resolve({ status: reply.statusCode, connection: reply.headers.connection });
        });
      })
        .once('error', reject)
        .end();
    });
  const slow = get('/v1/slow');
  await arrived.promise;
  const closed = app.close();
  await expect.poll(() => app.server.listening).toBe(false);
  goOn.resolve();
  expect(await slow).toEqual({ status: 200, connection: 'close' });
  await closed;
  agent.destroy();
});
