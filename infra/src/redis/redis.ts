import { Redis } from 'ioredis';
import { shownServer } from '../runtime/connectionFault.ts';
import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { sharedOutage } from '../runtime/outage.ts';
import { backOffMs } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';
import { checkRedis, RedisUnsuitable, redisFault, unusable } from './redisServer.ts';

/**
 * How this project talks to Redis: a connection that comes back by itself, on which no call hangs. While the server is
 * away a call fails at once; a call that was under way fails when the connection breaks, or after `COMMAND_TIMEOUT_MS`.
 * Nothing is queued and nothing is sent a second time behind the caller's back.
 */
export type RedisConnection = {
  readonly client: Redis;
  /** Calls back whenever the connection stands (again), and soon when it does so now. */
  onConnected(listener: () => void): () => void;
  close(): Promise<void>;
};

/** Milliseconds: what takes longer on a server that answers a million times a second is stuck, or cut off from us. */
const COMMAND_TIMEOUT_MS = 2_000;
/** Silence of this length while replies are due means that the way to the server is broken: it is looked for anew. */
const SILENCE_MAX_MS = 2_500;
const CONNECT_TIMEOUT_MS = 2_000;
/** A lost peer sends nothing: the system asks after it when a connection was silent for this long. */
const KEEP_ALIVE_MS = 15_000;
/** A start waits this long for a server that is away; then it goes on without, until the server is there. */
const START_WAIT_MS = 2_000;
/** To say goodbye in order. */
const QUIT_TIMEOUT_MS = 1_000;

/** Redis, or the way to it, is away: the call may be repeated, and whether it took effect is not known. */
export class RedisAway extends Error {
  override name = 'RedisAway';
  /** The code by which everybody who repeats calls knows such a moment. */
  readonly code = 'ETIMEDOUT';
}

/** Redis answered, and refused: out of memory, no permission, not able to write to its disk. */
export class RedisRefused extends Error {
  override name = 'RedisRefused';
}

/**
 * Connects. Throws `RedisUnsuitable` when the server answers and is not one to be used; when it does not answer, says so
 * and goes on: what else the process does should not depend on it. It is looked at again after every reconnect.
 */
export async function openRedis(options: {
  url: string;
  /** Shown in `CLIENT LIST`. */
  name: string;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<RedisConnection> {
  const { runtime } = options;
  const client = connect(options);
  const listeners = new Set<() => void>();
  const first = Promise.withResolvers<RedisUnsuitable | 'usable' | 'away'>();
  const cancelWait = runtime.setTimer(START_WAIT_MS, () => first.resolve('away'));
  const away = redisOutage(options);
  let stood = false;
  let opened = false;
  let closing = false;

  client.on('error', (error: Error) => {
    const refused = unusable(error, options.url);
    if (refused) first.resolve(refused);
    // What is wrong at the start is thrown; a connection that stood may have been ended alone, and comes back at once.
    if (!closing && !stood && (opened || !refused)) away.failed(error);
  });
  client.on('close', () => {
    stood = false;
  });
  client.on('ready', () => {
    stood = true;
    for (const listener of listeners) listener();
    checkRedis(client).then(
      (wrong) => {
        // At the start it is thrown instead.
        if (wrong && opened) away.failed(wrong);
        else away.answered();
        first.resolve(wrong ?? 'usable');
      },
      // It went away again: the next connection is looked at.
      () => undefined,
    );
  });

  const found = await first.promise;
  cancelWait();
  opened = true;
  if (found instanceof Error) {
    closing = true;
    client.disconnect();
    throw found;
  }
  if (found === 'away') away.failed(new RedisAway(`it does not answer within ${START_WAIT_MS} ms`));
  return {
    client,
    onConnected(listener) {
      listeners.add(listener);
      if (client.status === 'ready') queueMicrotask(() => listeners.has(listener) && listener());
      return () => listeners.delete(listener);
    },
    async close() {
      closing = true;
      listeners.clear();
      await goodbye(client, runtime);
    },
  };
}

/** All connections of a process to one server tell the same outage. */
const redisOutage = ({ url, runtime, log }: { url: string; runtime: Runtime; log?: Log | undefined }) =>
  sharedOutage({
    log,
    runtime,
    server: `Redis (${shownServer(url)})`,
    meaning: MEANING,
    reasonOf: (error) => (error instanceof RedisUnsuitable ? error : redisFault(error as Error, url)).message,
    isFinal: (error) => error instanceof RedisUnsuitable || unusable(error as Error, url) !== null,
    settleMs: CONNECT_TIMEOUT_MS,
  });

const MEANING =
  'depth, tickers and trades of markets wait, and each process has limits of its own; orders, accounts and everything else go on; it is tried again all the time';

/** The call's result; what ioredis throws becomes an error of ours, without the command: that may hold anything. */
export async function answerOf<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    if (isReply(error) && !FOR_A_MOMENT.test(message)) throw new RedisRefused(`Redis refused: ${message}`);
    throw new RedisAway(`Redis is away: ${NOT_CONNECTED.test(message) ? 'not connected' : message}`);
  }
}

const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';
/** In ioredis' words, for a connection that is tried again. */
const NOT_CONNECTED = /enableOfflineQueue|max retries per request/;
/** Replies of a server that is starting, failing over, or busy with somebody's script. */
const FOR_A_MOMENT = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|UNBLOCKED)\b/;

function connect({ url, name }: { url: string; name: string }): Redis {
  return new Redis(url, {
    connectionName: name,
    // It would be refused by servers before 7.2, with an entry in their error statistics.
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MAX_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: backOffMs,
    // A call that is made while the server is away, or that was under way when it went, fails at once.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Subscribers subscribe again themselves, and then read the state, because they missed messages meanwhile.
    autoResubscribe: false,
    // A master that became a replica in a failover: the name leads to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

async function goodbye(client: Redis, runtime: Runtime): Promise<void> {
  if (client.status === 'ready') {
    const quitting = mayFail(client.quit(), 'the connection is closed either way');
    await withinTime(runtime, QUIT_TIMEOUT_MS, quitting, () => undefined);
  }
  client.disconnect();
}
