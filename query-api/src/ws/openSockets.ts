import { addressQuotas, errorsHeardElsewhere, type Place, type Runtime } from '@brokerx/infra';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import type { WebSocket } from 'ws';
import { QUERY_BOUNDS } from '../reading/bounds.ts';
import { accountQuotas, type QuotaBounds } from '../reading/clientQuotas.ts';
import { type Connection, type ConnectionDeps, connection } from './connection.ts';

/** All WebSockets of this process: how many there may be, their heartbeat, and their common end. */
export type OpenSockets = {
  /** Serves the socket, or closes it: with 1013 where the process has no room, with 1008 where the address has none. */
  take(socket: WebSocket, address: string): void;
  count(): number;
  /** Open channels and unanswered requests of all connections together. */
  stats(): { subscriptions: number; requests: number };
  /** Announces `serverShutdown` to all, lets requests under way be answered, and closes all with 1001. */
  close(): Promise<void>;
};

/** Milliseconds between pings: below the half minute after which proxies drop a silent connection. */
export const PING_MS = 15_000;
/** Milliseconds for requests under way when the server stops, and then for the closing handshake. */
const ANSWER_MS = 5_000;
const CLOSE_MS = 2_000;

/** Close codes of RFC 6455 §7.4.1, and 1013 of its registry. */
const GOING_AWAY = 1001;
const POLICY = 1008;
const UNSUPPORTED = 1003;
const TRY_LATER = 1013;

type Entry = { socket: WebSocket; connection: Connection; alive: boolean };

export function openSockets(
  options: Omit<ConnectionDeps, 'accounts' | 'address'> & { runtime: Runtime; bounds?: QuotaBounds },
): OpenSockets {
  const { runtime, bounds = QUERY_BOUNDS.webSockets } = options;
  const entries = new Set<Entry>();
  const places = addressQuotas(bounds);
  const accounts = accountQuotas(bounds.perAccountMax);
  let cancelPing: (() => void) | null = null;
  let closed = false;

  /** A client that has not answered the previous ping is gone. */
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
  /** A client that does not take part in the closing handshake is cut off. */
  const end = (socket: WebSocket, code: number, reason: string) => {
    if (socket.readyState !== socket.OPEN) return;
    const cancel = runtime.setTimer(CLOSE_MS, () => socket.terminate());
    socket.once('close', cancel);
    socket.close(code, reason);
  };
  const leave = (entry: Entry, place: Place) => {
    entry.connection.closed();
    entries.delete(entry);
    place.leave();
    if (entries.size > 0) return;
    cancelPing?.();
    cancelPing = null;
  };

  return {
    take(socket, address) {
      // For example a message that is too long: the library closes the socket with the reason.
      errorsHeardElsewhere(socket);
      const place = closed ? 'FULL' : places.take(address);
      if (place === 'FULL') return end(socket, TRY_LATER, 'OVERLOADED');
      if (place === 'ADDRESS_FULL') return end(socket, POLICY, 'TOO_MANY_STREAMS');
      const cutOff = (reason: string) => end(socket, POLICY, reason);
      const deps = { ...options, address, accounts };
      const entry: Entry = { socket, connection: connection(socket, deps, cutOff), alive: true };
      entries.add(entry);
      if (!cancelPing) beat();
      socket.on('message', (data, isBinary) => {
        entry.alive = true;
        if (isBinary) end(socket, UNSUPPORTED, 'messages are JSON text');
        else entry.connection.message(String(data));
      });
      socket.on('pong', () => {
        entry.alive = true;
      });
      socket.on('close', () => leave(entry, place));
    },
    count: () => entries.size,
    stats() {
      const all = Array.from(entries, ({ connection: each }) => each.stats());
      return {
        subscriptions: all.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
        requests: all.reduce((sum, { requests }) => sum + requests, 0),
      };
    },
    async close() {
      closed = true;
      const all = [...entries];
      const answers = Promise.all(all.map(({ connection: each }) => each.shutDown()));
      await withinTime(runtime, ANSWER_MS, answers, () => undefined);
      for (const { socket } of all) end(socket, GOING_AWAY, 'serverShutdown');
    },
  };
}
