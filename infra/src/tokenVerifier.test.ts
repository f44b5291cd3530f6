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
import { realRuntime } from './runtime.ts';
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
  jti: 'session-1',
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

test('a good token names who acts', async () => {
  const verifier = tokenVerifier({ jwks, issuer: ISSUER, runtime: clock() });
  expect(await verifier.verify(await sign())).toEqual({
    clientId: 'client-1',
    accountId: 'account-1',
    roles: ['trader'],
    sessionId: 'session-1',
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
  ['without an account', 'invalid', () => sign({ account_id: undefined })],
  ['with roles that are no list', 'invalid', () => sign({ roles: 'operator' })],
  ['valid from later on', 'invalid', () => sign({ nbf: NOW_MS / 1_000 + 60 })],
  ['expired', 'expired', () => sign({ exp: NOW_MS / 1_000 - 1 })],
];
test.for(refused)('a token is refused: %s', async ([, verdict, token]) => {
  const verifier = tokenVerifier({ jwks, issuer: ISSUER, runtime: clock() });
  expect(await verifier.verify(await token())).toBe(verdict);
});

test('a known token is answered at once, and expires all the same', async () => {
  const runtime = clock();
  const verifier = tokenVerifier({ jwks, issuer: ISSUER, runtime });
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
  const verifier = tokenVerifier({ jwks: url, issuer: ISSUER, runtime: clock() });
  expect(await verifier.verify(await sign())).toMatchObject({ clientId: 'client-1' });
  expect(await verifier.verify(await sign({ jti: 'session-2' }))).toMatchObject({ sessionId: 'session-2' });
  // Strangers' key ids do not make it ask again and again.
  for (const kid of ['a', 'b', 'c']) expect(await verifier.verify(await sign({}, { kid }))).toBe('invalid');
  expect(requests).toBe(2);
  await new Promise((resolve) => server.close(resolve));
  const cut = tokenVerifier({ jwks: url, issuer: ISSUER, runtime: clock() });
  await expect(cut.verify(await sign())).rejects.toThrow(KeysUnavailable);
});
