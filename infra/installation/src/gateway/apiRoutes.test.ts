import { expect, test } from 'vitest';
import { apiRoutes } from './apiRoutes.ts';
import { nginxRoutes } from './nginxRoutes.ts';

const key = [{ in: 'header', name: 'Idempotency-Key' }];
const signedIn = [{ bearer: ['trader'] }];
const ends = { 200: { content: { 'application/json': {} } } };
const operation = (more: object = {}) => ({ security: signedIn, responses: ends, ...more });
const document = (paths: object) => ({ openapi: '3.1.0', paths });
const NOTHING = document({});

test('how a route is passed on follows from what its document says', () => {
  const command = document({
    '/v1/orders': { post: operation({ parameters: key }) },
    '/v1/sessions': { post: { responses: ends } },
    '/v1/sessions/current': { delete: operation() },
    '/.well-known/jwks.json': { get: { responses: ends } },
    '/dev/inbox': { get: { tags: ['Development'], responses: ends } },
  });
  const query = document({
    '/v1/orders/{id}': { get: operation({ parameters: [{ in: 'query', name: 'min_position' }] }) },
    '/v1/streams/orders': {
      get: operation({ responses: { 200: { content: { 'text/event-stream': {} } } } }),
    },
    '/v1/ws': { get: { responses: { 101: { content: { 'application/json': {} } } } } },
  });
  const routes = apiRoutes({ command, query });
  expect(routes.map(({ api, method, path, kind, roles }) => [api, method, path, kind, roles])).toEqual([
    ['command', 'POST', '/v1/orders', 'command', ['trader']],
    ['command', 'POST', '/v1/sessions', 'command_once', null],
    ['command', 'DELETE', '/v1/sessions/current', 'command', ['trader']],
    ['command', 'GET', '/.well-known/jwks.json', 'command_read', null],
    ['query', 'GET', '/v1/orders/{id}', 'query', ['trader']],
    ['query', 'GET', '/v1/streams/orders', 'stream', ['trader']],
    ['query', 'GET', '/v1/ws', 'stream', null],
  ]);
  expect(nginxRoutes(routes)).toContain(String.raw`    "~^(GET|HEAD) /v1/orders/[^/?#]+(\?|$)" query;`);
  expect(nginxRoutes(routes)).toContain(String.raw`    "~^POST /v1/sessions(\?|$)" yes;`);
});

test.for([
  [
    'a query that changes something',
    { command: NOTHING, query: document({ '/v1/orders': { post: operation() } }) },
    'query-api serves POST /v1/orders: it must not change anything',
  ],
  [
    'a route that both APIs serve',
    {
      command: document({ '/v1/orders': { get: operation() } }),
      query: document({ '/v1/orders': { get: operation() } }),
    },
    'both APIs serve GET /v1/orders: a gateway cannot tell which is meant',
  ],
] as const)('no gateway is made for %s', ([, documents, message]) => {
  expect(() => apiRoutes(documents)).toThrow(message);
});
