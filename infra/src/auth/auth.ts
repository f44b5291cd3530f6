import type { FastifyRequest } from 'fastify';
import type { HttpOptions } from '../http/http.ts';
import { Problem } from '../http/problem.ts';
import { SessionUnknown } from './sessionEnds.ts';
import { type Actor, KeysUnavailable, type TokenVerdict, type TokenVerifier } from './tokenVerifier.ts';

/**
 * Verifies a request's bearer token and sets the caller as `request.actor`. A route names the roles that may call it. A token
 * that was verified before costs one look-up and no promise.
 */
declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; only on routes that are not public. */
    actor: Actor;
  }
}

/** The `authenticate` of `buildHttp`. */
export function bearerAuth(verifier: TokenVerifier): HttpOptions['authenticate'] {
  return (request, roles) => {
    const verdict = verifier.verify(bearerToken(request));
    if (!(verdict instanceof Promise)) return admit(request, roles, verdict);
    return verdict.then(
      (late) => admit(request, roles, late),
      (cause: unknown) => {
        throw cause instanceof KeysUnavailable || cause instanceof SessionUnknown ? notNow(cause) : cause;
      },
    );
  };
}

function admit(request: FastifyRequest, roles: readonly string[], verdict: TokenVerdict): void {
  if (verdict === 'expired') throw unauthenticated('The token has expired; sign in again.', 'invalid_token');
  if (verdict === 'ended') throw unauthenticated('The session was ended; sign in again.', 'invalid_token');
  if (verdict === 'invalid') throw unauthenticated('The token is not valid here.', 'invalid_token');
  if (!roles.some((role) => verdict.roles.includes(role))) {
    throw new Problem({
      status: 403,
      code: 'FORBIDDEN',
      title: 'This sign-in may not do that.',
      detail: `One of these roles is needed: ${roles.join(', ')}.`,
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    });
  }
  request.actor = verdict;
}

const SCHEME = 'bearer ';

/** The token in the Authorization header (RFC 6750 §2.1); the scheme's name may be in any case. */
function bearerToken(request: FastifyRequest): string {
  const { authorization } = request.headers;
  if (authorization === undefined) throw unauthenticated('Send Authorization: Bearer <access_token>.');
  if (authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME) {
    throw unauthenticated('The Authorization header must be: Bearer <access_token>.', 'invalid_request');
  }
  return authorization.slice(SCHEME.length).trim();
}

const unauthenticated = (detail: string, error?: string) =>
  new Problem({
    status: 401,
    code: 'UNAUTHENTICATED',
    title: 'A valid bearer token is needed.',
    detail,
    headers: { 'www-authenticate': error ? `Bearer error="${error}"` : 'Bearer' },
  });

const notNow = (cause: KeysUnavailable | SessionUnknown) =>
  new Problem({
    status: 503,
    code: 'UNAVAILABLE',
    title: 'The request could not be carried out now; it may be repeated with the same key.',
    detail: cause.message,
    headers: { 'retry-after': '1' },
    cause,
  });
