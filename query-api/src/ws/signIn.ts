import { type Place, type Runtime, type SessionEnds, SessionUnknown } from '@brokerx/infra';
import type { Actor, TokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { KeysUnavailable } from '@brokerx/infra/auth/tokenVerifier.ts';
import { refused } from '../http/problems.ts';
import type { AccountQuotas } from '../reading/clientQuotas.ts';

/**
 * The client that is signed in on a WebSocket connection. It may replace its token by a newer one, so a connection outlives
 * its tokens. When the token expires, or its session ends, nobody is signed in any more.
 */
export type SignIn = {
  current(): { actor: Actor; token: string } | null;
  /** Signs in, or replaces the token; throws a refusal for a token that is not valid here. */
  renew(token: string): Promise<Actor>;
  close(): void;
};

const TOKEN_REFUSAL = {
  expired: 'The token has expired; sign in again.',
  ended: 'The session was ended; sign in again.',
  invalid: 'The token is not valid here.',
} as const;

export function signIn(options: {
  verifier: TokenVerifier;
  sessions: Pick<SessionEnds, 'onEnd'>;
  /** How many connections each account may have. */
  accounts: AccountQuotas;
  runtime: Runtime;
  /** Called when the sign-in has ended by itself. */
  onEnd: (reason: 'token_expired' | 'session_ended') => void;
}): SignIn {
  const { verifier, sessions, accounts, runtime, onEnd } = options;
  let current: { actor: Actor; token: string } | null = null;
  let stopWatching = (): void => undefined;
  let place: Place | null = null;
  let closed = false;

  const verified = async (token: string): Promise<Actor> => {
    try {
      const verdict = await verifier.verify(token);
      if (typeof verdict === 'object') return verdict;
      throw refused('UNAUTHENTICATED', TOKEN_REFUSAL[verdict]);
    } catch (cause) {
      if (cause instanceof KeysUnavailable || cause instanceof SessionUnknown)
        throw refused('UNAVAILABLE', cause.message, cause);
      throw cause;
    }
  };
  const signOut = () => {
    stopWatching();
    current = null;
    place?.leave();
    place = null;
  };
  const end = (reason: 'token_expired' | 'session_ended') => {
    signOut();
    onEnd(reason);
  };

  return {
    current: () => current,
    async renew(token) {
      const actor = await verified(token);
      if (closed) throw refused('UNAVAILABLE', 'the connection is over');
      if (current && current.actor.clientId !== actor.clientId) {
        throw refused('FORBIDDEN', 'this connection is another client’s: open a new one');
      }
      place ??= accounts.take(actor.accountId);
      if (!place) {
        throw refused('TOO_MANY_STREAMS', 'this account has as many connections as it may have');
      }
      stopWatching();
      current = { actor, token };
      const cancel = runtime.setTimer(Math.max(0, actor.expiresAtMs - runtime.nowMs()), () =>
        end('token_expired'),
      );
      let leave = (): void => undefined;
      stopWatching = () => {
        cancel();
        leave();
      };
      leave = sessions.onEnd(actor, () => end('session_ended'));
      return actor;
    },
    close() {
      closed = true;
      signOut();
    },
  };
}
