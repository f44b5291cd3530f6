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
 * The hot store in Redis. A view is one key: a hash of its values with the cursor among them. So they are lost together
 * whatever happens to the key, one command reads them as of one moment, and a view lies on one node of a cluster.
 *
 *     brokerx:<store id>:{<view>:<version>}     cursor → "<store id> <position> <landmark>", v:<key> → value
 *
 * Installations that share a Redis are kept apart by the store's id. Changes are announced by publishing the position.
 */
export async function redisHotStore(options: {
  url: string;
  /** Of the event store that all views are made from. */
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
    // Publishing knows no databases: the number keeps those apart that share a server and a copy of a store.
    const channel = `${key}:${client.options.db ?? 0}`;
    const cursor = async () => {
      const text = await repeat(() => client.hget(key, CURSOR));
      const found = cursorOf(text);
      if (text !== null && found === null) {
        options.log?.warn(
          { view: `${name}:${version}` },
          'the cursor of a hot view is damaged: it is written anew',
        );
        await repeat(() => client.unlink(key));
      }
      return found;
    };
    return {
      cursor,
      // Not repeated here: after a lost reply the caller reads the cursor again, which tells whether it was done.
      async write({ from, to, set, remove = [] }) {
        const values = [...set].flatMap(([field, value]) => [VALUE + field, value]);
        const gone = remove.filter((field) => !set.has(field)).map((field) => VALUE + field);
        const moved = [textOf(from), textOf(to), to.position, channel, UNUSED_VIEW_MS];
        const written = await answerOf(client.brokerxHotWrite(key, [...moved, set.size, ...values, ...gone]));
        return written === 1 ? 'ok' : 'stale';
      },
      async read(keys) {
        const fields = [CURSOR, ...keys.map((field) => VALUE + field)];
        const [at = null, ...values] = await repeat(() => client.hmget(key, ...fields));
        return { values, cursor: cursorOf(at) };
      },
      // Freed beside the server's other work, so that a large view holds nobody up.
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

/** Milliseconds for which a read is repeated while the server is away: a restart takes less, and a client waits as long. */
const REPEAT_MS = 3_000;
/**
 * A view that nobody has written for this long is of a version or an installation that is no more. Where one that is in
 * use stood still for so long, it is written anew.
 */
const UNUSED_VIEW_MS = 30 * 24 * 3_600_000;

const CURSOR = 'cursor';
const VALUE = 'v:';

/** An empty view's cursor is no text. */
function textOf(cursor: Cursor | null): string {
  if (!cursor) return '';
  const { storeId, position, landmark } = cursor;
  const place = landmark ? ` ${landmark.position}:${landmark.commitId}` : '';
  return `${storeId} ${position}${place}`;
}

/** A damaged cursor is none: the view is written anew. */
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
 * Moves the cursor of the view KEYS[1] from ARGV[1] to ARGV[2] and changes its values, or does nothing: 0. ARGV[3] is the
 * new position for the channel ARGV[4], ARGV[5] the life of the key, ARGV[6] the number of fields that are set: pairs
 * from ARGV[7] on, and behind them the fields that are removed. One by one, because unpack has only some thousand places.
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
