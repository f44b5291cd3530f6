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
 * Verifies access tokens: JWTs (RFC 9068) signed with ES256 by command-api. A signature is checked once; the cache
 * knows a token by its whole text, never by a part of it, and on every use it is looked at whether the token has expired
 * and whether its session was ended.
 */
export type Actor = {
  clientId: string;
  accountId: string;
  roles: readonly string[];
  sessionId: string;
  /** Revision in the client's stream of the event that began the session; 0 where the token does not tell. */
  sessionRevision: number;
  expiresAtMs: number;
};
export type TokenVerdict = Actor | 'expired' | 'ended' | 'invalid';

export type TokenVerifier = {
  /**
   * Answers at once for a token that it knows. Rejects with `KeysUnavailable` or `SessionUnknown`: nothing is known of the
   * token then.
   */
  verify(token: string): TokenVerdict | Promise<TokenVerdict>;
};

/** The issuer's public keys could not be had: the request may be repeated. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable';
}

/** Whom the tokens are meant for, in `aud`. */
export const TOKEN_AUDIENCE = 'brokerx';
/** In the header, so that no other kind of JWT passes for an access token (RFC 9068 §2.1). */
export const TOKEN_TYPE = 'at+jwt';
/** The only signature algorithm: what the token itself asks for is not heard. */
export const TOKEN_ALGORITHM = 'ES256';

/** Some 1.2 KB each: 60 MB when full. */
const TOKENS_MAX = 50_000;
/** Longer than any token of ours; a longer text is not looked at. */
const TOKEN_CHARS_MAX = 4_096;
const FETCH_TIMEOUT_MS = 3_000;
const FETCH_ATTEMPTS_MAX = 3;
const FETCH_AGAIN_MS = 150;
/** An unknown key id makes the key set be fetched again at most this often: a stranger can invent key ids. */
const REFRESH_AT_MOST_EVERY_MS = 10_000;
/** A key that was withdrawn is trusted no longer than this. */
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
  const known = new LRUCache<string, { actor: Actor; era: number }>({ max: TOKENS_MAX });
  /** A page's requests come together: a new token is looked at once for all of them. */
  const underWay = new Map<string, Promise<TokenVerdict>>();

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

  const look = async (token: string): Promise<TokenVerdict> => {
    const actor = known.get(token)?.actor ?? (await verifySignature(token));
    if (typeof actor === 'string') return actor;
    // Taken before: what is forgotten while the stream is read makes the token be looked at again.
    const era = sessions.era();
    await sessions.learn(actor);
    known.set(token, { actor, era });
    return sessions.hasEnded(actor) ? 'ended' : actor;
  };
  const lookOnce = (token: string): Promise<TokenVerdict> => {
    const looking = underWay.get(token) ?? look(token).finally(() => underWay.delete(token));
    underWay.set(token, looking);
    return looking;
  };

  return {
    verify(token) {
      const entry = known.get(token);
      if (!entry) return token.length > TOKEN_CHARS_MAX ? 'invalid' : lookOnce(token);
      const { actor, era } = entry;
      if (actor.expiresAtMs <= runtime.nowMs()) return 'expired';
      if (sessions.hasEnded(actor)) return 'ended';
      return era === sessions.era() ? actor : lookOnce(token);
    },
  };
}

/** Everything that is wrong with the token, and not with the way to the keys. */
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
