import { type Place, type Runtime, type SessionEnds, SessionUnknown } from '@brokerx/infra';
import type { Actor, TokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { KeysUnavailable } from '@brokerx/infra/auth/tokenVerifier.ts';
import { refused } from '../http/problems.ts';
import type { AccountShares } from '../reading/shares.ts';

/**
 * Who speaks on a connection. A token can be followed by a newer one of the same client, so that a connection outlives
 * its tokens; when one expires, or its session ends, the connection is nobody's again.
 */
export type SignIn = {
  current(): { actor: Actor; token: string } | null;
  /** Throws the refusal of a token that is not good here. */
  renew(token: string): Promise<Actor>;
  close(): void;
};

const WHY_NOT = {
  expired: 'The token has expired; sign in again.',
  ended: 'The session was ended; sign in again.',
  invalid: 'The token is not valid here.',
} as const;

export function signIn(options: {
  verifier: TokenVerifier;
  sessions: Pick<SessionEnds, 'onEnd'>;
  /** How many connections each account may have. */
  accounts: AccountShares;
  runtime: Runtime;
  /** Nobody is signed in any more. */
  over: (reason: 'token_expired' | 'session_ended') => void;
}): SignIn {
  const { verifier, sessions, accounts, runtime, over } = options;
  let current: { actor: Actor; token: string } | null = null;
  let forget = (): void => undefined;
  let place: Place | null = null;
  let closed = false;

  const verified = async (token: string): Promise<Actor> => {
    try {
      const verdict = await verifier.verify(token);
      if (typeof verdict === 'object') return verdict;
      throw refused('UNAUTHENTICATED', WHY_NOT[verdict]);
    } catch (cause) {
      if (cause instanceof KeysUnavailable || cause instanceof SessionUnknown)
        throw refused('UNAVAILABLE', cause.message, cause);
      throw cause;
    }
  };
  const giveUp = () => {
    forget();
    current = null;
    place?.leave();
    place = null;
  };
  const end = (reason: 'token_expired' | 'session_ended') => {
    giveUp();
    over(reason);
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
      forget();
      current = { actor, token };
      const cancel = runtime.setTimer(Math.max(0, actor.expiresAtMs - runtime.nowMs()), () =>
        end('token_expired'),
      );
      let leave = (): void => undefined;
      forget = () => {
        cancel();
        leave();
      };
      leave = sessions.onEnd(actor, () => end('session_ended'));
      return actor;
    },
    close() {
      closed = true;
      giveUp();
    },
  };
}
