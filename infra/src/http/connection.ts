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
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Monotonic time at which the request's head was complete. */
  readonly receivedMs: number;
};

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

/** The server's work on requests; the connection decides their order. */
export type ExchangeWork = {
  /** Admits a request: null, and `end` follows when it is over. Or returns the reply that refuses it. */
  enter(exchange: Exchange): ReadyReply | null;
  refuse(exchange: Exchange, reply: ReadyReply): void;
  begin(exchange: Exchange): void;
  end(exchange: Exchange): void;
};

/** Requests of one connection in work at a time: clients' libraries send up to ten ahead, and more would gain nothing. */
export const IN_WORK_PER_CONNECTION_MAX = 8;
/**
 * Milliseconds for which a connection is not read after a refusal, doubling with each further one. They are shorter than any
 * Retry-After, so that only clients that ignore it notice; a client that keeps sending costs next to nothing.
 */
const REST_FIRST_MS = 100;
const REST_LAST_MS = 2_000;

export function httpConnection(
  socket: Socket,
  {
    runtime,
    turns,
    work,
  }: { runtime: Pick<Runtime, 'setTimer' | 'monotonicMs'>; turns: LoopTurns; work: ExchangeWork },
): HttpConnection {
  const inWork = new Set<Exchange>();
  const waiting: Exchange[] = [];
  let newest: Exchange | null = null;
  let refusals = 0;
  let cancelRest: (() => void) | null = null;
  let readSinceMs = runtime.monotonicMs();

  const isHeld = () => waiting.length > 0 || cancelRest !== null;
  const rest = () => {
    const ms = Math.min(REST_LAST_MS, REST_FIRST_MS * 2 ** Math.min(refusals, 10));
    refusals += 1;
    cancelRest = runtime.setTimer(ms, () => {
      cancelRest = null;
      goOn();
    });
  };
  const follow = (exchange: Exchange, end: () => void) => {
    inWork.add(exchange);
    exchange.response.once('close', () => {
      inWork.delete(exchange);
      end();
      goOn();
    });
  };
  /** Admits or refuses the first request in line; false if it has to wait. */
  const begin = (exchange: Exchange): boolean => {
    if (cancelRest !== null || inWork.size >= IN_WORK_PER_CONNECTION_MAX) return false;
    const refusal = work.enter(exchange);
    if (refusal === null) {
      refusals = 0;
      follow(exchange, () => work.end(exchange));
      work.begin(exchange);
      return true;
    }
    if (inWork.size > 0) return false;
    follow(exchange, () => {});
    work.refuse(exchange, refusal);
    rest();
    return true;
  };
  const goOn = () => {
    if (socket.destroyed) return;
    for (let next = waiting[0]; next && begin(next); next = waiting[0]) waiting.shift();
    if (isHeld() || !socket.isPaused()) return;
    readSinceMs = runtime.monotonicMs();
    socket.resume();
  };

  const reading = pacedReading(socket, { turns, isHeld, isIdle: () => inWork.size === 0 });
  socket.once('close', () => {
    waiting.length = 0;
    cancelRest?.();
    for (const { response } of inWork) {
      // Node emits `close` on the reply whose turn it was, but not on those behind it.
      if (response.socket === null) response.emit('close');
    }
  });

  return {
    socket,
    connectedMs: runtime.monotonicMs(),
    newest: () => newest,
    readSinceMs: () => (isHeld() ? null : readSinceMs),
    giveAway() {
      if (inWork.size > 0 || isHeld()) return false;
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
      newest = exchange;
      if (waiting.length > 0 || !begin(exchange)) waiting.push(exchange);
      if (isHeld()) socket.pause();
    },
  };
}
