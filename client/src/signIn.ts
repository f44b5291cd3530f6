import { ApiError } from './api.ts';
import { worthRepeating } from './backOff.ts';
import type { Connection } from './connection.ts';

/**
 * Signs connections in, and again before the token expires. A refusal that the same token would meet again ends nothing:
 * public channels go on, and whoever needs to be signed in is told of it at once.
 */
export type SignIn = {
  /** Throws where it may go otherwise later. */
  begin(connection: Connection): Promise<void>;
  /** Why this connection is not signed in; null: it is, or need not be. A token that is another one now is tried first. */
  refusal(connection: Connection): Promise<Refusal | null>;
  /** What the server knows this person by; the same in every next token. */
  signedInWith(): string | undefined;
  /** Of the connection that was lost. */
  end(): void;
};
export type Refusal = { status: number; code: string; body: Record<string, unknown> };

/** A token is followed by the next one so long before it expires. */
const TOKEN_MARGIN_MS = 30_000;

export function signIn(token: (() => Promise<string>) | undefined): SignIn {
  let signedInWith: string | undefined;
  let refused: { token: string | null; refusal: Refusal } | null = null;
  let renewal: NodeJS.Timeout | undefined;

  const given = async (): Promise<string | null> => {
    try {
      return (await token?.()) ?? null;
    } catch (error) {
      // No reply at all has no status.
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
    const goodMs = Date.parse((result as { expires_at: string }).expires_at) - Date.now() - TOKEN_MARGIN_MS;
    clearTimeout(renewal);
    renewal = setTimeout(() => begin(connection).catch(() => connection.drop()), Math.max(1_000, goodMs));
    renewal.unref();
  };
  const begin = async (connection: Connection): Promise<void> => {
    refused = null;
    const current = await given();
    if (current !== null) await authenticate(connection, current);
  };

  return {
    begin,
    async refusal(connection) {
      if (!refused) return null;
      const current = await given();
      if (current !== null && current !== refused?.token) await authenticate(connection, current);
      return refused?.refusal ?? null;
    },
    signedInWith: () => signedInWith,
    end: () => clearTimeout(renewal),
  };
}
