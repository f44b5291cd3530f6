import type { Result } from 'ioredis';
import { answerOf, openRedis } from '../redis/redis.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { keyedHash } from '../vault/sealing.ts';
import type { Tallies } from './tally.ts';

/**
 * Tallies in Redis, shared by all processes: a counter for each key, which goes with its window. Keys are hashed under a
 * secret, because they may name people's addresses.
 *
 *     brokerx:<store id>:tally:<name>:<hash of the key>     how often
 */
export async function redisTallies(options: {
  url: string;
  /** Keeps installations apart that share a Redis. */
  storeId: string;
  secret: Buffer;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<Tallies> {
  const { storeId, secret } = options;
  const connection = await openRedis({ ...options, name: 'brokerx-tally' });
  const { client } = connection;
  client.defineCommand('brokerxCount', { numberOfKeys: 1, lua: COUNT });
  client.defineCommand('brokerxStanding', { numberOfKeys: 1, lua: STANDING, readOnly: true });
  return {
    tally(name, { windowMs }) {
      const placeOf = (key: string) => `brokerx:${storeId}:tally:${name}:${keyedHash(secret, key)}`;
      return {
        async count(key) {
          const [count, leftMs] = await answerOf(client.brokerxCount(placeOf(key), windowMs));
          return { count, leftMs };
        },
        async read(key) {
          const [count, leftMs] = await answerOf(client.brokerxStanding(placeOf(key)));
          return { count, leftMs };
        },
      };
    },
    close: () => connection.close(),
  };
}

/** Counting and the end of the window in one step: a counter without an end would refuse for ever. */
const COUNT = `
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
`;

const STANDING = `
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
return { count, math.max(0, redis.call('PTTL', KEYS[1])) }
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    brokerxCount(key: string, windowMs: number): Result<[count: number, leftMs: number], Context>;
    brokerxStanding(key: string): Result<[count: number, leftMs: number], Context>;
  }
}
