import type { Role } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import { TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_TYPE } from '@brokerx/infra/auth/tokenVerifier.ts';
import { calculateJwkThumbprint, importJWK, type JSONWebKeySet, type JWK, SignJWT } from 'jose';

/**
 * Issues access tokens: JWTs of RFC 9068, signed with ES256. A token names the client, the account and the roles, and any
 * process with the public keys (`jwks`) verifies it without a further request. Therefore it is short-lived.
 */
export type TokenIssuer = {
  issue(session: Session, expiresAtMs?: number): Promise<{ token: string; expiresAtMs: number }>;
  /** When a token that is issued now expires. */
  expiryMs(): number;
  /** The public keys, as `/.well-known/jwks.json` serves them. */
  jwks: JSONWebKeySet;
};
export type Session = {
  sessionId: string;
  /** Revision, in the client's stream, of the event that began the session: ending all sessions ends the earlier ones. */
  sessionRevision: number;
  clientId: string;
  accountId: string;
  roles: readonly Role[];
};

/** A stolen token works for at most this long. A program has to sign in four times an hour. */
export const TOKEN_VALID_MS = 15 * 60_000;

export async function tokenIssuer(options: {
  privateJwk: JWK;
  issuer: string;
  runtime: Runtime;
  validMs?: number;
}): Promise<TokenIssuer> {
  const { privateJwk, issuer, runtime, validMs = TOKEN_VALID_MS } = options;
  const { kty, crv, x, y } = privateJwk;
  if (kty !== 'EC' || crv !== 'P-256' || !x || !y || !privateJwk.d) {
    throw new TypeError('the signing key must be a private JWK of an EC key on P-256');
  }
  const publicJwk = { kty, crv, x, y };
  const kid = privateJwk.kid ?? (await calculateJwkThumbprint(publicJwk));
  const key = await importJWK({ ...publicJwk, d: privateJwk.d }, TOKEN_ALGORITHM);
  const expiryMs = () => (Math.floor(runtime.nowMs() / 1_000) + Math.floor(validMs / 1_000)) * 1_000;
  return {
    expiryMs,
    jwks: { keys: [{ ...publicJwk, kid, alg: TOKEN_ALGORITHM, use: 'sig' }] },
    async issue({ sessionId, sessionRevision, clientId, accountId, roles }, expiresAtMs = expiryMs()) {
      const claims = { account_id: accountId, roles, sid: sessionId, sid_revision: sessionRevision };
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: TOKEN_TYPE, kid })
        .setIssuer(issuer)
        .setSubject(clientId)
        .setAudience(TOKEN_AUDIENCE)
        .setJti(sessionId)
        .setIssuedAt(Math.floor(runtime.nowMs() / 1_000))
        .setExpirationTime(expiresAtMs / 1_000)
        .sign(key);
      return { token, expiresAtMs };
    },
  };
}
