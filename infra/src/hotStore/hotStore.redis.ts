import type { Result } from 'ioredis';
import type { Cursor } from '../eventStore/cursor.ts';
import { isTransient, safeInteger } from '../postgres/postgres.ts';
import { answerOf, openRedis } from '../redis/redis.ts';
import type { Log } from '../runtime/log.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ChangeListener, redisChanges } from './changes.redis.ts';
import type { HotStore, HotView } from './hotStore.ts';

/**
 * The hot store in Redis. A view is one key: a hash of its values and its cursor. So they can only be lost together, one
 * command reads them all at the same moment, and a view lies on one node of a cluster.
 *
 *     brokerx:<store id>:{<view>:<version>}     cursor → "<store id> <position> <landmark>", v:<key> → value
 *
 * The store's id separates installations that share a Redis. A change is announced by publishing the position.
 */
export async function redisHotStore(options: {
  url: string;
  /** The id of the event store that all views are made from. */
  storeId: string;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<HotStore> {
  const { runtime, storeId } = options;
  const connection = await openRedis({ ...options, name: 'brokerx-hot' });
  const { client } = connection;
  client.defineCommand('brokerxHotWrite', { numberOfKeys: 1, lua: WRITE });
  const changes = redisChanges(options);
  let closed = false;
  const repeat = <T>(call: () => Promise<T>) =>
    repeating(runtime, REPEAT_MS, () => answerOf(call()), { isTransient, isOver: () => closed });

  const view = (name: string, version: number): HotView => {
    const key = `brokerx:${storeId}:{${name}:${version}}`;
    // Channels span a server's databases: the number separates installations that share a server and a copy of a store.
    const channel = `${key}:${client.options.db ?? 0}`;
    const cursor = async () => {
      const text = await repeat(() => client.hget(key, CURSOR));
      const stored = cursorOf(text);
      if (text !== null && stored === null) {
        options.log?.warn(
          { view: `${name}:${version}` },
          'the cursor of a hot view is damaged: it is written anew',
        );
        await repeat(() => client.unlink(key));
      }
      return stored;
    };
    return {
      cursor,
      // Not repeated: after a lost reply the caller reads the cursor, which shows whether the write was done.
      async write({ from, to, set, remove = [] }) {
        const values = [...set].flatMap(([field, value]) => [VALUE + field, value]);
        const removed = remove.filter((field) => !set.has(field)).map((field) => VALUE + field);
        const head = [textOf(from), textOf(to), to.position, channel, UNUSED_VIEW_MS, set.size];
        const written = await answerOf(client.brokerxHotWrite(key, [...head, ...values, ...removed]));
        return written === 1 ? 'ok' : 'stale';
      },
      async read(keys) {
        const fields = [CURSOR, ...keys.map((field) => VALUE + field)];
        const [at = null, ...values] = await repeat(() => client.hmget(key, ...fields));
        return { values, cursor: cursorOf(at) };
      },
      // UNLINK frees memory in the background, so that a large view does not block the server.
      async clear() {
        await repeat(() => client.unlink(key));
      },
      onChange: (listener) => changes.add({ channel, listener, cursor } satisfies ChangeListener),
    };
  };

  return {
    view,
    async close() {
      if (closed) return;
      closed = true;
      await changes.close();
      await connection.close();
    },
  };
}

/** Milliseconds for which a read is repeated while the server is away: longer than a restart, and clients wait this long. */
const REPEAT_MS = 3_000;
/**
 * Milliseconds after which an unwritten view expires: its version or its installation no longer exists. If a view that is in
 * use expires, it is written anew.
 */
const UNUSED_VIEW_MS = 30 * 24 * 3_600_000;

const CURSOR = 'cursor';
const VALUE = 'v:';

/** The text of a cursor; an empty view's is empty. */
function textOf(cursor: Cursor | null): string {
  if (!cursor) return '';
  const { storeId, position, landmark } = cursor;
  const place = landmark ? ` ${landmark.position}:${landmark.commitId}` : '';
  return `${storeId} ${position}${place}`;
}

/** Parses a cursor; a damaged one counts as none, and the view is written anew. */
function cursorOf(text: string | null): Cursor | null {
  const match = CURSOR_TEXT.exec(text ?? '');
  const [, storeId = '', position = '', at, commitId = ''] = match ?? [];
  if (!match || !Number.isSafeInteger(Number(position)) || !Number.isSafeInteger(Number(at ?? 0)))
    return null;
  return {
    storeId,
    position: safeInteger(position),
    ...(at === undefined ? {} : { landmark: { position: safeInteger(at), commitId } }),
  };
}
const CURSOR_TEXT = /^([0-9a-f-]{36}) (\d{1,16})(?: (\d{1,16}):(\S+))?$/;

/**
 * Moves the cursor of the view KEYS[1] from ARGV[1] to ARGV[2] and changes its values; or does nothing and returns 0.
 * ARGV[3] is the new position for the channel ARGV[4], ARGV[5] the life of the key in milliseconds, ARGV[6] the number of
 * fields to set: pairs from ARGV[7] on, followed by the fields to remove. One by one, because Lua's unpack takes only some
 * thousand values.
 */
const WRITE = `
local view = KEYS[1]
if (redis.call('HGET', view, '${CURSOR}') or '') ~= ARGV[1] then return 0 end
local last = 6 + 2 * tonumber(ARGV[6])
for i = last + 1, #ARGV do redis.call('HDEL', view, ARGV[i]) end
for i = 7, last, 2 do redis.call('HSET', view, ARGV[i], ARGV[i + 1]) end
redis.call('HSET', view, '${CURSOR}', ARGV[2])
redis.call('PEXPIRE', view, ARGV[5])
redis.call('PUBLISH', ARGV[4], ARGV[3])
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    brokerxHotWrite(key: string, args: (string | number)[]): Result<number, Context>;
  }
}
