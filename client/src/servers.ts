import { Pool } from 'undici';

/**
 * Spreads callers over several servers of one kind. A caller always talks to the same server, because that one has the
 * caller's state in memory. When it fails, the caller changes to the next server and stays there.
 */
export type Servers = {
  /** The server for requests without a caller. */
  readonly first: Pool;
  /** The server of the caller with this token. Requests without a token are spread by the hash of `otherwise`. */
  of(token: string | undefined, otherwise: string): Pool;
  /** Moves a caller, for whom the server failed, to the next one. */
  failed(token: string | undefined, server: Pool): void;
  destroy(): Promise<void>;
};

/** The most moved callers remembered. Beyond it all are forgotten and return to the server that their hash names. */
const CALLERS_MAX = 10_000;

export function servers(urls: readonly string[], options: Pool.Options): Servers {
  const pools = urls.map((url) => new Pool(url, options));
  const first = pools[0];
  if (!first) throw new Error('no server is named');
  /** Callers that were moved, by token. */
  const moved = new Map<string, Pool>();
  const home = (name: string) => pools[hash(name) % pools.length] ?? first;
  return {
    first,
    of: (token, otherwise) => moved.get(token ?? '') ?? home(callerOf(token) ?? otherwise),
    failed(token, server) {
      if (token === undefined || pools.length === 1) return;
      if (moved.size >= CALLERS_MAX) moved.clear();
      moved.set(token, pools[(pools.indexOf(server) + 1) % pools.length] ?? first);
    },
    async destroy() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

/** The client's id in an access token. It stays the same when the token is renewed. */
export function callerOf(token: string | undefined): string | undefined {
  const payload = token?.split('.')[1];
  if (!payload) return undefined;
  try {
    const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub?: unknown };
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/** FNV-1a, 32 bit. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}
