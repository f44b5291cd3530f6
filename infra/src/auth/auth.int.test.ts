import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { buildHttp, type Http } from '../http/http.ts';
import { createLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { bearerAuth } from './auth.ts';
import { SessionUnknown } from './sessionEnds.ts';
import { type Actor, KeysUnavailable, type TokenVerdict } from './tokenVerifier.ts';

const trader: Actor = {
  clientId: 'client-1',
  accountId: 'account-1',
  roles: ['trader'],
  sessionId: 'session-1',
  sessionRevision: 3,
  expiresAtMs: 0,
};
const verdicts: Record<string, TokenVerdict | Promise<TokenVerdict>> = {
  trader,
  late: Promise.resolve(trader),
  analyst: { ...trader, roles: ['analyst'] },
  old: 'expired',
  out: 'ended',
};

const failures: Record<string, Error> = {
  cut: new KeysUnavailable('no keys'),
  unknown: new SessionUnknown('no store'),
};

let app: Http;
beforeAll(async () => {
  app = await buildHttp({
    title: 'Test API',
    version: '1.2.3',
    log: createLog({ name: 'test', level: 'silent' }),
    metrics: createMetrics('test', '1.2.3'),
    ready: async () => ({}),
    authenticate: bearerAuth({
      verify: (token) => (failures[token] ? Promise.reject(failures[token]) : (verdicts[token] ?? 'invalid')),
    }),
  });
  app.get(
    '/v1/mine',
    {
      config: { auth: ['trader', 'operator'] },
      schema: { response: { 200: z.object({ account_id: z.string() }) } },
    },
    async ({ actor }) => ({ account_id: actor.accountId }),
  );
  await app.ready();
});
afterAll(() => app.close());

const ask = async (authorization?: string) => {
  const reply = await app.inject({ url: '/v1/mine', headers: authorization ? { authorization } : {} });
  const { code, account_id } = reply.json<{ code?: string; account_id?: string }>();
  return [reply.statusCode, code ?? account_id, reply.headers['www-authenticate']];
};

test.for([
  ['a known token', 'Bearer trader', [200, 'account-1', undefined]],
  ['a token verified later', 'bearer late', [200, 'account-1', undefined]],
  ['no token', undefined, [401, 'UNAUTHENTICATED', 'Bearer']],
  ['another scheme', 'Basic dHJhZGVyOg==', [401, 'UNAUTHENTICATED', 'Bearer error="invalid_request"']],
  ['an expired token', 'Bearer old', [401, 'UNAUTHENTICATED', 'Bearer error="invalid_token"']],
  [
    'a token of a session that was ended',
    'Bearer out',
    [401, 'UNAUTHENTICATED', 'Bearer error="invalid_token"'],
  ],
  ['an invalid token', 'Bearer nonsense', [401, 'UNAUTHENTICATED', 'Bearer error="invalid_token"']],
  ['another role', 'Bearer analyst', [403, 'FORBIDDEN', 'Bearer error="insufficient_scope"']],
  ['no way to the keys', 'Bearer cut', [503, 'UNAVAILABLE', undefined]],
  ['no way to learn of its session', 'Bearer unknown', [503, 'UNAVAILABLE', undefined]],
] as const)('a request with %s', async ([, authorization, answer]) => {
  expect(await ask(authorization)).toEqual(answer);
});
