import { createServer } from 'node:http';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { expect, test } from 'vitest';
import { sessionsInMemory } from '../../test/sessionsInMemory.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { KeysUnavailable, tokenVerifier } from './tokenVerifier.ts';

const ISSUER = 'https://brokerx.test';
const NOW_MS = Date.parse('2026-01-05T14:30:00.000Z');
const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = await exportJWK(pair.publicKey);
const kid = await calculateJwkThumbprint(jwk);
const jwks = { keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] };
const stranger = await generateKeyPair('ES256');

const CLAIMS: JWTPayload = {
  iss: ISSUER,
  aud: 'brokerx',
  sub: 'client-1',
  jti: 'token-1',
  sid: 'session-1',
  sid_revision: 3,
  account_id: 'account-1',
  roles: ['trader'],
  exp: NOW_MS / 1_000 + 900,
};
const sign = (
  claims: Partial<JWTPayload> = {},
  header: Partial<JWTHeaderParameters> = {},
  key: CryptoKey = pair.privateKey,
): Promise<string> =>
  new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...header })
    .sign(key);

const clock = () => {
  const runtime = { ...realRuntime, now: NOW_MS, nowMs: () => runtime.now };
  return runtime;
};

const verifierOf = async (runtime = clock(), keys: URL | typeof jwks = jwks, endsMax?: number) => {
  const given = endsMax === undefined ? { runtime } : { runtime, endsMax };
  const { sessions, tell, store } = await sessionsInMemory(given);
  return { ...tokenVerifier({ jwks: keys, issuer: ISSUER, sessions, runtime }), sessions, tell, store };
};

test('a good token names who acts', async () => {
  const verifier = await verifierOf();
  expect(await verifier.verify(await sign())).toEqual({
    clientId: 'client-1',
    accountId: 'account-1',
    roles: ['trader'],
    sessionId: 'session-1',
    sessionRevision: 3,
    expiresAtMs: NOW_MS + 900_000,
  });
});

function hmacToken(): Promise<string> {
  const secret: Uint8Array = Buffer.from(JSON.stringify(jwk));
  return new SignJWT(CLAIMS).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid }).sign(secret);
}
async function unsecured(): Promise<string> {
  const [, payload] = (await sign()).split('.');
  return `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
}

const refused: [why: string, verdict: 'invalid' | 'expired', token: () => Promise<string>][] = [
  ['not a token', 'invalid', async () => 'nonsense'],
  ['nothing', 'invalid', async () => ''],
  ['far too long', 'invalid', async () => 'x'.repeat(100_000)],
  ['signed by another', 'invalid', () => sign({}, {}, stranger.privateKey)],
  ['signed by an unknown key', 'invalid', () => sign({}, { kid: 'other' }, stranger.privateKey)],
  ['not signed (alg none)', 'invalid', unsecured],
  ['signed with the public key as a shared secret (HS256)', 'invalid', hmacToken],
  ['with a changed payload', 'invalid', async () => (await sign()).replace(/\.(.)/, '.f')],
  ['of another issuer', 'invalid', () => sign({ iss: 'https://other.test' })],
  ['for another audience', 'invalid', () => sign({ aud: 'other' })],
  ['of another kind', 'invalid', () => sign({}, { typ: 'JWT' })],
  ['without an expiry', 'invalid', () => sign({ exp: undefined })],
  ['without a subject', 'invalid', () => sign({ sub: undefined })],
  ['with a session that is no name', 'invalid', () => sign({ sid: 7 })],
  ['with a session’s beginning that is no place', 'invalid', () => sign({ sid_revision: '3' })],
  ['without an account', 'invalid', () => sign({ account_id: undefined })],
  ['with roles that are no list', 'invalid', () => sign({ roles: 'operator' })],
  ['valid from later on', 'invalid', () => sign({ nbf: NOW_MS / 1_000 + 60 })],
  ['expired', 'expired', () => sign({ exp: NOW_MS / 1_000 - 1 })],
];
test.for(refused)('a token is refused: %s', async ([, verdict, token]) => {
  const verifier = await verifierOf();
  expect(await verifier.verify(await token())).toBe(verdict);
});

test('a known token is answered at once, and expires all the same', async () => {
  const runtime = clock();
  const verifier = await verifierOf(runtime);
  const token = await sign();
  const actor = await verifier.verify(token);
  expect(verifier.verify(token)).toBe(actor);
  runtime.now += 900_000;
  expect(verifier.verify(token)).toBe('expired');
});

test('keys are fetched from the issuer, again when its first answer fails', async () => {
  let requests = 0;
  const server = createServer((_, response) => {
    requests += 1;
    response.statusCode = requests === 1 ? 503 : 200;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(jwks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/jwks.json`);
  const verifier = await verifierOf(clock(), url);
  expect(await verifier.verify(await sign())).toMatchObject({ clientId: 'client-1' });
  expect(await verifier.verify(await sign({ sid: 'session-2' }))).toMatchObject({ sessionId: 'session-2' });
  // Strangers' key ids do not make it ask again and again.
  for (const kid of ['a', 'b', 'c']) expect(await verifier.verify(await sign({}, { kid }))).toBe('invalid');
  expect(requests).toBe(2);
  await new Promise((resolve) => server.close(resolve));
  const cut = await verifierOf(clock(), url);
  await expect(cut.verify(await sign())).rejects.toThrow(KeysUnavailable);
});

