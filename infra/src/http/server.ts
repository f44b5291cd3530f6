import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { Counter, Gauge } from 'prom-client';
import type { ConnectionBounds } from '../runtime/connectionBounds.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type AddressQuotas, addressQuotas, networkOf } from './addressQuotas.ts';
import type { ClientAddresses } from './clientAddress.ts';
import { type Exchange, type ExchangeWork, type HttpConnection, httpConnection } from './connection.ts';
import { loopTurns } from './loopTurns.ts';
import { Problem } from './problem.ts';
import { closingBytes, type ReadyReply, readyReply, sendReady } from './readyReply.ts';
import { headRefusal } from './requestHead.ts';

/**
 * Admits or refuses each request, before its token is looked up and its body is read. For an admitted request `left` is called
 * once when it is over, however it ends.
 */
export type Gate = (request: IncomingMessage, address: string) => Admission | ReadyReply;
/** `left` gets whether the request was answered. */
export type Admission = { left: ((answered: boolean) => void) | null };

/** Bytes of a request's headers: a token, a key and what browsers add. */
const HEADER_BYTES_MAX = 16 * 1024;
/** Milliseconds for a request's head to arrive, from its first byte or from the beginning of the connection. */
const HEAD_TIMEOUT_MS = 10_000;
/** Milliseconds for a client to receive a whole reply, from when it is complete. */
const REPLY_TIMEOUT_MS = 30_000;
/** Longer than the 60 s of usual proxies, so that the proxy closes first and no request meets a closed socket. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Open connections, some 20 KB each: 200 MB at most. */
const CONNECTIONS_MAX = 10_000;
/** Milliseconds between two checks of the time-outs: none lasts longer by more than this. */
const CHECK_EVERY_MS = 1_000;
/** Milliseconds after which an incomplete request is slower than a lost packet explains. */
const HALF_SENT_AFTER_MS = 2_000;

export type HttpServerOptions = {
  bounds: ConnectionBounds;
  clients: ClientAddresses;
  gate: Gate | undefined;
  /** Whether a request may change the protocol; the header `Upgrade` of all others is ignored. */
  upgrades: (request: IncomingMessage) => boolean;
  runtime: Runtime;
  metrics: Metrics;
  /** Replies on a connection without a valid request, or whose request is too late, and closes it. */
  answerBroken(error: NodeJS.ErrnoException, socket: Socket): void;
};

