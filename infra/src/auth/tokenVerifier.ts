import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import type { SessionEnds } from './sessionEnds.ts';

/**
 * Verifies access tokens: JWTs (RFC 9068) that command-api signs with ES256. A token's signature is checked once and cached
 * under the token's whole text, never a part of it. Every use checks whether the token has expired and whether its session
 * was ended.
 */
export type Actor = {
  clientId: string;
  accountId: string;
  roles: readonly string[];
  sessionId: string;
  /** The revision, in the client's stream, of the event that began the session; 0 if the token has none. */
  sessionRevision: number;
  expiresAtMs: number;
};
export type TokenVerdict = Actor | 'expired' | 'ended' | 'invalid';

export type TokenVerifier = {
  /**
   * Returns the verdict without a promise for a token that was verified before. Rejects with `KeysUnavailable` or
   * `SessionUnknown` if there can be no verdict now.
   */
  verify(token: string): TokenVerdict | Promise<TokenVerdict>;
};

/** The issuer's public keys could not be fetched: the request may be repeated. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable';
}

/** The audience that tokens name in `aud`. */
export const TOKEN_AUDIENCE = 'brokerx';
/** The type in a token's header, so that no other kind of JWT passes for an access token (RFC 9068 §2.1). */
export const TOKEN_TYPE = 'at+jwt';
/** The only signature algorithm, whatever the token's header names. */
export const TOKEN_ALGORITHM = 'ES256';

/** Tokens in the cache, of some 1.2 KB each: 60 MB. */
const TOKENS_MAX = 50_000;
/** All our tokens are shorter; a longer text is refused without being parsed. */
const TOKEN_CHARS_MAX = 4_096;
const FETCH_TIMEOUT_MS = 3_000;
const FETCH_ATTEMPTS_MAX = 3;
const FETCH_AGAIN_MS = 150;
/** Milliseconds between two fetches of the key set for unknown key ids, which a stranger can invent. */
const REFRESH_AT_MOST_EVERY_MS = 10_000;
/** Milliseconds after which a withdrawn key is no longer trusted. */
const KEYS_MAX_AGE_MS = 600_000;

export function tokenVerifier(options: {
  /** The issuer's public keys, or where they are. */
  jwks: URL | JSONWebKeySet;
  issuer: string;
  audience?: string;
  sessions: Pick<SessionEnds, 'hasEnded' | 'learn' | 'era'>;
  runtime: Runtime;
}): TokenVerifier {
  const { jwks, issuer, audience = TOKEN_AUDIENCE, sessions, runtime } = options;
  const keys =
    jwks instanceof URL
      ? createRemoteJWKSet(jwks, {
          timeoutDuration: FETCH_TIMEOUT_MS,
          cooldownDuration: REFRESH_AT_MOST_EVERY_MS,
          cacheMaxAge: KEYS_MAX_AGE_MS,
        })
      : createLocalJWKSet(jwks);
  const verified = new LRUCache<string, { actor: Actor; era: number }>({ max: TOKENS_MAX });
  /** Running verifications by token: a page sends several requests at once, and one verification serves all. */
  const verifying = new Map<string, Promise<TokenVerdict>>();

  const verifySignature = async (token: string): Promise<Actor | 'expired' | 'invalid'> => {
    for (let attempt = 1; ; attempt++) {
      try {
        const { payload } = await jwtVerify(token, keys, {
          algorithms: [TOKEN_ALGORITHM],
          issuer,
          audience,
          typ: TOKEN_TYPE,
          requiredClaims: ['sub', 'exp', 'jti'],
          currentDate: new Date(runtime.nowMs()),
        });
        return actorOf(payload) ?? 'invalid';
      } catch (error) {
        if (error instanceof errors.JWTExpired) return 'expired';
        if (isTokenFault(error)) return 'invalid';
        if (attempt >= FETCH_ATTEMPTS_MAX) {
          throw new KeysUnavailable('the token issuer’s keys could not be fetched', { cause: error });
        }
        await sleep(runtime, FETCH_AGAIN_MS * attempt);
      }
    }
  };

  const verifyNow = async (token: string): Promise<TokenVerdict> => {
    const actor = verified.get(token)?.actor ?? (await verifySignature(token));
    if (typeof actor === 'string') return actor;
    // The era is taken first: if ends are forgotten while the stream is read, the token is verified again.
    const era = sessions.era();
    await sessions.learn(actor);
    verified.set(token, { actor, era });
    return sessions.hasEnded(actor) ? 'ended' : actor;
  };
  const verifyOnce = (token: string): Promise<TokenVerdict> => {
    const verdict = verifying.get(token) ?? verifyNow(token).finally(() => verifying.delete(token));
    verifying.set(token, verdict);
    return verdict;
  };

  return {
    verify(token) {
      const entry = verified.get(token);
      if (!entry) return token.length > TOKEN_CHARS_MAX ? 'invalid' : verifyOnce(token);
      const { actor, era } = entry;
      if (actor.expiresAtMs <= runtime.nowMs()) return 'expired';
      if (sessions.hasEnded(actor)) return 'ended';
      return era === sessions.era() ? actor : verifyOnce(token);
    },
  };
}

/** Whether an error means that the token is wrong, and not that the keys could not be fetched. */
const isTokenFault = (error: unknown): boolean =>
  error instanceof errors.JWTInvalid ||
  error instanceof errors.JWTClaimValidationFailed ||
  error instanceof errors.JWSInvalid ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JOSENotSupported ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys;

function actorOf({
  sub,
  jti,
  exp,
  roles,
  account_id,
  sid = jti,
  sid_revision = 0,
}: JWTPayload): Actor | undefined {
  if (!sub || !jti || exp === undefined || typeof account_id !== 'string') return undefined;
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) return undefined;
  if (typeof sid !== 'string' || !Number.isSafeInteger(sid_revision)) return undefined;
  return {
    clientId: sub,
    accountId: account_id,
    roles,
    sessionId: sid,
    sessionRevision: sid_revision as number,
    expiresAtMs: exp * 1_000,
  };
}
