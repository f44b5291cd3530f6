import type { Runtime } from '@brokerx/infra';
import { errorsHeardElsewhere } from '@brokerx/infra';
import type { WebSocket } from 'ws';
import { type Connection, type ConnectionDeps, connection } from './connection.ts';

/** All WebSockets of this process: how many there may be, their heartbeat, and their common end. */
export type OpenSockets = {
  /** Takes the socket over, or closes it (1013) where there is no room. */
  take(socket: WebSocket, client: string): void;
  count(): number;
  /** Tells all of them `serverShutdown`, answers what was asked, and closes them (1001). */
  close(): Promise<void>;
};

/** Each costs some 50 KB and a socket, and what waits for a slow client. */
export const SOCKETS_MAX = 1_000;
/** A few machines behind one address. */
export const SOCKETS_PER_CLIENT_MAX = 100;
/** Milliseconds between pings: below the half minute after which proxies drop a silent connection. */
export const PING_MS = 15_000;
/** Milliseconds for what is under way when the server stops, and then for the closing handshake. */
const ANSWER_MS = 5_000;
const CLOSE_MS = 2_000;

/** RFC 6455 §7.4.1, and 1013 of its registry. */
const GOING_AWAY = 1001;
const POLICY = 1008;
const UNSUPPORTED = 1003;
const TRY_LATER = 1013;

type Entry = { socket: WebSocket; connection: Connection; alive: boolean };

export function openSockets(
  options: ConnectionDeps & { runtime: Runtime; socketsMax?: number; socketsPerClientMax?: number },
): OpenSockets {
  const { runtime, socketsMax = SOCKETS_MAX, socketsPerClientMax = SOCKETS_PER_CLIENT_MAX } = options;
  const entries = new Set<Entry>();
  const perClient = new Map<string, number>();
  let cancelPing: (() => void) | null = null;
  let closed = false;

  /** Who has not answered the ping before is gone. */
  const beat = () => {
    cancelPing = runtime.setTimer(PING_MS, () => {
      for (const entry of entries) {
        if (!entry.alive) entry.socket.terminate();
        else {
          entry.alive = false;
          entry.socket.ping();
        }
      }
      beat();
    });
  };
  const leave = (entry: Entry, client: string) => {
    entry.connection.closed();
    entries.delete(entry);
    const left = (perClient.get(client) ?? 1) - 1;
    if (left === 0) perClient.delete(client);
    else perClient.set(client, left);
    if (entries.size > 0) return;
    cancelPing?.();
    cancelPing = null;
  };

  return {
    take(socket, client) {
      const own = perClient.get(client) ?? 0;
      if (closed || entries.size >= socketsMax) return socket.close(TRY_LATER, 'OVERLOADED');
      if (own >= socketsPerClientMax) return socket.close(POLICY, 'TOO_MANY_STREAMS');
      const end = (reason: string) => {
        socket.close(POLICY, reason);
        runtime.setTimer(CLOSE_MS, () => socket.terminate());
      };
      const entry: Entry = { socket, connection: connection(socket, options, end), alive: true };
      entries.add(entry);
      perClient.set(client, own + 1);
      if (!cancelPing) beat();
      socket.on('message', (data, isBinary) => {
        entry.alive = true;
        if (isBinary) socket.close(UNSUPPORTED, 'messages are JSON text');
        else entry.connection.message(String(data));
      });
      socket.on('pong', () => {
        entry.alive = true;
      });
      // Such as a message that is too long: the library closes with the reason.
      errorsHeardElsewhere(socket);
      socket.on('close', () => leave(entry, client));
    },
    count: () => entries.size,
    async close() {
      closed = true;
      const all = [...entries];
      const answered = Promise.all(all.map(({ connection: each }) => each.shutDown()));
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const cancel = runtime.setTimer(ANSWER_MS, resolve);
      await Promise.race([answered, patience]);
      cancel();
      for (const { socket } of all) {
        socket.close(GOING_AWAY, 'serverShutdown');
        runtime.setTimer(CLOSE_MS, () => socket.terminate());
      }
    },
  };
}