/** A server on which each client's connections, requests and times are bounded. */
export function boundedServer(handle: RequestListener, options: HttpServerOptions): Server {
  const { bounds, clients, upgrades, runtime, metrics, answerBroken } = options;
  const places = addressQuotas({ max: CONNECTIONS_MAX, perAddressMax: bounds.perAddressMax });
  const connections = new Map<Socket, HttpConnection>();
  const turns = loopTurns(runtime);
  const refused = refusalCounter(metrics, connections);
  const work = exchangeWork(handle, options, refused);
  /**
   * Connections whose request is late because we did not read them, with the newest request at that time. Node reports a late
   * request only once, so we check these again.
   */
  const excused = new Map<HttpConnection, Exchange | null>();
  const couldSend = (connection: HttpConnection) => {
    const sinceMs = connection.readSinceMs();
    return sinceMs !== null && runtime.monotonicMs() - sinceMs >= bounds.requestTimeoutMs;
  };
  const turnAway = (socket: Socket, reason: keyof typeof TURNED_AWAY) => {
    refused.inc({ reason });
    socket.write(TURNED_AWAY[reason]);
    socket.destroySoon();
  };
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    connections.get(request.socket)?.received({ request, response, receivedMs: runtime.monotonicMs() });
  };
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(HEAD_TIMEOUT_MS, bounds.requestTimeoutMs),
      requestTimeout: bounds.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      // `headRefusal` refuses it, with a problem reply.
      requireHostHeader: false,
      shouldUpgradeCallback(request) {
        const isTaken =
          upgrades(request) && !headRefusal(request) && connections.get(request.socket)?.giveAway() === true;
        // From now on the new protocol bounds what goes over it.
        if (isTaken) connections.delete(request.socket);
        return isTaken;
      },
    },
    receive,
  );
  server.on('checkExpectation', receive);
  server.on('connection', (socket) => {
    const place = placeOf(socket, clients, places);
    if (place === 'GONE') return socket.destroy();
    if (typeof place === 'string') return turnAway(socket, place);
    const connection = httpConnection(socket, { runtime, turns, work });
    connections.set(socket, connection);
    socket.once('close', () => {
      connections.delete(socket);
      excused.delete(connection);
      place.leave();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = connections.get(socket);
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (isLate && connection && !couldSend(connection)) excused.set(connection, connection.newest());
    else answerBroken(error, socket);
  });
  enforceTimeouts(server, { ...options, connections, excused, couldSend, turnAway });
  return server;
}

/** Asks the gate about each request, answers what it refuses, and hands the others to the application. */
function exchangeWork(
  handle: RequestListener,
  { gate, clients }: HttpServerOptions,
  refused: Counter<'reason'>,
): ExchangeWork {
  const admissions = new Map<Exchange, Admission>();
  return {
    enter(exchange) {
      if (!gate) return null;
      const { request } = exchange;
      const verdict = gate(request, clients.of(request));
      if ('body' in verdict) return verdict;
      admissions.set(exchange, verdict);
      return null;
    },
    refuse({ response }, reply) {
      refused.inc({ reason: 'overload' });
      sendReady(response, reply);
    },
    begin({ request, response }) {
      const refusal = headRefusal(request);
      if (refusal) sendReady(response, refusal);
      else handle(request, response);
    },
    end(exchange) {
      const admission = admissions.get(exchange);
      admissions.delete(exchange);
      admission?.left?.(exchange.response.writableFinished);
    },
  };
}

/** Takes a place for a new connection, if it still has an address: a socket that was reset has none. */
function placeOf(socket: Socket, clients: ClientAddresses, places: AddressQuotas) {
  const address = socket.remoteAddress;
  if (address === undefined) return 'GONE';
  // A proxy's connections carry the requests of many.
  return places.take(address, { isShared: clients.isProxy(address) });
}

/** Once a second, cuts off clients that are too slow or exceed the bounds of their address. */
function enforceTimeouts(
  server: Server,
  options: HttpServerOptions & {
    connections: ReadonlyMap<Socket, HttpConnection>;
    excused: Map<HttpConnection, Exchange | null>;
    couldSend(connection: HttpConnection): boolean;
    turnAway(socket: Socket, reason: keyof typeof TURNED_AWAY): void;
  },
): void {
  const { connections, excused, couldSend, clients, bounds, runtime, answerBroken, turnAway } = options;
  /** When a complete reply was first seen that its client had not taken. */
  const untakenSinceMs = new WeakMap<Exchange, number>();
  let cancel = () => {};

  const check = (nowMs: number) => {
    const halfSent = new Map<string, Socket[]>();
    for (const connection of connections.values()) {
      const { socket } = connection;
      const reply = connection.untakenReply();
      if (reply) {
        const sinceMs = untakenSinceMs.get(reply) ?? nowMs;
        untakenSinceMs.set(reply, sinceMs);
        if (nowMs - sinceMs > REPLY_TIMEOUT_MS) socket.destroy();
      }
      if (excused.get(connection) !== connection.newest()) excused.delete(connection);
      else if (excused.has(connection) && couldSend(connection)) answerBroken(LATE, socket);
      const halfSentMs = nowMs - halfSentSinceMs(connection, nowMs);
      // A stopping server waits for its replies, but not for incomplete requests.
      if (halfSentMs > 0 && !server.listening) socket.destroy();
      if (halfSentMs < HALF_SENT_AFTER_MS) continue;
      const address = addressOf(connection, clients);
      if (address === null) continue;
      const network = networkOf(address);
      const sockets = halfSent.get(network);
      if (sockets) sockets.push(socket);
      else halfSent.set(network, [socket]);
    }
    // The oldest ones first: their clients have had the most time.
    for (const sockets of halfSent.values()) {
      const surplus = Math.max(0, sockets.length - bounds.halfSentPerAddressMax);
      for (const socket of sockets.slice(0, surplus)) turnAway(socket, 'half_sent');
    }
  };
  const scheduleCheck = () => {
    const plannedMs = runtime.monotonicMs() + CHECK_EVERY_MS;
    cancel = runtime.setTimer(CHECK_EVERY_MS, () => {
      const nowMs = runtime.monotonicMs();
      // After a pause of this process, what seems missing may have arrived and not been read yet.
      if (nowMs - plannedMs < CHECK_EVERY_MS) check(nowMs);
      scheduleCheck();
    });
  };
  server.once('listening', scheduleCheck);
  server.once('close', () => cancel());
}

/** Since when the client could have completed its newest request; now if there is nothing to complete. */
function halfSentSinceMs(connection: HttpConnection, nowMs: number): number {
  const newest = connection.newest();
  const readSinceMs = connection.readSinceMs();
  if (newest?.request.complete || readSinceMs === null) return nowMs;
  return Math.max(newest?.receivedMs ?? connection.connectedMs, readSinceMs);
}

/** The client's address; null while a proxy has not yet named it. */
function addressOf(connection: HttpConnection, clients: ClientAddresses): string | null {
  const newest = connection.newest();
  if (newest) return clients.of(newest.request);
  const { remoteAddress = '' } = connection.socket;
  return clients.isProxy(remoteAddress) ? null : remoteAddress;
}

const LATE: NodeJS.ErrnoException = Object.assign(new Error('the request is late'), {
  code: 'ERR_HTTP_REQUEST_TIMEOUT',
});

const RETRY = { 'retry-after': '1' };
const limitProblem = (detail: string) => ({
  status: 429,
  code: 'REQUEST_LIMIT',
  title: 'Too many requests came from this address; try again after Retry-After seconds.',
  detail,
  headers: RETRY,
});

/** Replies to connections that are closed at once, by the reason in the metrics. */
const TURNED_AWAY = {
  ADDRESS_FULL: closing(limitProblem('too many connections are open from this address')),
  FULL: closing({
    status: 503,
    code: 'OVERLOADED',
    title: 'Too many requests are in flight; try again after Retry-After seconds.',
    detail: 'too many connections are open',
    headers: RETRY,
  }),
  half_sent: closing(limitProblem('too many requests of this address are unfinished')),
} as const;

function closing(problem: ConstructorParameters<typeof Problem>[0]): Buffer {
  return closingBytes(readyReply(new Problem(problem)));
}

function refusalCounter({ registry }: Metrics, connections: ReadonlyMap<Socket, HttpConnection>) {
  const registers = [registry];
  new Gauge({
    name: 'brokerx_http_connections',
    help: 'Connections that are open, without those that became WebSockets.',
    registers,
    collect() {
      this.set(connections.size);
    },
  });
  return new Counter({
    name: 'brokerx_http_refused_total',
    help: 'Requests and connections that were refused before anything was done for them.',
    labelNames: ['reason'] as const,
    registers,
  });
}
