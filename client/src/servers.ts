import { Pool } from 'undici';

/**
 * Several servers of one kind, and which of them a caller talks to: always the same one, so that what it has in memory
 * of this caller is fresh, until it fails: then the next one, which the caller stays with.
 */
export type Servers = {
  /** For what no caller is known of. */
  readonly first: Pool;
  /** Of the caller who has this token, or else of whatever `otherwise` says. */
  of(token: string | undefined, otherwise: string): Pool;
  /** It failed this caller, who goes to the next one. */
  failed(token: string | undefined, server: Pool): void;
  destroy(): Promise<void>;
};

/** Callers remembered; beyond it all begin again where they belong. */
const CALLERS_MAX = 10_000;

export function servers(urls: readonly string[], options: Pool.Options): Servers {
  const pools = urls.map((url) => new Pool(url, options));
  const first = pools[0];
  if (!first) throw new Error('no server is named');
  const chosen = new Map<string, Pool>();
  const home = (name: string) => pools[hash(name) % pools.length] ?? first;
  return {
    first,
    of: (token, otherwise) => chosen.get(token ?? '') ?? home(callerOf(token) ?? otherwise),
    failed(token, server) {
      if (token === undefined || pools.length === 1) return;
      if (chosen.size >= CALLERS_MAX) chosen.clear();
      chosen.set(token, pools[(pools.indexOf(server) + 1) % pools.length] ?? first);
    },
    async destroy() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

/** The client in an access token: it is the same in the next token. */
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
