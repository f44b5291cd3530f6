import type { Redis } from 'ioredis';
import {
  type ConnectionFault,
  connectionFault,
  FINAL_FAULTS,
  shownServer,
} from '../runtime/connectionFault.ts';

/** What a Redis must be to be used, and how to mend one that is not. */
export class RedisUnsuitable extends Error {
  override name = 'RedisUnsuitable';
  constructor(message: string) {
    super(message);
    // The fault is not in the code: where it was found helps nobody.
    this.stack = this.message;
  }
}

const unsuitable = (wrong: string, remedy: string) => new RedisUnsuitable(`REDIS_URL: ${wrong}. ${remedy}`);

/** Hashes with many fields in a call, and `CLIENT INFO`; whatever is older has had no repairs for years. */
const VERSION_MIN = [6, 2] as const;

/** Looks at the server behind the connection: null when it may be used. Throws what the connection throws. */
export async function checkRedis(client: Redis): Promise<RedisUnsuitable | null> {
  const info = fieldsOf(await client.info());
  const version = info.get('redis_version') ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    return unsuitable(
      `the server is Redis ${version || '(unknown)'}`,
      `Use Redis ${VERSION_MIN.join('.')} or newer, or Valkey.`,
    );
  }
  const policy = info.get('maxmemory_policy');
  if (policy !== 'noeviction') {
    return unsuitable(
      `the server throws keys away when its memory is full (maxmemory-policy ${policy})`,
      'Set maxmemory-policy noeviction in redis.conf, or now: redis-cli CONFIG SET maxmemory-policy noeviction.',
    );
  }
  if (info.get('role') === 'slave') {
    return unsuitable('the server is a replica, which takes no writes', 'Name its master.');
  }
  if (info.get('redis_mode') === 'cluster') {
    const nodes = fieldsOf(String(await client.call('CLUSTER', 'INFO'))).get('cluster_known_nodes');
    if (nodes !== '1') {
      return unsuitable(
        `the server is one of ${nodes} nodes of a Redis Cluster, each with a part of the keys`,
        'Name a Redis that has all keys: a single one, or one with replicas.',
      );
    }
  }
  return wrongDatabase(client);
}

/** ioredis goes on in database 0 when the one of the URL was refused. */
async function wrongDatabase(client: Redis): Promise<RedisUnsuitable | null> {
  const asked = String(client.options.db ?? 0);
  const selected = / db=(\d+)/.exec(String(await client.call('CLIENT', 'INFO')))?.[1];
  if (selected === asked) return null;
  return unsuitable(
    `there is no database ${asked} on the server`,
    'End the address with a number below the server’s `databases` (16 by default), such as /0.',
  );
}

/** Why a connection attempt will not succeed however often it is made; null when it may. */
export function unusable(error: Error, url: string): RedisUnsuitable | null {
  const { kind, message } = redisFault(error, url);
  return FINAL_FAULTS.has(kind) ? new RedisUnsuitable(message) : null;
}

export const redisFault = (error: Error, url: string): ConnectionFault =>
  connectionFault('REDIS_URL', error, { tls: url.startsWith('rediss:'), shown: shownServer(url) });

/** The reply of INFO: `name:value` in lines. */
function fieldsOf(text: string): Map<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}
