import {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  EventStoreDBClient,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  TimeoutError,
  UnavailableError,
  UnknownError,
} from '@eventstore/db-client';
import { FINAL_FAULTS, shownServer } from '../../runtime/connectionFault.ts';
import type { Log } from '../../runtime/log.ts';
import { mayFail } from '../../runtime/mayFail.ts';
import { type Outage, sharedOutage } from '../../runtime/outage.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { withinTime } from '../../runtime/waiting.ts';
import { eventStoreFault } from './fault.ts';
import { patchGrpc } from './grpcPatch.ts';

/**
 * The connection to EventStoreDB. To the package's client it adds a time limit for every call, because that client waits for
 * ever for a reply that does not come; a new client in place of one that does not reply; and a guard around its stream of
 * appends, whose faults would end the process.
 */
export type EventStoreDbConnection = {
  client(): EventStoreDBClient;
  /**
   * Settles as `call` does, or rejects with `NoReply` after `limitMs`; then a new client replaces the one that did not reply.
   */
  within<T>(limitMs: number, call: (client: EventStoreDBClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** No reply came within the time limit: whether the call took effect is not known. */
class NoReply extends Error {
  override name = 'NoReply';
}

export function eventStoreDbConnection(options: {
  url: string;
  runtime: Runtime;
  log?: Log | undefined;
}): EventStoreDbConnection {
  const { url, runtime, log } = options;
  // With this option the client returns a wrong revision (always 1) instead of an error.
  if (/throwOnAppendFailure=false/i.test(url))
    throw new Error('EVENTSTORE_URL: remove throwOnAppendFailure=false');
  patchGrpc();
  const openClient = () => {
    const client = EventStoreDBClient.connectionString(withConnectionName(url));
    guardAppends(client, log);
    return client;
  };
  const outage = eventStoreDbOutage(options);
  let current = openClient();
  let isClosed = false;
  /** The calls under way with their clients. A stream that its own client cancels ends without an error. */
  const pending = new Map<(error: Error) => void, EventStoreDBClient>();

  const abandon = (client: EventStoreDBClient, error: Error) => {
    for (const [reject, used] of pending) if (used === client) reject(error);
    return dispose(client);
  };
  const renew = (stuck: EventStoreDBClient) => {
    if (isClosed || stuck !== current) return;
    log?.debug('EventStoreDB did not reply in time: connecting anew');
    current = openClient();
    void abandon(stuck, new NoReply('another call on this connection got no reply'));
  };

  return {
    client: () => current,
    within(limitMs, call) {
      const client = current;
      return new Promise((resolve, reject) => {
        if (isClosed) throw new Error('the event store is closed');
        pending.set(reject, client);
        const cancel = runtime.setTimer(limitMs, () => {
          const noReply = new NoReply(`no reply within ${limitMs} ms`);
          outage.failed(noReply);
          reject(noReply);
          renew(client);
        });
        reportOutcome(outage, Promise.try(call, client), () => isClosed)
          .then(resolve, reject)
          .finally(() => {
            cancel();
            pending.delete(reject);
          });
      });
    },
    async close() {
      isClosed = true;
      const closing = abandon(current, new Error('the event store is closed'));
      await withinTime(runtime, CLOSE_LIMIT_MS, closing, () => undefined);
    },
  };
}

/** Returns the same work, and reports to the outage whether the server was there. */
function reportOutcome<T>(outage: Outage, work: Promise<T>, isOver: () => boolean): Promise<T> {
  const failed = (error: unknown) => {
    if (!isOver() && error instanceof UnavailableError) outage.failed(error);
  };
  work.then(() => outage.answered(), failed);
  return work;
}

/** The server counts as away when no connection can be made or no reply comes; a fault that a repetition mends is no outage. */
const eventStoreDbOutage = ({
  url,
  runtime,
  log,
}: {
  url: string;
  runtime: Runtime;
  log?: Log | undefined;
}) =>
  sharedOutage({
    log,
    runtime,
    server: `EventStoreDB (${shownServer(url)})`,
    meaning: MEANING,
    reasonOf: (error) => eventStoreFault(url, error).message,
    isFinal: (error) => FINAL_FAULTS.has(eventStoreFault(url, error).kind),
  });

const MEANING =
  'no command is taken (503) and no order is matched; what was accepted is kept, views show what they have; it is tried again all the time';

/** Milliseconds for closing. Calls that still run are cancelled, and their results no longer matter. */
const CLOSE_LIMIT_MS = 2_000;

async function dispose(client: EventStoreDBClient): Promise<void> {
  await mayFail(client.dispose(), 'nothing of it matters any more');
  const { getChannel } = client as unknown as { getChannel(): Promise<{ close(): void }> };
  await getChannel().then(
    (channel) => channel.close(),
    () => undefined,
  );
}

/** Names the connection in the server's list of connections, unless the address names it otherwise. */
function withConnectionName(url: string): string {
  if (/[?&]connectionName=/i.test(url)) return url;
  return `${url.replace(/\/+$/, '')}${url.includes('?') ? '&' : '?'}connectionName=brokerx`;
}

/**
 * Guards a client's stream of appends against two faults of the package. First, all clients of a process share one table of
 * appends that wait for replies, and an error on one client's stream rejects and removes them all; a reply on another client's
 * stream then causes a TypeError in a listener, which would end the process. Here it is logged and ignored: that append was
 * rejected and is repeated. Second, a stream that breaks while it is full rejects a promise that nobody holds. Here the stream
 * never says that it is full; `append.ts` bounds how much is under way.
 */
function guardAppends(client: EventStoreDBClient, log: Log | undefined): void {
  const guarded = client as unknown as { GRPCStreamCreator: StreamCreator };
  const create = guarded.GRPCStreamCreator;
  guarded.GRPCStreamCreator = (Client, name, creator, cache) => {
    if (name !== 'appendToStream') return create(Client, name, creator, cache);
    return create(
      Client,
      name,
      (stub) => {
        const stream = creator(stub);
        for (const listener of stream.listeners('data')) {
          stream.off('data', listener);
          stream.on('data', (reply) => {
            try {
              listener(reply);
            } catch (error) {
              log?.warn({ err: error }, 'a reply to an append that was given up already');
            }
          });
        }
        const write = stream.write.bind(stream);
        stream.write = (message: unknown) => {
          write(message);
          return true;
        };
        return stream;
      },
      cache,
    );
  };
}

type Listener = (...args: unknown[]) => void;
type AppendStream = {
  listeners(event: 'data'): Listener[];
  on(event: 'data', listener: Listener): void;
  off(event: 'data', listener: Listener): void;
  write(message: unknown): boolean;
};
type StreamCreator = (
  Client: unknown,
  name: string,
  creator: (stub: unknown) => AppendStream,
  cache: unknown,
) => () => Promise<AppendStream>;

/**
 * Whether the server or the connection failed, and not the request: repeating may help, and whether it took effect is not
 * known. An `UnknownError` counts, because a server that is starting answers with one.
 */
export function isEventStoreDbAway(error: unknown): boolean {
  return AWAY_ERRORS.some((kind) => error instanceof kind) && !isInvalidPosition(error);
}

/** Whether a read was to begin at a position where no event begins. Older servers have no error of its own for that. */
export const isInvalidPosition = (error: unknown): boolean =>
  error instanceof UnknownError && /invalid ?position|ReadAllResult: Error/i.test(error.message);

const AWAY_ERRORS = [
  NoReply,
  UnavailableError,
  CancelledError,
  DeadlineExceededError,
  TimeoutError,
  NotLeaderError,
  UnknownError,
] as const;

/** The error in words if no repetition mends it; undefined for any other. */
export function refusalOf(error: unknown): Error | undefined {
  const refusal = (reason: string) => new Error(`EventStoreDB refuses: ${reason}`, { cause: error });
  if (error instanceof AccessDeniedError) {
    return refusal(
      'access is denied; check the user and password in EVENTSTORE_URL, it must read $all and write',
    );
  }
  if (error instanceof StreamDeletedError) return refusal(`the stream ${error.streamName} was deleted`);
  if (error instanceof MaxAppendSizeExceededError) {
    return refusal(`a commit is larger than its MaxAppendSize, ${error.maxAppendSize} bytes`);
  }
  return undefined;
}
