import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Runtime } from '../runtime/runtime.ts';
import type { LoopTurns } from './loopTurns.ts';
import { pacedReading } from './pacedReading.ts';
import type { ReadyReply } from './readyReply.ts';

/**
 * The requests of one connection. A few are in work at a time; while more have arrived, the connection is not read, and a
 * request that is not admitted waits for those before it. Every request ends exactly once: with its reply, or with the
 * connection, whatever its state.
 */
export type HttpConnection = {
  readonly socket: Socket;
  readonly connectedMs: number;
  /** The newest request; its body may still be arriving. */
  newest(): Exchange | null;
  /** The request whose reply is complete but not yet wholly received by the client. */
  untakenReply(): Exchange | null;
  /**
   * Monotonic time since which the connection has been read; null: it is not read now. A client is blamed for an incomplete
   * request only while we read.
   */
  readSinceMs(): number | null;
  /** Hands the socket over to another protocol; false while a request is in work or waiting. */
  giveAway(): boolean;
  received(exchange: Exchange): void;
};

/** A request and its reply. */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Monotonic time at which the request's head was complete. */
  readonly receivedMs: number;
};

/** The server's work on requests; the connection decides their order. */
export type ExchangeWork = {
  /** Admits a request: null, and `end` follows when it is over. Or returns the reply that refuses it. */
  enter(exchange: Exchange): ReadyReply | null;
  refuse(exchange: Exchange, reply: ReadyReply): void;
  begin(exchange: Exchange): void;
  end(exchange: Exchange): void;
};

type ConnectionOptions = {
  runtime: Pick<Runtime, 'setTimer' | 'monotonicMs'>;
  turns: LoopTurns;
  work: ExchangeWork;
};

type ConnectionState = {
  readonly socket: Socket;
  readonly runtime: ConnectionOptions['runtime'];
  readonly work: ExchangeWork;
  readonly inWork: Set<Exchange>;
  /** Requests that have arrived and are not begun, in order. */
  readonly waiting: Exchange[];
  newest: Exchange | null;
  /** Refusals since a request was last admitted. */
  refusals: number;
  /** Ends the rest after a refusal; null when there is none. */
  cancelRest: (() => void) | null;
  readSinceMs: number;
};

/** Requests of one connection in work at a time: clients' libraries send up to ten ahead, and more would gain nothing. */
export const IN_WORK_PER_CONNECTION_MAX = 8;
/**
 * Milliseconds for which a connection is not read after a refusal, doubling with each further one. They are shorter than any
 * Retry-After, so that only clients that ignore it notice; a client that keeps sending costs next to nothing.
 */
const REST_FIRST_MS = 100;
const REST_LAST_MS = 2_000;

export function httpConnection(socket: Socket, { runtime, turns, work }: ConnectionOptions): HttpConnection {
  const connectedMs = runtime.monotonicMs();
  const connection: ConnectionState = {
    socket,
    runtime,
    work,
    inWork: new Set(),
    waiting: [],
    newest: null,
    refusals: 0,
    cancelRest: null,
    readSinceMs: connectedMs,
  };
  const { inWork, waiting } = connection;
  const reading = pacedReading(socket, {
    turns,
    isBlocked: () => isBlocked(connection),
    isIdle: () => inWork.size === 0,
  });
  socket.once('close', () => {
    waiting.length = 0;
    connection.cancelRest?.();
    for (const { response } of inWork) {
      // Node emits `close` on the reply whose turn it was, but not on those behind it.
      if (response.socket === null) response.emit('close');
    }
  });
  return {
    socket,
    connectedMs,
    newest: () => connection.newest,
    readSinceMs: () => (isBlocked(connection) ? null : connection.readSinceMs),
    giveAway() {
      if (inWork.size > 0 || isBlocked(connection)) return false;
      reading.giveBack();
      return true;
    },
    untakenReply() {
      for (const exchange of inWork) {
        const { response } = exchange;
        if (response.socket !== null && response.writableEnded && !response.writableFinished) return exchange;
      }
      return null;
    },
    received(exchange) {
      // This request was read before the connection was given up.
      if (socket.writableEnded) return;
      connection.newest = exchange;
      if (waiting.length > 0 || !begin(connection, exchange)) waiting.push(exchange);
      if (isBlocked(connection)) socket.pause();
    },
  };
}

/** Whether the connection must not be read now. */
const isBlocked = ({ waiting, cancelRest }: ConnectionState): boolean =>
  waiting.length > 0 || cancelRest !== null;

/** Admits or refuses the first request in line; false if it has to wait. */
function begin(connection: ConnectionState, exchange: Exchange): boolean {
  const { inWork, work } = connection;
  if (connection.cancelRest !== null || inWork.size >= IN_WORK_PER_CONNECTION_MAX) return false;
  const refusal = work.enter(exchange);
  if (refusal === null) {
    connection.refusals = 0;
    addToWork(connection, exchange, () => work.end(exchange));
    work.begin(exchange);
    return true;
  }
  if (inWork.size > 0) return false;
  addToWork(connection, exchange, () => {});
  work.refuse(exchange, refusal);
  rest(connection);
  return true;
}

function addToWork(connection: ConnectionState, exchange: Exchange, onEnd: () => void): void {
  const { inWork } = connection;
  inWork.add(exchange);
  exchange.response.once('close', () => {
    inWork.delete(exchange);
    onEnd();
    goOn(connection);
  });
}

/** Does not read the connection for a while, after a refusal. */
function rest(connection: ConnectionState): void {
  const restMs = Math.min(REST_LAST_MS, REST_FIRST_MS * 2 ** Math.min(connection.refusals, 10));
  connection.refusals += 1;
  connection.cancelRest = connection.runtime.setTimer(restMs, () => {
    connection.cancelRest = null;
    goOn(connection);
  });
}

/** Begins waiting requests as far as possible, and reads the connection again if none is left. */
function goOn(connection: ConnectionState): void {
  const { socket, waiting } = connection;
  if (socket.destroyed) return;
  for (let next = waiting[0]; next && begin(connection, next); next = waiting[0]) waiting.shift();
  if (isBlocked(connection) || !socket.isPaused()) return;
  connection.readSinceMs = connection.runtime.monotonicMs();
  socket.resume();
}
