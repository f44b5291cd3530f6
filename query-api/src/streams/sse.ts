import { Readable } from 'node:stream';
import type { Runtime } from '@brokerx/infra';

/**
 * One server-sent-events response (HTML Living Standard §9.2): a bounded buffer between what happens and what the
 * client takes. Who does not keep up is told so and cut off, to resume by `Last-Event-ID`; nobody else waits.
 */
export type EventStream = {
  /** The response body. */
  readonly body: Readable;
  /** Aborted when the stream has ended, whoever ended it. */
  readonly ended: AbortSignal;
  /** A message that must not be left out; a full buffer ends the stream as `slow_consumer`. */
  send(frame: string): void;
  /** A message that replaces the one before it: where the client is slow, only the newest is kept. */
  sendState(frame: string): void;
  /** A sign of life, left out where the client has enough to read. */
  beat(): void;
  /** Resolves when the client has taken what was sent, or most of it; false when the stream ended instead. */
  drained(): Promise<boolean>;
  /**
   * Before each message of the past: resolves at once, or where much is waiting when it was taken. The past waits for the
   * client, it is not slow.
   */
  room(): Promise<boolean>;
  /** Ends with one last message that says why. */
  end(reason: EndReason): void;
  /** It was never sent: the request was refused. */
  discard(): void;
};
/** `unavailable`: what is streamed cannot be read now; connect again. */
export type EndReason =
  | 'slow_consumer'
  | 'token_expired'
  | 'session_ended'
  | 'server_shutdown'
  | 'unavailable';

/** About 2,000 messages: seconds of a busy symbol. */
const BUFFER_BYTES_MAX = 512 * 1024;
/** Replaceable messages wait until the client has taken all but this much. */
const STATE_BUFFER_BYTES_MAX = 64 * 1024;
/** Below the buffer's bound by more than the longest message. */
const PAST_BUFFER_BYTES_MAX = 128 * 1024;
/** Milliseconds that a client has to take the last message before its connection is cut. */
export const LINGER_MS = 5_000;
/** Milliseconds that a client may take nothing at all while a page of the past is waiting for it. */
const STALL_MS = 30_000;
/** What a browser waits before it connects again. */
const RECONNECT_MS = 1_000;

export function eventStream(options: { runtime: Runtime; bufferBytesMax?: number }): EventStream {
  const { runtime, bufferBytesMax = BUFFER_BYTES_MAX } = options;
  const ended = new AbortController();
  let state: string | null = null;
  let wakeDrained: ((taken: boolean) => void)[] = [];

  const body = new Readable({
    highWaterMark: STATE_BUFFER_BYTES_MAX,
    // Called when less than the mark will be left, the chunk that is being taken not counted.
    read: () => {
      if (state !== null) {
        const frame = state;
        state = null;
        body.push(frame);
      }
      wake(true);
    },
  });
  const wake = (taken: boolean) => {
    const waiting = wakeDrained;
    wakeDrained = [];
    for (const resolve of waiting) resolve(taken);
  };
  const finish = () => {
    if (ended.signal.aborted) return;
    ended.abort();
    wake(false);
  };
  body.on('close', finish);
  // A client that goes away is the usual end of a stream, not an error.
  body.on('error', finish);
  const drained = (): Promise<boolean> => {
    if (ended.signal.aborted) return Promise.resolve(false);
    if (body.readableLength < body.readableHighWaterMark) return Promise.resolve(true);
    return new Promise((resolve) => {
      const cancel = runtime.setTimer(STALL_MS, () => end('slow_consumer'));
      wakeDrained.push((taken) => {
        cancel();
        resolve(taken);
      });
    });
  };
  const end = (reason: EndReason) => {
    if (ended.signal.aborted) return;
    finish();
    body.push(`event: ${reason}\ndata: {}\n\n`);
    body.push(null);
    const cancel = runtime.setTimer(LINGER_MS, () => body.destroy());
    body.once('close', cancel);
  };
  body.push(`retry: ${RECONNECT_MS}\n: connected\n\n`);

  return {
    body,
    ended: ended.signal,
    send(frame) {
      if (ended.signal.aborted) return;
      if (body.readableLength + frame.length > bufferBytesMax) end('slow_consumer');
      else body.push(frame);
    },
    sendState(frame) {
      if (ended.signal.aborted) return;
      if (body.readableLength > STATE_BUFFER_BYTES_MAX) state = frame;
      else body.push(frame);
    },
    beat() {
      if (!ended.signal.aborted && body.readableLength === 0) body.push(': heartbeat\n\n');
    },
    drained,
    room: () =>
      body.readableLength > PAST_BUFFER_BYTES_MAX ? drained() : Promise.resolve(!ended.signal.aborted),
    end,
    discard: () => {
      finish();
      body.destroy();
    },
  };
}

/** For `follow`: as long as the client takes it. */
export const followedBy = (to: EventStream) => ({
  ended: to.ended,
  room: to.room,
  failed: () => to.end('unavailable'),
});
