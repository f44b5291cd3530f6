import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The requests of one connection. A few are worked on at once; while more have come, the connection is not read. Every
 * request ends exactly once: with its reply, or with the connection, whatever it was at.
 */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Monotonic time at which its head had been read. */
  readonly receivedMs: number;
};

export type HttpConnection = {
  readonly socket: Socket;
  readonly connectedMs: number;
  /** The newest request, its body perhaps still on the way. */
  newest(): Exchange | null;
  /** The reply that the client is being sent: complete, and not yet taken by it. */
  untakenReply(): Exchange | null;
  received(exchange: Exchange): void;
};

/** What is done with requests, apart from their order. */
export type ExchangeWork = {
  begin(exchange: Exchange): void;
  /** Once for each that began. */
  end(exchange: Exchange): void;
  /** More were sent ahead than any client needs; the connection is given up. */
  floods(socket: Socket): void;
};

/** Of one connection, worked on at once: a client's libraries send up to ten ahead; more gain nothing. */
export const IN_WORK_PER_CONNECTION_MAX = 8;
/**
 * Read from one connection and not begun: what one read of 64 KB brings of small orders is some 250. What was read cannot
 * be given back to the kernel, so that a flood of the smallest requests is cut off here.
 */
export const WAITING_PER_CONNECTION_MAX = 500;

export function httpConnection(socket: Socket, connectedMs: number, work: ExchangeWork): HttpConnection {
  const inWork = new Set<Exchange>();
  const waiting: Exchange[] = [];
  let newest: Exchange | null = null;

  const begin = (exchange: Exchange) => {
    inWork.add(exchange);
    exchange.response.once('close', () => {
      inWork.delete(exchange);
      work.end(exchange);
      goOn();
    });
    work.begin(exchange);
  };
  const goOn = () => {
    if (waiting.length === 0 || socket.destroyed) return;
    while (inWork.size < IN_WORK_PER_CONNECTION_MAX) {
      const next = waiting.shift();
      if (!next) break;
      begin(next);
    }
    if (waiting.length === 0) socket.resume();
  };

  // Node resumes reading after every message; what waits keeps it paused all the same.
  socket.on('resume', () => {
    if (waiting.length > 0) socket.pause();
  });
  socket.once('close', () => {
    waiting.length = 0;
    for (const { response } of inWork) {
      // Node tells it of the reply whose turn it was, and not of those that were to come after it.
      if (response.socket === null) response.emit('close');
    }
  });

  return {
    socket,
    connectedMs,
    newest: () => newest,
    untakenReply() {
      for (const exchange of inWork) {
        const { response } = exchange;
        if (response.socket !== null && response.writableEnded && !response.writableFinished) return exchange;
      }
      return null;
    },
    received(exchange) {
      // What was read before the connection was given up.
      if (socket.writableEnded) return;
      newest = exchange;
      if (waiting.length === 0 && inWork.size < IN_WORK_PER_CONNECTION_MAX) return begin(exchange);
      if (waiting.length >= WAITING_PER_CONNECTION_MAX) return work.floods(socket);
      waiting.push(exchange);
      socket.pause();
    },
  };
}
