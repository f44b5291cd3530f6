import type { Cursor } from '../eventStore/cursor.ts';
import { answerOf, openRedis, type RedisConnection } from '../redis/redis.ts';
import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import type { Runtime } from '../runtime/runtime.ts';

export type ChangeListener = {
  channel: string;
  listener: (position: number) => void;
  /** Where the view stands now. */
  cursor: () => Promise<Cursor | null>;
};

/**
 * Who wants to hear of which view's changes. The subscribing connection is one of its own, and there only when somebody
 * listens. What was announced while it was away is lost, so after each reconnect, once it hears everything again,
 * listeners are told where their view stands.
 */
export function redisChanges(options: { url: string; runtime: Runtime; log?: Log | undefined }) {
  const { runtime, log } = options;
  const listeners = new Set<ChangeListener>();
  let connecting: Promise<RedisConnection> | null = null;
  let subscribed: RedisConnection | null = null;
  let cancelProbe: () => void = () => undefined;
  let closed = false;

  const tell = (each: ChangeListener) =>
    each.cursor().then(
      (cursor) => cursor && listeners.has(each) && each.listener(cursor.position),
      (error: unknown) =>
        log?.[unlessOutage(error, 'warn')](
          { err: error, channel: each.channel },
          'the cursor could not be read',
        ),
    );
  const subscribe = async ({ client }: RedisConnection, some: readonly ChangeListener[]) => {
    if (some.length === 0) return;
    try {
      await answerOf(client.subscribe(...new Set(some.map(({ channel }) => channel))));
    } catch (error) {
      // On a connection that stands there is no reason to fail; on one that was lost the next one subscribes again.
      log?.[unlessOutage(error, 'warn')](
        { err: error },
        'the changes of the hot store could not be subscribed to; trying again',
      );
      client.disconnect(true);
      return;
    }
    await Promise.all(some.map(tell));
  };
  /** A lost peer sends nothing, and a subscriber is silent by nature: it has to ask. */
  const probe = (connection: RedisConnection) => {
    cancelProbe = runtime.setTimer(PROBE_MS, () => {
      const { client } = connection;
      if (client.status === 'ready') answerOf(client.ping()).catch(() => client.disconnect(true));
      probe(connection);
    });
  };
  const connect = async () => {
    const connection = await openRedis({ ...options, name: 'brokerx-hot-changes' });
    if (closed) return connection;
    subscribed = connection;
    connection.client.on('message', (channel: string, text: string) => {
      const position = Number(text);
      // Anybody can publish anything.
      if (text === '' || !Number.isSafeInteger(position)) return;
      for (const each of listeners) if (each.channel === channel) each.listener(position);
    });
    connection.onConnected(() => void subscribe(connection, [...listeners]));
    probe(connection);
    return connection;
  };

  return {
    add(each: ChangeListener): () => void {
      listeners.add(each);
      if (subscribed) {
        if (subscribed.client.status === 'ready') void subscribe(subscribed, [each]);
      } else {
        connecting ??= connect();
        // Unsuitable after all: the store's own connection has said so, and nobody is told of changes.
        connecting.catch((error: unknown) =>
          log?.error({ err: error }, 'nobody is told of changes in the hot store'),
        );
      }
      return () => listeners.delete(each);
    },
    async close(): Promise<void> {
      closed = true;
      listeners.clear();
      cancelProbe();
      const connection = connecting && (await mayFail(connecting, 'then there is nothing to close'));
      cancelProbe();
      await connection?.close();
    },
  };
}

/** Milliseconds: the same as on the listening connection to PostgreSQL. */
const PROBE_MS = 15_000;