test('a token of before sessions had names is one session by itself, looked at from its client’s beginning', async () => {
  const verifier = await verifierOf();
  const old = await sign({ sid: undefined, sid_revision: undefined });
  expect(await verifier.verify(old)).toMatchObject({ sessionId: 'token-1', sessionRevision: 0 });
});

const UNTIL_MS = NOW_MS + 900_000;

test('a known token whose session is ended is refused at once', async () => {
  const verifier = await verifierOf();
  const token = await sign();
  expect(await verifier.verify(token)).toMatchObject({ sessionId: 'session-1' });
  verifier.sessions.note('client-1', { sessionId: 'session-1', untilMs: UNTIL_MS }, 4);
  expect(verifier.verify(token)).toBe('ended');
  expect(await verifier.verify(await sign({ sid: 'session-2' }))).toMatchObject({ sessionId: 'session-2' });
});

test('a token is new to this process, and its session ended before: it is refused, without a second look', async () => {
  const verifier = await verifierOf();
  await verifier.tell('client-1', 'a', 'b', 'c', 'began', `ended session-1 ${UNTIL_MS}`);
  const token = await sign();
  expect(await verifier.verify(token)).toBe('ended');
  expect(verifier.verify(token)).toBe('ended');
});

test('when ends had to be forgotten, known tokens are looked at again', async () => {
  const verifier = await verifierOf(clock(), jwks, 1);
  await verifier.tell('client-1', 'a', 'b', 'c', 'began');
  const [one, other] = [await sign(), await sign({ sid: 'session-2' })];
  await verifier.verify(one);
  const actor = await verifier.verify(other);
  await verifier.tell('client-1', `ended session-1 ${UNTIL_MS}`);
  await expect.poll(() => verifier.verify(one)).toBe('ended');
  // One too many: the end of session 1 is forgotten here, and found again where it is written.
  verifier.sessions.note('client-9', { sessionId: 'session-9', untilMs: UNTIL_MS }, 0);
  expect(await verifier.verify(one)).toBe('ended');
  const again = verifier.verify(other);
  expect(again).toBeInstanceOf(Promise);
  expect(await again).toEqual(actor);
});

test('requests that come together with a new token have it looked at once', async () => {
  const verifier = await verifierOf();
  const token = await sign();
  const answers = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)));
  expect(new Set(answers).size).toBe(1);
  expect(verifier.verify(token)).toBe(answers[0]);
});
