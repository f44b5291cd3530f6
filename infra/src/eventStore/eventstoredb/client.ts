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
 * The client of EventStoreDB, with what it lacks: a time limit of our own around every call (it waits for ever for a
 * reply that does not come), another client in place of one on which a call hangs, and a guard around its stream of
 * appends, whose faults would end the process.
 */
export type EventStoreDbConnection = {
  client(): EventStoreDBClient;
  /**
   * Settles as `call` does, or rejects with `NoReply` after `limitMs`; then a new client takes the place of the one
   * that it hangs on.
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
  // What it gives otherwise instead of an error is wrong (the revision is always 1).
  if (/throwOnAppendFailure=false/i.test(url))
    throw new Error('EVENTSTORE_URL: remove throwOnAppendFailure=false');
  patchGrpc();
  const open = () => {
    const client = EventStoreDBClient.connectionString(named(url));
    guardAppends(client, log);
    return client;
  };
  const away = eventStoreDbOutage(options);
  let current = open();
  let closed = false;
  /** Calls under way: a stream that is cancelled by its own client ends without a word. */
  const pending = new Map<(error: Error) => void, EventStoreDBClient>();

  const giveUp = (client: EventStoreDBClient, error: Error) => {
    for (const [reject, used] of pending) if (used === client) reject(error);
    return end(client);
  };
  const renew = (stuck: EventStoreDBClient) => {
    if (closed || stuck !== current) return;
    log?.debug('EventStoreDB did not reply in time: connecting anew');
    current = open();
    void giveUp(stuck, new NoReply('another call on this connection got no reply'));
  };

  return {
    client: () => current,
    within(limitMs, call) {
      const used = current;
      return new Promise((resolve, reject) => {
        if (closed) throw new Error('the event store is closed');
        pending.set(reject, used);
        const cancel = runtime.setTimer(limitMs, () => {
          const silent = new NoReply(`no reply within ${limitMs} ms`);
          away.failed(silent);
          reject(silent);
          renew(used);
        });
        noted(away, Promise.try(call, used), () => closed)
          .then(resolve, reject)
          .finally(() => {
            cancel();
            pending.delete(reject);
          });
      });
    },
    async close() {
      closed = true;
      const closing = giveUp(current, new Error('the event store is closed'));
      await withinTime(runtime, CLOSE_LIMIT_MS, closing, () => undefined);
    },
  };
}

/** The work as it is, and whether the server was there. */
function noted<T>(away: Outage, work: Promise<T>, isOver: () => boolean): Promise<T> {
  const failed = (error: unknown) => {
    if (!isOver() && error instanceof UnavailableError) away.failed(error);
  };
  work.then(() => away.answered(), failed);
  return work;
}

/** A fault that a repetition mends is none: the server, or the way to it, is away where no connection comes about, or no reply. */
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

/** What still runs is cancelled, and nothing of it matters any more. */
const CLOSE_LIMIT_MS = 2_000;

async function end(client: EventStoreDBClient): Promise<void> {
  await mayFail(client.dispose(), 'nothing of it matters any more');
  const { getChannel } = client as unknown as { getChannel(): Promise<{ close(): void }> };
  await getChannel().then(
    (channel) => channel.close(),
    () => undefined,
  );
}

/** Shown in the server's list of connections, unless the address names it otherwise. */
function named(url: string): string {
  if (/[?&]connectionName=/i.test(url)) return url;
  return `${url.replace(/\/+$/, '')}${url.includes('?') ? '&' : '?'}connectionName=brokerx`;
}

/**
 * All clients in a process share one table of appends that wait for their replies. An error on one client's stream of
 * appends rejects and forgets them all; the reply that comes to another client's afterwards is a TypeError in a
 * listener, which would end the process. And a stream that breaks while it is full rejects a promise that nobody
 * holds. Here the first is told and passed over (that append was rejected, and is repeated), and the second cannot
 * happen, as the stream never says that it is full: how much is under way is bounded by `append.ts`.
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
 * True when the server or the way to it failed, rather than what was asked: repeating may help, and whether it took
 * effect is not known. (An unknown error may be anything: a server that is starting answers with one.)
 */
export function isEventStoreDbAway(error: unknown): boolean {
  return AWAY.some((kind) => error instanceof kind) && !isInvalidPosition(error);
}

/** Reading is to begin where no event of the log begins; older servers have no word for it. */
export const isInvalidPosition = (error: unknown): boolean =>
  error instanceof UnknownError && /invalid ?position|ReadAllResult: Error/i.test(error.message);

const AWAY = [
  NoReply,
  UnavailableError,
  CancelledError,
  DeadlineExceededError,
  TimeoutError,
  NotLeaderError,
  UnknownError,
] as const;

/** An error that no repetition mends, in words; undefined for any other. */
export function refusalOf(error: unknown): Error | undefined {
  const because = (what: string) => new Error(`EventStoreDB refuses: ${what}`, { cause: error });
  if (error instanceof AccessDeniedError) {
    return because(
      'access is denied; check the user and password in EVENTSTORE_URL, it must read $all and write',
    );
  }
  if (error instanceof StreamDeletedError) return because(`the stream ${error.streamName} was deleted`);
  if (error instanceof MaxAppendSizeExceededError) {
    return because(`a commit is larger than its MaxAppendSize, ${error.maxAppendSize} bytes`);
  }
  return undefined;
}
