import { ApiError } from './api.ts';
import { worthRepeating } from './backOff.ts';
import type { Connection } from './connection.ts';

/**
 * Signs a connection in, and again before the token expires. When the server refuses the token for good, the connection
 * stays: public channels go on, and each command gets the refusal at once.
 */
export type SignIn = {
  /** Signs in. Throws when a later attempt may succeed. */
  begin(connection: Connection): Promise<void>;
  /** Why this connection is not signed in; null when it is, or needs not be. A new token is tried first. */
  refusal(connection: Connection): Promise<Refusal | null>;
  /** The token that the person is signed in with. */
  signedInWith(): string | undefined;
  /** Stops renewing the sign-in of a connection that was lost. */
  end(): void;
};
export type Refusal = { status: number; code: string; body: Record<string, unknown> };

/** A token is renewed this long before it expires. */
const TOKEN_MARGIN_MS = 30_000;

export function signIn(token: (() => Promise<string>) | undefined): SignIn {
  let signedInWith: string | undefined;
  let refused: { token: string | null; refusal: Refusal } | null = null;
  let renewal: NodeJS.Timeout | undefined;

  const fetchToken = async (): Promise<string | null> => {
    try {
      return (await token?.()) ?? null;
    } catch (error) {
      // Status 0: there was no reply at all.
      if (!(error instanceof ApiError) || error.status === 0 || worthRepeating(error.status, {})) throw error;
      const { status, code, message: detail } = error;
      refused = { token: null, refusal: { status, code, body: { status, code, detail } } };
      return null;
    }
  };
  const authenticate = async (connection: Connection, current: string): Promise<void> => {
    const { result, error } = await connection.request('authenticate', { token: current });
    if (error) {
      if (worthRepeating(error.status, error))
        throw new Error(`signing in: ${error.code} ${error.detail ?? ''}`);
      const { status, code } = error;
      refused = { token: current, refusal: { status, code, body: error } };
      return;
    }
    refused = null;
    signedInWith = current;
    const renewInMs =
      Date.parse((result as { expires_at: string }).expires_at) - Date.now() - TOKEN_MARGIN_MS;
    clearTimeout(renewal);
    renewal = setTimeout(() => begin(connection).catch(() => connection.drop()), Math.max(1_000, renewInMs));
    renewal.unref();
  };
  const begin = async (connection: Connection): Promise<void> => {
    refused = null;
    const current = await fetchToken();
    if (current !== null) await authenticate(connection, current);
  };

  return {
    begin,
    async refusal(connection) {
      if (!refused) return null;
      const current = await fetchToken();
      if (current !== null && current !== refused?.token) await authenticate(connection, current);
      return refused?.refusal ?? null;
    },
    signedInWith: () => signedInWith,
    end: () => clearTimeout(renewal),
  };
}
