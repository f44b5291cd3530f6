import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type Event, eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import { memoryEventStore, realRuntime, sessionEnds, storeFeed } from '@brokerx/infra';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import type { JWK } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { TOKEN_VALID_MS, type TokenIssuer, tokenIssuer } from './tokens.ts';

const ISSUER = 'http://brokerx.test';
const jwkOf = (curve: 'P-256' | 'P-384') =>
  generateKeyPairSync('ec', { namedCurve: curve }).privateKey.export({ format: 'jwk' }) as JWK;
const session = {
  sessionId: '0198c0de-0000-7000-8000-000000000001',
  sessionRevision: 7,
  clientId: '0198c0de-0000-7000-8000-000000000002',
  accountId: '0198c0de-0000-7000-8000-000000000003',
  roles: ['trader', 'analyst'] as const,
};

async function verifierOf({ jwks }: TokenIssuer, runtime = realRuntime) {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const feed = storeFeed({ store, runtime });
  const sessions = await sessionEnds({ store, feed, ends: SESSION_ENDS, runtime });
  onTestFinished(() => feed.close());
  return tokenVerifier({ jwks, issuer: ISSUER, sessions, runtime });
}

test('what is issued is verified with the public keys alone', async () => {
  const nowMs = Date.parse('2026-01-05T14:30:00.000Z');
  const runtime = { ...realRuntime, nowMs: () => nowMs };
  const issuer = await tokenIssuer({ privateJwk: jwkOf('P-256'), issuer: ISSUER, runtime });
  const { token, expiresAtMs } = await issuer.issue(session);
  expect(expiresAtMs).toBe(nowMs + TOKEN_VALID_MS);
  expect(await (await verifierOf(issuer, runtime)).verify(token)).toEqual({
    ...session,
    expiresAtMs,
  });
  expect(JSON.stringify(issuer.jwks)).not.toContain('"d"');
});

test('another installation does not take it', async () => {
  const issuer = await tokenIssuer({ privateJwk: jwkOf('P-256'), issuer: ISSUER, runtime: realRuntime });
  const other = await tokenIssuer({ privateJwk: jwkOf('P-256'), issuer: ISSUER, runtime: realRuntime });
  const { token } = await issuer.issue(session);
  expect(await (await verifierOf(other)).verify(token)).toBe('invalid');
});

test.for([
  ['of another curve', jwkOf('P-384')],
  ['without its private part', { ...jwkOf('P-256'), d: undefined }],
  ['that is shared', { kty: 'oct', k: 'AAAA' }],
] as const)('a signing key %s is refused at the start', async ([, privateJwk]) => {
  await expect(
    tokenIssuer({ privateJwk: privateJwk as JWK, issuer: ISSUER, runtime: realRuntime }),
  ).rejects.toThrow('P-256');
});
