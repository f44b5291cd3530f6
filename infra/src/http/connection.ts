import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Runtime } from '../runtime/runtime.ts';
import type { LoopTurns } from './loopTurns.ts';
import { pacedReading } from './pacedReading.ts';
import type { ReadyReply } from './readyReply.ts';

/**
 * The requests of one connection. A few are worked on at once; while more have come, the connection is not read, and what
 * cannot be let in waits for those before it. Every request ends exactly once: with its reply, or with the connection,
 * whatever it was at.
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
  /**
   * Since when the client could have gone on sending: while a connection is not read, that something is missing is no fault
   * of the client's. Null: it is not read now.
   */
  readSinceMs(): number | null;
  /** False: it cannot become something else, because something that it was sent is under way. */
  giveAway(): boolean;
  received(exchange: Exchange): void;
};

/** What is done with requests, apart from their order. */
export type ExchangeWork = {
  /** Null: it is let in, and `end` follows when it is over. */
  enter(exchange: Exchange): ReadyReply | null;
  refuse(exchange: Exchange, reply: ReadyReply): void;
  begin(exchange: Exchange): void;
  end(exchange: Exchange): void;
};

/** Of one connection, worked on at once: a client's libraries send up to ten ahead; more gain nothing. */
export const IN_WORK_PER_CONNECTION_MAX = 8;
/**
 * Milliseconds for which a connection is not read after a refusal, doubled by each one that follows: shorter than any
 * Retry-After, so that only who does not heed it notices, and whoever sends on and on costs next to nothing.
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
  /** False: it has to wait, though there is nothing before it that waits. */
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
      // Node tells it of the reply whose turn it was, and not of those that were to come after it.
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
      // What was read before the connection was given up.
      if (socket.writableEnded) return;
      newest = exchange;
      if (waiting.length > 0 || !begin(exchange)) waiting.push(exchange);
      if (isHeld()) socket.pause();
    },
  };
}
